#!/bin/sh
# Builds both binaries, static and stripped, into the folder $1.
# A target is named, although it is the host's: otherwise the flags would reach build scripts and macros as well.
set -eu
out=${1:?usage: build/static.sh FOLDER}
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
flags=$(build/flags.sh)
RUSTFLAGS=$flags cargo build --locked --release --target "$target" -p userengine-operator -p userengine-engine --bins
mkdir -p "$out"
cp --remove-destination "${CARGO_TARGET_DIR:-target}/$target/release/operator" "${CARGO_TARGET_DIR:-target}/$target/release/engine" "$out/"

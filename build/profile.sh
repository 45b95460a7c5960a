#!/usr/bin/env bash
# Counts what an engine does under load, so that the compiler makes that fast and the rest small: writes build/engine.profdata.gz
# (https://doc.rust-lang.org/rustc/profile-guided-optimization.html). To be run when calls go through much code that is new, or
# the compiler is another: what an old profile does not know is compiled as without one. About 10 minutes on 2 cores.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\033[1m==> [%4ds] %s\033[0m\n' "$SECONDS" "$*" >&2; }

mkdir -p "${CARGO_TARGET_DIR:-target}/counting"
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
work=$target/counting
host=$(rustc -vV | sed -n 's/^host: //p')
merge=$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata
[ -x "$merge" ] || rustup component add llvm-tools

step "an engine that counts (about 6 minutes)"
# The packages of build/static.sh: with other features a library has other names for the same code.
flags=$(build/flags.sh --count "$work/counts")
RUSTFLAGS=$flags CARGO_TARGET_DIR=$work cargo build --locked --quiet --release --target "$host" \
  -p userengine-operator -p userengine-engine --bins
cargo build --locked --quiet -p userengine-engine --example echo
cargo build --locked --quiet -p userengine-e2e --example bench
mkdir -p "$work/dist/bin"
cp --remove-destination "$work/$host/release/engine" "$work/dist/bin/"

step "calls, half of them reads (1 minute)"
rm -rf "$work/counts"
"$target/debug/examples/bench" growth --calls 40000 --dist "$work/dist" --examples "$target/debug/examples" \
  --scratch "$work" --out "$work" --crate-proxy none --python none --commit none --date none

# Code that was not run is left out, and so stays as it is compiled without a profile: a rotation should not become slow.
"$merge" merge --sparse --output "$work/engine.profdata" "$work/counts"
gzip -9nc "$work/engine.profdata" > build/engine.profdata.gz.new
mv build/engine.profdata.gz.new build/engine.profdata.gz
step "written: build/engine.profdata.gz"

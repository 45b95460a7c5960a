#!/bin/sh
# Prints the compiler's flags of the release build.
set -eu
# Absolute, and the same for all checkouts that share a target folder: with other flags everything would be compiled again.
# The name says which profile it is, because nobody looks into the file to see that it changed.
profile() {
  sum=$(sha256sum build/engine.profdata.gz | cut -c1-16)
  mkdir -p "${CARGO_TARGET_DIR:-target}"
  file=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)/engine-$sum.profdata
  if [ ! -f "$file" ]; then
    gzip -dc build/engine.profdata.gz > "$file.$$"
    mv "$file.$$" "$file"
  fi
  echo "$file"
}
cd "$(dirname "$0")/.."
# Relocations are packed: each engine reads all of them at its start, a megabyte otherwise.
flags='-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs'
case ${1:-} in
  '') file=$(profile) && echo "$flags -C profile-use=$file" ;;
  # What build/profile.sh runs: a program that counts, and leaves its counts in the folder $2 when it ends.
  --count) echo "$flags -C profile-generate=${2:?usage: build/flags.sh [--count FOLDER]}" ;;
  *) echo 'usage: build/flags.sh [--count FOLDER]' >&2; exit 2 ;;
esac

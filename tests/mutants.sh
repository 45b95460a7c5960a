#!/usr/bin/env bash
# Changes the code in every small way that cargo-mutants knows, one at a time, and sees that a test fails each time: the protocol of
# a rotation, the vault, and the Job. Hours in all.
#
#   tests/mutants.sh [PART...] [-- ARG...]     parts: transition, vault, job; without one: all. ARGs go to cargo-mutants, `--shard 0/8`
#
# Fails if a change is missed. What was found lies in mutants.out of the folder that it names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

parts=() arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    transition|vault|job) parts+=("$1") ;;
    --) shift; arguments=("$@"); break ;;
    *) sed -n '5s/^# *//p' tests/mutants.sh >&2; exit 2 ;;
  esac
  shift
done
[ "${#parts[@]}" -gt 0 ] || parts=(transition vault job)

step() { printf '\033[1m==> [%5ds] %s\033[0m\n' "$SECONDS" "$*" >&2; }
tools=${XDG_CACHE_HOME:-$HOME/.cache}/userengine/tools
version=27.1.0
if [ "$("$tools/bin/cargo-mutants" mutants --version 2>/dev/null)" != "cargo-mutants $version" ]; then
  step "building cargo-mutants $version (about 2 minutes, once)"
  cargo install --quiet --locked --debug --root "$tools" --version "$version" cargo-mutants
fi
PATH=$tools/bin:$PATH
# Each build is of a copy of the sources, and belongs beside it.
unset CARGO_TARGET_DIR

out=$(mktemp -d "${TMPDIR:-/tmp}/userengine-mutants.XXXXXX")
bad=0
mutate() { # name, files, package, seconds that the tests may take, what cargo test is told
  local name=$1 files=$2 package=$3 seconds=$4
  shift 4
  step "$name: $files"
  # What a run before caught is not tried again. Who shares the machine with another build waits long for a compiler.
  cargo mutants --package "$package" --file "$files" --profile mutants --timeout "$seconds" --build-timeout 900 --no-shuffle \
    --all-features --iterate --output "$out/$name" "${arguments[@]}" -- "$@"
}
# A test of half a minute is asked only about what the others missed.
slow=(--skip wherever_a_fault_strikes --skip killed_at_each_step --skip nothing_is_renamed)
mutate_brain() { # name, files
  mutate "$1" "$2" userengine-brain 300 --lib --test rotation -- "${slow[@]}" ||
    mutate "$1" "$2" userengine-brain 300 --lib --test rotation
}
for part in "${parts[@]}"; do
  case $part in
    transition) mutate transition 'rotation/src/**' userengine-rotation 30 --lib ;;
    vault) mutate_brain vault 'brain/src/vault/**' ;;
    job) mutate_brain job 'brain/src/rotation/**' ;;
  esac || bad=1
done
step "what was found: $out"
exit "$bad"

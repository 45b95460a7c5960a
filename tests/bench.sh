#!/usr/bin/env bash
# Measures what docs/benchmarks.md compares, and writes it anew. A missed budget is reported and is no failure.
#
#   tests/bench.sh [apply] [start] [idle] [images] [--rounds N] [--out FOLDER]
#
# Without a part: all of them. The part `apply` makes the cluster 'bench' and removes it (or uses KUBECONFIG, see tests/setup.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() { sed -n '4s/^# *//p' tests/bench.sh >&2; exit 2; }
parts=() out=docs rounds=()
while [ $# -gt 0 ]; do
  case $1 in
    apply|start|idle|images) parts+=("$1") ;;
    --rounds) [[ ${2:-} =~ ^[1-9][0-9]{0,2}$ ]] || usage; rounds=(--rounds "$2"); shift ;;
    --out) [ -n "${2:-}" ] || usage; out=$2; shift ;;
    *) usage ;;
  esac
  shift
done
[ "${#parts[@]}" -gt 0 ] || parts=(images idle start apply)

step() { printf '\033[1m==> [%3ds] %s\033[0m\n' "$SECONDS" "$*" >&2; }
finish() {
  local status=$?
  rm -rf "$scratch"
  [ -n "${OWN_CLUSTER:-}" ] || exit "$status"
  if [ "$status" != 0 ]; then
    explain
  elif [ "$OWN_CLUSTER" = 1 ] && [ -z "${USERENGINE_KEEP:-}" ]; then
    step "removing the cluster"
    tests/cluster/run down --name bench
  fi
  exit "$status"
}
folder=${CARGO_TARGET_DIR:-target}
mkdir -p "$folder"
scratch=$(mktemp -d "$folder/bench.XXXXXX")
trap finish EXIT

DIST=${USERENGINE_DIST:-${XDG_CACHE_HOME:-$HOME/.cache}/userengine/images}
build/images.sh "$DIST"
step "the bare server, with the engine's flags, and the client (about 4 minutes the first time on 2 cores)"
host=$(rustc -vV | sed -n 's/^host: //p')
# Both packages, so that shared dependencies have the features that they have in the engine's image.
RUSTFLAGS="-C target-feature=+crt-static" \
  cargo build --locked --quiet --release --target "$host" -p userengine-operator -p userengine-engine --example bare
cargo build --locked --quiet -p userengine-e2e --example bench

commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain -- . ':!docs' 2>/dev/null)" ] || commit+=" with changes"

measure() { # part...
  "$folder/debug/examples/bench" "$@" "${rounds[@]}" --dist "$DIST" --bare "$folder/$host/release/examples/bare" \
    --scratch "$scratch" --out "$out" --commit "$commit" --date "$(date -u +%F)"
}

# The cluster comes last: it would disturb the other parts.
failed=0 apply=0
for part in "${parts[@]}"; do
  case $part in
    apply) apply=1 ;;
    idle) step "idle (about 1 minute)"; measure idle || failed=1 ;;
    start) step "start (1 to 3 minutes)"; measure start || failed=1 ;;
    images) step "images"; measure images || failed=1 ;;
  esac
done
if [ "$apply" = 1 ]; then
  . tests/setup.sh bench
  step "apply (about 6 minutes)"
  measure apply || failed=1
fi
step "written: $out/benchmarks.md and $out/benchmarks.json"
exit "$failed"

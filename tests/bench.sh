#!/usr/bin/env bash
# Measures what docs/benchmarks.md compares, and writes it anew. A missed budget is reported and is no failure.
#
#   tests/bench.sh [PART...] [--rounds N] [--calls N] [--rows N] [--engines N[,N...]] [--out FOLDER]
#
# Parts: images, idle, start, calls, growth, connected, outages, hangs, rotation, fleet, large-fleet, stopped, apply, away; `connectors` stands for the five from calls to hangs.
# Without a part: all of them. --calls is for `growth`, --rows for `rotation`, --engines for `fleet`, `large-fleet` and `stopped`, which
# make the clusters of these names and remove them. The parts `apply` and `away` make the cluster 'bench' and remove it (or use KUBECONFIG, see
# tests/setup.sh; `away` needs the machine below the cluster).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() { sed -n '4s/^# *//p' tests/bench.sh >&2; exit 2; }
parts=() out=docs rounds=()
connectors=(calls growth connected outages hangs)
while [ $# -gt 0 ]; do
  case $1 in
    apply|start|idle|images|calls|growth|connected|outages|hangs|rotation|away|fleet|large-fleet|stopped) parts+=("$1") ;;
    connectors) parts+=("${connectors[@]}") ;;
    --calls) [[ ${2:-} =~ ^[1-9][0-9]{2,8}$ ]] || usage; rounds+=(--calls "$2"); shift ;;
    --rows) [[ ${2:-} =~ ^[1-9][0-9]{2,6}$ ]] || usage; rounds+=(--rows "$2"); shift ;;
    --engines) [[ ${2:-} =~ ^[1-9][0-9]{0,5}(,[1-9][0-9]{0,5})*$ ]] || usage; rounds+=(--engines "$2"); shift ;;
    --rounds) [[ ${2:-} =~ ^[1-9][0-9]{0,2}$ ]] || usage; rounds+=(--rounds "$2"); shift ;;
    --out) [ -n "${2:-}" ] || usage; out=$2; shift ;;
    *) usage ;;
  esac
  shift
done
[ "${#parts[@]}" -gt 0 ] || parts=(images idle start "${connectors[@]}" rotation fleet large-fleet stopped apply away)

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
case " ${parts[*]} " in
  *" images "*|*" apply "*|*" away "*) build/images.sh "$DIST" ;;
  *) step "binaries (static, release; about 6 minutes the first time on 2 cores)"; build/static.sh "$DIST/bin" ;;
esac
step "the servers that the engine is compared with, with its flags, and the client (about 4 minutes the first time on 2 cores)"
host=$(rustc -vV | sed -n 's/^host: //p')
# All packages, so that shared dependencies have the features that they have in the engine's image.
flags=$(build/flags.sh)
RUSTFLAGS=$flags \
  cargo build --locked --quiet --release --target "$host" -p userengine-operator -p userengine-engine -p userengine-brain \
  --example bare --example echo --example rotate --example plain
cargo build --locked --quiet -p userengine-e2e --example bench

cache=${XDG_CACHE_HOME:-$HOME/.cache}/userengine
crate_proxy=$cache/tools/bin/mcp-proxy crate_version=0.6.0
case " ${parts[*]} " in *" calls "*|*" outages "*|*" rotation "*) tests/peers.sh python ;; esac
for part in "${parts[@]}"; do
  case $part in calls|outages) ;; *) continue ;; esac
  # The program does not tell its version; cargo keeps a list.
  grep -q "^\"mcp-proxy $crate_version " "$cache/tools/.crates.toml" 2>/dev/null && break
  step "building the proxy of the crate mcp-proxy $crate_version (10 to 20 minutes on 2 cores, once)"
  cargo install --quiet --locked --root "$cache/tools" --version "$crate_version" mcp-proxy
  break
done

commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain -- . ':!docs' 2>/dev/null)" ] || commit+=" with changes"

measure() { # part...
  "$folder/debug/examples/bench" "$@" "${rounds[@]}" --dist "$DIST" --examples "$folder/$host/release/examples" \
    --crate-proxy "$crate_proxy" --python "$cache/peers/python/bin/python" \
    --scratch "$scratch" --out "$out" --commit "$commit" --date "$(date -u +%F)"
}

# The cluster comes last: it would disturb the other parts.
failed=0 on_cluster=()
for part in "${parts[@]}"; do
  case $part in
    apply|away) on_cluster+=("$part") ;;
    idle) step "idle (about 1 minute)"; measure idle || failed=1 ;;
    start) step "start (1 to 3 minutes)"; measure start || failed=1 ;;
    images) step "images"; measure images || failed=1 ;;
    calls) step "calls (about 4 minutes)"; measure calls || failed=1 ;;
    growth) step "growth (about 4 minutes)"; measure growth || failed=1 ;;
    connected) step "idle with connections (about 1 minute)"; measure connected || failed=1 ;;
    outages) step "outages (about 7 minutes)"; measure outages || failed=1 ;;
    fleet) step "many engines (about 20 minutes)"; measure fleet || failed=1 ;;
    large-fleet) step "very many engines (about an hour)"; measure large-fleet || failed=1 ;;
    stopped) step "many stopped engines (about 20 minutes)"; measure stopped || failed=1 ;;
    rotation) step "change of the key (about 4 minutes)"; measure rotation || failed=1 ;;
    hangs) step "hanging servers (about 4 minutes)"; measure hangs || failed=1 ;;
  esac
done
if [ "${#on_cluster[@]}" -gt 0 ]; then
  . tests/setup.sh bench
  for part in "${on_cluster[@]}"; do
    step "$part (about 6 minutes)"
    measure "$part" || failed=1
  done
fi
step "written: $out/benchmarks.md and $out/benchmarks.json"
exit "$failed"

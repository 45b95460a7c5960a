#!/usr/bin/env bash
# Sends a real engine what its openapi.json allows and what it forbids, and holds every answer against it.
#
#   tests/schemathesis.sh [EXAMPLES]     for each operation; default 100
#
# The seed is fixed: the same engine gets the same requests. tests/peers/schemathesis/schemathesis.toml says what is left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
step() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

examples=${1:-100}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/userengine/peers
tests/peers.sh schemathesis
step "building the engine"
cargo build --locked --quiet -p userengine-engine
engine=${CARGO_TARGET_DIR:-target}/debug/engine

folder=$(mktemp -d)
pid=
finish() {
  [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

# Servers that refuse every connection: no request leaves this machine, and the breaker opens as it does in life.
mkdir "$folder/catalog"
cat >"$folder/catalog/servers.json" <<'JSON'
[
  {"name": "closed", "transport": "streamable_http", "url": "https://127.0.0.1:1/mcp", "auth_method": "static"},
  {"name": "open", "transport": "sse", "url": "https://127.0.0.1:1/sse", "auth_method": "none"},
  {"name": "consent", "transport": "streamable_http", "url": "https://127.0.0.1:1/mcp", "auth_method": "oauth"},
  {"name": "secretless", "transport": "streamable_http", "url": "https://127.0.0.1:1/mcp", "auth_method": "oauth",
   "oauth": {"client_id": "c", "client_secret_file": "missing/key"}}
]
JSON
AD_ENCRYPTION_KEY=$("$engine" keygen) ENGINE_API_KEY=schemathesis SQLITE_DB_PATH=$folder/brain.sqlite LISTEN_ADDR=127.0.0.1:0 \
  INTERNAL_ADDR=127.0.0.1:0 CATALOG_DIR=$folder/catalog EGRESS_ALLOW=127.0.0.1:1 "$engine" serve >"$folder/log" 2>&1 &
pid=$!

address=
for ((tries = 0; tries < 600; tries++)); do
  address=$(sed -n 's/.*"message":"serving","api":"\([^"]*\)".*/\1/p' "$folder/log")
  [ -z "$address" ] || break
  kill -0 "$pid" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done

step "$examples examples for each operation of http://$address (about 3 minutes)"
"$cache/schemathesis/bin/schemathesis" --config-file tests/peers/schemathesis/schemathesis.toml run engine/openapi.json \
  --url "http://$address" --header "X-Engine-Key: schemathesis" --max-examples "$examples" --seed 20261121 --workers 2 --no-color ||
  { grep -E '"level":"(ERROR|WARN)"' "$folder/log" | tail -20 >&2; exit 1; }

# An engine that panicked in a task answers on; its log tells.
if grep -n -i panic "$folder/log"; then
  echo "the engine panicked" >&2
  exit 1
fi

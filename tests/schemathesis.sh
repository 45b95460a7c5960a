#!/usr/bin/env bash
# Sends a real engine what its openapi.json allows and what it forbids, and holds every answer against it.
#
#   tests/schemathesis.sh [EXAMPLES [SEED]]     for each operation; default 100 examples
#
# The default seed is fixed: the same engine gets the same requests. tests/peers/schemathesis/schemathesis.toml says what is left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
step() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

examples=${1:-100} seed=${2:-20261121}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/userengine/peers
tests/peers.sh schemathesis
step "building the engine and a server for it"
cargo build --locked --quiet -p userengine-engine --bin engine --example echo
built=${CARGO_TARGET_DIR:-target}/debug

folder=$(mktemp -d)
children=()
finish() {
  for child in "${children[@]}"; do
    { kill "$child" && wait "$child"; } 2>/dev/null || true
  done
  rm -rf "$folder"
}
trap finish EXIT

# Waits until the last child has written a line that sed makes something of.
told() { # file sed-script
  local text tries
  for ((tries = 0; tries < 600; tries++)); do
    text=$(sed -n "$2" "$1")
    [ -z "$text" ] || { echo "$text"; return; }
    kill -0 "${children[-1]}" || break
    sleep 0.1
  done
  cat "$1" >&2
  return 1
}

: >"$folder/echo.log"
"$built/examples/echo" 127.0.0.1:0 >"$folder/echo.log" &
children+=($!)
echo=$(told "$folder/echo.log" '1p')

# One server that answers, and others that refuse every connection: no request leaves this machine.
mkdir "$folder/catalog"
cat >"$folder/catalog/servers.json" <<JSON
[
  {"name": "echo", "transport": "streamable_http", "url": "http://$echo/mcp", "auth_method": "none", "trust_annotations": true},
  {"name": "key", "transport": "streamable_http", "url": "http://$echo/mcp", "auth_method": "static"},
  {"name": "closed", "transport": "sse", "url": "https://127.0.0.1:1/sse", "auth_method": "none"},
  {"name": "consent", "transport": "streamable_http", "url": "https://127.0.0.1:1/mcp", "auth_method": "oauth"},
  {"name": "secretless", "transport": "streamable_http", "url": "https://127.0.0.1:1/mcp", "auth_method": "oauth",
   "oauth": {"client_id": "c", "client_secret_file": "missing/key", "issuer": "https://127.0.0.1:1"}}
]
JSON
: >"$folder/engine.log"
key=$("$built/engine" keygen)
AD_ENCRYPTION_KEY=$key ENGINE_API_KEY=schemathesis SQLITE_DB_PATH=$folder/brain.sqlite LISTEN_ADDR=127.0.0.1:0 INTERNAL_ADDR=127.0.0.1:0 \
  CATALOG_DIR=$folder/catalog EGRESS_ALLOW=http://$echo,127.0.0.1:1 "$built/engine" serve >"$folder/engine.log" 2>&1 &
children+=($!)
address=$(told "$folder/engine.log" 's/.*"message":"serving","api":"\([^"]*\)".*/\1/p')

# What answers give is used in requests, and there has to be something that they can give.
for alias in echo kept; do
  curl -fsS -o "$folder/$alias" "http://$address/assets/connect" -H 'X-Engine-Key: schemathesis' -H 'Content-Type: application/json' \
    -d "{\"server_name\": \"echo\", \"alias\": \"$alias\"}"
done
kept=$(sed -n 's/.*"ref_id":"\([^"]*\)".*/\1/p' "$folder/kept")

step "$examples examples for each operation of http://$address (about a second for 5)"
KEPT=$kept "$cache/schemathesis/bin/schemathesis" --config-file tests/peers/schemathesis/schemathesis.toml run engine/openapi.json \
  --url "http://$address" --header "X-Engine-Key: schemathesis" --max-examples "$examples" --seed "$seed" --no-color ||
  { grep -E '"level":"(ERROR|WARN)"' "$folder/engine.log" | tail -20 >&2; exit 1; }

# Faults that an answer does not show: a panic in a task, an answer that is our own fault.
if grep -n -i -e panic -e 'failed to answer' "$folder/engine.log"; then
  echo "the engine's log tells of faults" >&2
  exit 1
fi

# Sourced by demo.sh: alice connects her engine to an MCP server behind OAuth, calls its tools, and disconnects.

NOTES=notes.tools.svc.cluster.local
folder=$(mktemp -d)

# A certificate authority of the tools' own, and a certificate of it for the server.
certify() {
  local new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30)
  "${new[@]}" -subj /CN=tools -keyout "$folder/ca.key" -out "$folder/ca.crt" 2>/dev/null
  "${new[@]}" -subj /CN=notes -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -addext "subjectAltName=DNS:$NOTES" \
    -addext basicConstraints=critical,CA:FALSE -keyout "$folder/tls.key" -out "$folder/tls.crt" 2>/dev/null
}

# One of an earlier run goes on: it alone knows the clients that registered with it.
start_notes() {
  if kubectl -n tools rollout status deployment/notes --timeout=1s >/dev/null 2>&1; then
    kubectl -n "$SYSTEM" get configmap tools-ca -o jsonpath='{.data.ca\.crt}' >"$folder/ca.crt" && return
  fi
  certify
  kubectl create namespace tools --dry-run=client -o yaml | kubectl apply -f - >/dev/null
  kubectl -n tools create secret tls notes-tls --cert="$folder/tls.crt" --key="$folder/tls.key" --dry-run=client -o yaml |
    kubectl apply -f - >/dev/null
  kubectl apply -f examples/notes/server.yaml >/dev/null
  kubectl -n tools rollout status deployment/notes --timeout=120s >/dev/null
}

# Opens the class's walls to the server. Its authority is new to the engines, so they restart.
open_walls() {
  hand_out tools-ca --from-file="$folder/ca.crt"
  show kubectl patch engineclass standard --type=merge --patch-file examples/notes/class.yaml
  local n hash
  hash=$(sha256sum <"$folder/ca.crt" | cut -c1-16)
  for n in $(seq 300); do
    [ "$(kubectl -n acme get pod alice-0 --ignore-not-found -o jsonpath='{.metadata.annotations.userengine\.dev/ca}')" != "$hash" ] || break
    pause
  done
  kubectl -n acme wait --for=condition=Ready pod/alice-0 --timeout=90s >/dev/null
}

# A way to alice's API from this machine, so that the calls below are the backend's own.
forward() {
  kubectl -n acme port-forward service/alice :80 >"$folder/forward" 2>&1 &
  FORWARD=$!
  local n
  for n in $(seq 100); do
    ENGINE_URL=$(sed -n 's#^Forwarding from \(127[^ ]*\) .*#http://\1#p' "$folder/forward")
    [ -z "$ENGINE_URL" ] || return 0
    pause
  done
  cat "$folder/forward" >&2
  return 1
}

# One call, shown as it is made. The answer is in $ANSWER as well.
call() { # path, words that stand before and behind in what is shown, curl's arguments...
  local path=$1
  printf '\033[2m$ curl -sS %s"$ENGINE_URL%s" -H "X-Engine-Key: $KEY"%s\033[0m\n' "$2" "$path" "$3"
  shift 3
  ANSWER=$(curl -sS --max-time 60 "$ENGINE_URL$path" -H "X-Engine-Key: $ALICE_KEY" "$@")
  printf '%s\n' "${ANSWER:-(done)}" | cut -c1-400 | sed 's/^/    /'
}
get() { call "$1" "" ""; }
delete() { call "$1" "-X DELETE " "" -X DELETE; }
post() { # path body
  local json='Content-Type: application/json'
  call "$1" "-X POST " " -H \"$json\" -d '$2'" -X POST -H "$json" -d "$2"
}
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$ANSWER"; }
says() { grep -q -- "$1" <<<"$ANSWER"; }

# What a person's browser does: it follows redirects. What the platform's ingress would publish, it finds at the Services.
open_in_browser() { # url
  local url=$1 host path target answer status location
  while :; do
    printf '    the browser opens %s\n' "$(cut -c1-110 <<<"$url")"
    host=${url#https://} path=/${host#*/} host=${host%%/*}
    case $host in
      "${RELAY#https://}") target=http://userengine-relay.$SYSTEM.svc.cluster.local$path ;;
      alice.acme.*) target=$ALICE$path ;;
      *) target=$url ;;
    esac
    answer=$(backend http --timeout 20s --ca "$(cat "$folder/ca.crt")" -H "Host: $host" --want Location "$target")
    status=$(sed -n 1p <<<"$answer") location=$(sed -n 2p <<<"$answer")
    case $status in
      3*) url=$location ;;
      *) break ;;
    esac
  done
  PAGE=$status
  printf '    and shows: %s, "%s"\n' "$status" "$(sed -n 's#.*<h1[^>]*>\([^<]*\)</h1>.*#\1#p' <<<"$answer" | head -1)"
}

step "a catalog of servers, changed while the engine runs"
start_notes
open_walls
forward
get /assets/servers
check "the server of the tools' team is not in it" not says '"server_name":"notes"'
BEFORE=$(kubectl -n acme get pod alice-0 -o jsonpath='{.metadata.uid}{.status.containerStatuses[0].restartCount}')
echo '    the platform adds examples/notes/notes.json to its ConfigMap'
hand_out servers --from-file=examples/catalog/ --from-file=examples/notes/notes.json
since=$(date +%s%N)
for n in $(seq 100); do
  ANSWER=$(curl -sS "$ENGINE_URL/assets/servers" -H "X-Engine-Key: $ALICE_KEY")
  ! says '"server_name":"notes"' || break
  pause
done
took=$((($(date +%s%N) - since) / 1000000))
check "the running engine offers it after $took ms" test "$took" -lt 5000
check "and was not restarted" test "$(kubectl -n acme get pod alice-0 -o jsonpath='{.metadata.uid}{.status.containerStatuses[0].restartCount}')" = "$BEFORE"

step "alice connects to it: OAuth, through the relay that all engines share"
post /assets/connect '{"server_name": "notes"}'
REF=$(field ref_id)
check "it waits for alice ($REF)" says '"status":"pending_oauth"'
open_in_browser "$(field auth_url)"
check "the callback thanks her" test "$PAGE" = 200
get /assets/connections
check "the connection is made" says '"status":"connected"'
# A server that is asked for the first time may take longer to list its tools than the engine waits for it.
for n in $(seq 20); do
  ! curl -sS --max-time 60 "$ENGINE_URL/tools" -H "X-Engine-Key: $ALICE_KEY" | grep -q notes || break
  pause
done
get /tools
check "its tools are on offer, with schema" says '"name":"notes.add_note"'
post /tools/call '{"name": "notes.read_notes", "arguments": {}}'
check "she can read her notes" says 'buy milk'
post /tools/call '{"name": "notes.add_note", "arguments": {"text": "call bob"}}'
check "to write she has to allow more, and is told where" says '"missing_scopes":\["notes:write"\]'
open_in_browser "$(field auth_url)"
post /tools/call '{"name": "notes.add_note", "arguments": {"text": "call bob"}}'
post /tools/call '{"name": "notes.read_notes", "arguments": {}}'
check "now both tools work" says 'call bob'
post /tools/call '{"name": "notes.add_note", "arguments": {"text": 7}}'
check "wrong arguments are named before anything is sent" says INVALID_ARGUMENTS

kill "$FORWARD" 2>/dev/null || true
. tests/demo-rotate.sh

step "alice disconnects"
delete "/assets/connections/$REF"
post /tools/call '{"name": "notes.read_notes", "arguments": {}}'
check "once disconnected, nothing can be called" says '"reason":"not_connected"'
kill "$FORWARD" 2>/dev/null || true
rm -rf "$folder"

#!/usr/bin/env bash
# Shows the main job on a real cluster, step by step, and fails if any of it does not hold.
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh" demo
trap 'status=$?; [ $status = 0 ] || explain' EXIT

PROBE=localhost/userengine-probe:1
# What the restricted Pod Security Standard asks of a container.
RESTRICTED='{"allowPrivilegeEscalation":false,"runAsNonRoot":true,"runAsUser":65532,"capabilities":{"drop":["ALL"]},"seccompProfile":{"type":"RuntimeDefault"}}'
failures=0
output=$(mktemp)

check() { # sentence, command...
  local sentence=$1
  shift
  if "$@" >"$output" 2>&1; then
    printf '    \033[32m✓\033[0m %s\n' "$sentence"
  else
    printf '    \033[31m✗ %s\033[0m\n' "$sentence"
    sed 's/^/        /' "$output" | tail -5
    failures=$((failures + 1))
  fi
}
not() { ! "$@"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }
pause() { sleep 0.3; }

# Waits for a phase and says, while it waits, what it waits for.
wait_for() { # phase namespace/name...
  local phase=$1 end=$((SECONDS + 180)) line last="" engine seen missing
  shift
  while :; do
    line="" missing=0
    for engine in "$@"; do
      seen=$(kubectl -n "${engine%/*}" get userengine "${engine#*/}" -o jsonpath='{.status.phase}' 2>/dev/null || true)
      line+="${engine#*/}=${seen:-new} "
      [ "$seen" = "$phase" ] || missing=1
    done
    if [ "$line" != "$last" ]; then
      printf '    [%3ds] %s\n' "$SECONDS" "$line"
      last=$line
    fi
    [ "$missing" = 1 ] || return 0
    if [ "$SECONDS" -gt "$end" ]; then
      echo "    not $phase within 180 s:" >&2
      kubectl get userengines -A -o wide >&2
      return 1
    fi
    pause
  done
}

# The platform's backend: a pod that the class lets talk to engines.
start_backend() {
  kubectl -n platform get pod backend >/dev/null 2>&1 || kubectl -n platform apply -f - >/dev/null <<POD
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"backend"},"spec":{"automountServiceAccountToken":false,
 "terminationGracePeriodSeconds":1,"containers":[{"name":"probe","image":"$PROBE","args":["sleep"],"securityContext":$RESTRICTED}]}}
POD
  kubectl -n platform wait --for=condition=Ready pod/backend --timeout=60s >/dev/null
}
backend() { kubectl -n platform exec backend -c probe -- /probe "$@"; }
key_of() { kubectl -n "$1" get secret "$2-api-key" -o jsonpath='{.data.key}' | base64 -d; }
answers() { # key url status
  local status
  status=$(backend http -H "X-Engine-Key: $1" "$2" | sed -n 1p)
  echo "answered $status"
  [ "$status" = "$3" ]
}

# A probe inside the network of a running pod: what it cannot open, the engine cannot open.
enter() { # namespace pod
  local containers='{.status.ephemeralContainerStatuses[*].state.running.startedAt}' n
  kubectl -n "$1" patch pod "$2" --subresource=ephemeralcontainers --type=strategic -p \
    "{\"spec\":{\"ephemeralContainers\":[{\"name\":\"demo-probe\",\"image\":\"$PROBE\",\"args\":[\"sleep\"],\"securityContext\":$RESTRICTED}]}}" >/dev/null
  for n in $(seq 200); do
    [ -z "$(kubectl -n "$1" get pod "$2" -o jsonpath="$containers")" ] || return 0
    pause
  done
  echo "the probe inside $2 did not start" >&2
  return 1
}
inside() { # namespace pod address
  kubectl -n "$1" exec "$2" -c demo-probe -- /probe dial tcp "$3" --timeout 2s
}

# What the engine says of its brain on the internal port.
brain() { # namespace pod field
  kubectl get --raw "/api/v1/namespaces/$1/pods/$2:9090/proxy/keys" | sed -n "s/.*\"$3\":\"\{0,1\}\([^\",}]*\).*/\1/p"
}

# A ConfigMap in the operator's namespace, made from files and replaced if it is there.
hand_out() { # name, --from-file=...
  kubectl -n "$SYSTEM" create configmap "$@" --dry-run=client -o yaml | kubectl apply --server-side --force-conflicts -f - >/dev/null
}

step "one class, two workspaces, three users"
hand_out servers --from-file=examples/catalog/
show kubectl apply -f examples/workspaces.yaml -f examples/class.yaml -f examples/engines.yaml
wait_for Ready acme/alice acme/bob globex/carol
show kubectl get userengines -A
start_backend

step "each engine answers to its own key, and to no other"
ALICE=http://alice.acme.svc.cluster.local BOB=http://bob.acme.svc.cluster.local CAROL=http://carol.globex.svc.cluster.local
ALICE_KEY=$(key_of acme alice) BOB_KEY=$(key_of acme bob) CAROL_KEY=$(key_of globex carol)
backend http "$ALICE/health" | sed 's/^/    /'
check "alice's engine answers to alice's key" answers "$ALICE_KEY" "$ALICE/openapi.json" 200
check "bob's engine answers to bob's key" answers "$BOB_KEY" "$BOB/openapi.json" 200
check "carol's engine answers to carol's key" answers "$CAROL_KEY" "$CAROL/openapi.json" 200
check "bob's engine answers 401 to alice's key" answers "$ALICE_KEY" "$BOB/openapi.json" 401
check "alice's engine answers 401 to carol's key" answers "$CAROL_KEY" "$ALICE/openapi.json" 401

step "walls around alice's pod"
enter acme alice-0
BOB_IP=$(kubectl -n acme get pod bob-0 -o jsonpath='{.status.podIP}')
API=$(kubectl get endpointslices -n default -l kubernetes.io/service-name=kubernetes -o jsonpath='{.items[0].endpoints[0].addresses[0]}:{.items[0].ports[0].port}')
API_SERVICE=$(kubectl get service kubernetes -o jsonpath='{.spec.clusterIP}')
check "it reaches itself (so the probe works)" inside acme alice-0 127.0.0.1:8080
check "it cannot open a connection to bob's pod" not inside acme alice-0 "$BOB_IP:8080"
check "nor to the internal port of bob's pod" not inside acme alice-0 "$BOB_IP:9090"
check "nor to the API server ($API)" not inside acme alice-0 "$API"
check "nor to the API server's Service" not inside acme alice-0 "$API_SERVICE:443"
check "it holds no token for the API server" bash -c '! kubectl -n acme get pod alice-0 -o yaml | grep -q serviceAccountToken'
check "the backend reaches bob's API" backend dial tcp "$BOB_IP:8080" --timeout 2s
check "but not bob's internal port" not backend dial tcp "$BOB_IP:9090" --timeout 2s

step "the brain survives suspend, resume and a killed pod"
ID=$(brain acme alice-0 database_id)
OPENED=$(brain acme alice-0 open_count)
show kubectl -n acme patch userengine alice --type=merge -p '{"spec":{"suspended":true}}'
wait_for Suspended acme/alice
check "a suspended engine has no pod" not kubectl -n acme get pod alice-0
check "and keeps its volume" kubectl -n acme get pvc alice-brain
show kubectl -n acme patch userengine alice --type=merge -p '{"spec":{"suspended":false}}'
wait_for Ready acme/alice
OLD=$(kubectl -n acme get pod alice-0 -o jsonpath='{.metadata.uid}')
show kubectl -n acme delete pod alice-0 --grace-period=0 --force
for n in $(seq 200); do
  NEW=$(kubectl -n acme get pod alice-0 --ignore-not-found -o jsonpath='{.metadata.uid}')
  [ -z "$NEW" ] || [ "$NEW" = "$OLD" ] || break
  pause
done
kubectl -n acme wait --for=condition=Ready pod/alice-0 --timeout=90s >/dev/null
check "it is the same brain ($ID)" test "$(brain acme alice-0 database_id)" = "$ID"
check "opened again, not made again ($OPENED times before, $(brain acme alice-0 open_count) now)" test "$(brain acme alice-0 open_count)" -gt "$OPENED"
check "alice's key still opens her engine" answers "$ALICE_KEY" "$ALICE/openapi.json" 200

. tests/demo-connect.sh

step "how it reads"
wait_for Ready acme/alice acme/bob globex/carol
show kubectl get ue -A -o wide
show kubectl -n acme describe ue alice

if [ "$failures" != 0 ]; then
  step "$failures of the claims above did not hold"
  exit 1
fi
step "everything held. To look around:"
cat <<HINTS
    export KUBECONFIG=$KUBECONFIG PATH=$(dirname "$(command -v kubectl)"):\$PATH
    kubectl get ue -A --watch
    kubectl -n acme port-forward service/alice 8080:80      then: curl http://127.0.0.1:8080/health
    kubectl -n userengine-system logs deploy/userengine -f
  To stop: make down
HINTS

# Sourced by the demo, the tests and the benchmarks: a cluster with the operator installed.
#
#   . tests/setup.sh NAME     sets KUBECONFIG and PATH (kubectl, helm); OWN_CLUSTER is 1 if we made the cluster
#
# With KUBECONFIG set that cluster is used as it is: it must be able to run the images localhost/userengine-operator:0.1.0,
# localhost/userengine-engine:0.1.0, localhost/userengine-probe:1 and localhost/userengine-oauth-server:1 (`make images`, tests/cluster and
# tests/peers/image.sh make them).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CLUSTER=${1:?usage: . tests/setup.sh CLUSTER}
DIST=${USERENGINE_DIST:-${XDG_CACHE_HOME:-$HOME/.cache}/userengine/images}
SYSTEM=userengine-system
# Some tests run the operator's program beside the cluster.
export USERENGINE_OPERATOR=${USERENGINE_OPERATOR:-$DIST/bin/operator}
# Where the relay and the engines are published, as the tests and examples/class.yaml have it. Nobody resolves these names: the
# tests and the demo play the ingress.
RELAY=https://connect.engines.example.com
ENGINES='https://{name}.{namespace}.engines.example.com'

step() { printf '\033[1m==> [%3ds] %s\033[0m\n' "$SECONDS" "$*" >&2; }

explain() {
  step "failed. To look around: export KUBECONFIG=$KUBECONFIG; kubectl get ue,pods -A"
  if [ "$OWN_CLUSTER" = 1 ]; then
    local folder
    folder=$(mktemp -d "${TMPDIR:-/tmp}/userengine-$CLUSTER.XXXXXX")
    tests/cluster/run collect --name "$CLUSTER" "$folder" >/dev/null 2>&1 || true
    step "logs and state of the cluster are in $folder"
  fi
}

own_cluster() {
  step "cluster '$CLUSTER' (the first time builds Kubernetes from source: about 5 minutes on 2 cores; later 20 seconds)"
  tests/cluster/run up --name "$CLUSTER"
  KUBECONFIG=$(tests/cluster/run kubeconfig --name "$CLUSTER")
  PATH=$(tests/cluster/run bin --name "$CLUSTER"):$PATH
  USERENGINE_CLUSTER=$CLUSTER
  export KUBECONFIG PATH USERENGINE_CLUSTER
  export USERENGINE_ENGINE_TAR=$DIST/engine.tar
  build/images.sh "$DIST"
  tests/peers/image.sh "$DIST/oauth-server.tar"
  step "loading the images into the cluster"
  tests/cluster/run load --name "$CLUSTER" "$DIST/operator.tar" "$DIST/engine.tar" "$DIST/oauth-server.tar" >/dev/null
}

install_operator() {
  step "installing the operator with helm"
  kubectl create namespace "$SYSTEM" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
  kubectl label namespace "$SYSTEM" --overwrite pod-security.kubernetes.io/enforce=restricted >/dev/null
  # The annotations restart operator and relay when their images were built anew under the same tag.
  local build
  build=$(cat "$DIST/stamp" 2>/dev/null || echo none)
  helm upgrade --install userengine charts/userengine --namespace "$SYSTEM" --wait --timeout 120s \
    --set-string "podAnnotations.build=$build" --set-string "relay.podAnnotations.build=$build" \
    --set relay.enabled=true --set "relay.oauthRedirectBaseURL=$RELAY" --set "relay.engineURLTemplate=$ENGINES" \
    --set-json 'relay.ingressFrom=[{"namespaceSelector":{"matchLabels":{"userengine.dev/platform":"true"}}}]' >/dev/null
}

if [ -n "${KUBECONFIG:-}" ] && [ "${USERENGINE_OWN_CLUSTER:-}" != 1 ]; then
  OWN_CLUSTER=0
  step "using the cluster of KUBECONFIG=$KUBECONFIG, which must have the images localhost/userengine-{operator,engine}:0.1.0, -probe:1 and -oauth-server:1"
  step "not checked there: that everything starts on a fresh machine, and the test cluster itself"
  for tool in kubectl helm; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: install it, or unset KUBECONFIG to use a cluster of our own" >&2; exit 1; }
  done
else
  OWN_CLUSTER=1
  export USERENGINE_OWN_CLUSTER=1
  own_cluster
fi
install_operator

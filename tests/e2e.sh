#!/usr/bin/env bash
# Runs the behaviours on a real cluster. Arguments go to the test binary: tests/e2e.sh suspends
. "$(dirname "${BASH_SOURCE[0]}")/setup.sh" test
trap 'status=$?; [ $status = 0 ] || explain' EXIT

if [ "$OWN_CLUSTER" = 0 ]; then
  step "not checked on a cluster that is not ours: the test cluster itself (tests/cluster), the operator's absence and uninstall"
else
  step "the test cluster itself: network policies packet by packet, start, repair and removal"
  # Names of its own: the cluster of these tests stays as it is.
  (cd tests/cluster && CGO_ENABLED=0 GOFLAGS=-trimpath go test -tags cluster -vet=off -count=1 -p 1 ./netpol ./lifecycle)
fi
if [ $# -gt 0 ]; then
  exec cargo test --locked -p userengine-e2e --test e2e -- "$@"
fi
step "the alerts of the chart"
tests/alerts/run
step "behaviours, five at a time"
cargo test --locked -p userengine-e2e --test e2e -- --test-threads=5 --skip alone_
[ "$OWN_CLUSTER" = 1 ] || exit 0

# They disturb whoever is on their cluster, and mostly wait for it: one at a time on each of three clusters. The demo is one of them.
alone() { # test
  local log run=(cargo test --quiet --locked -p userengine-e2e --test e2e -- --exact "$1")
  [ "$1" != tests/demo.sh ] || run=(env -u USERENGINE_OWN_CLUSTER "$1")
  if [ "$LANE" != 0 ]; then
    export USERENGINE_CLUSTER=test-$((LANE + 1))
    KUBECONFIG=$(tests/cluster/run kubeconfig --name "$USERENGINE_CLUSTER")
  fi
  log=$(mktemp)
  if "${run[@]}" >"$log" 2>&1; then
    echo "test $1 ... ok, $SECONDS s"
  else
    cat "$log"
    return 1
  fi
  rm "$log"
}
export -f alone
step "what disturbs everybody else, one at a time on each of three clusters"
for name in test-2 test-3; do
  (. tests/setup.sh "$name")
done
alone=$(cargo test --quiet --locked -p userengine-e2e --test e2e -- --list --format terse alone_ | sed -n 's/: test$//p')
# The one that takes the longest first.
printf '%s\n' tests/demo.sh $alone |
  xargs -P 3 --process-slot-var=LANE -I{} bash -c 'alone {}'
if [ "${USERENGINE_KEEP:-}" = "" ]; then
  step "removing the clusters"
  for name in test test-2 test-3; do
    tests/cluster/run down --name "$name"
  done
fi

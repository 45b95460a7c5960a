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
step "behaviours, four at a time"
cargo test --locked -p userengine-e2e --test e2e -- --test-threads=4 --skip alone_
[ "$OWN_CLUSTER" = 1 ] || exit 0

# They disturb whoever is on their cluster, and mostly wait for it: one at a time on each of two clusters. The demo is one of them.
export SECOND=test-2
alone() { # test
  local log
  if [ "$LANE" = 1 ]; then
    export USERENGINE_CLUSTER=$SECOND
    KUBECONFIG=$(tests/cluster/run kubeconfig --name "$SECOND")
  fi
  log=$(mktemp)
  local run=(cargo test --quiet --locked -p userengine-e2e --test e2e -- --exact "$1")
  [ "$1" != tests/demo.sh ] || run=(env -u USERENGINE_OWN_CLUSTER "$1")
  if "${run[@]}" >"$log" 2>&1; then
    echo "test $1 ... ok, $SECONDS s"
  else
    cat "$log"
    return 1
  fi
  rm "$log"
}
export -f alone
step "what disturbs everybody else, one at a time on each of two clusters"
(. tests/setup.sh "$SECOND")
alone=$(cargo test --quiet --locked -p userengine-e2e --test e2e -- --list --format terse alone_ | sed -n 's/: test$//p')
printf '%s\n' $alone tests/demo.sh |
  xargs -P 2 --process-slot-var=LANE -I{} bash -c 'alone {}'
if [ "${USERENGINE_KEEP:-}" = "" ]; then
  step "removing the clusters"
  tests/cluster/run down --name test
  tests/cluster/run down --name "$SECOND"
fi

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
step "behaviours, four at a time"
cargo test --locked -p userengine-e2e --test e2e -- --test-threads=4 --skip alone_
if [ "$OWN_CLUSTER" = 1 ]; then
  step "what disturbs everybody else, one at a time"
  cargo test --locked -p userengine-e2e --test e2e -- --test-threads=1 alone_
fi
if [ "$OWN_CLUSTER" = 1 ] && [ "${USERENGINE_KEEP:-}" = "" ]; then
  step "removing the cluster"
  tests/cluster/run down --name test
fi

#!/usr/bin/env bash
# Tests that need no cluster.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

step "programs of others that the tests talk to (about 2 minutes, once, while the compiler is busy)"
tests/peers.sh & peers=$!
trap 'kill "$peers" 2>/dev/null || true' EXIT

step "kinds, operator, engine and documents (about 8 minutes the first time on 2 cores)"
cargo test --locked --quiet -p userengine-api --all-features
cargo test --locked --quiet -p userengine-rotation
cargo test --locked --quiet -p userengine-operator
cargo test --locked --quiet -p userengine-brain --all-features
wait "$peers"
trap - EXIT
# They wait more than they work.
cargo test --locked --quiet -p userengine-engine -- --test-threads=4
cargo test --locked --quiet -p userengine-e2e --lib --test documents --example bench

step "the API against its description (half a minute; tests/schemathesis.sh says more)"
tests/schemathesis.sh 30

step "the test cluster's own parts"
(cd tests/cluster && CGO_ENABLED=0 GOFLAGS=-trimpath go test -vet=off ./archive ./layout ./netpol)

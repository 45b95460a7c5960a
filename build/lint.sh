#!/usr/bin/env bash
# Formatting, lints, licences and advisories.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
tools=${XDG_CACHE_HOME:-$HOME/.cache}/userengine/tools
deny=0.20.2

step "formatting"
cargo fmt --all --check
unformatted=$(gofmt -l tests/cluster)
[ -z "$unformatted" ] || { echo "run gofmt -w on: $unformatted" >&2; exit 1; }

step "clippy (about 3 minutes the first time on 2 cores)"
cargo clippy --locked --workspace --all-targets --all-features --quiet -- -D warnings

if ! "$tools/bin/cargo-deny" --version 2>/dev/null | grep -q "$deny"; then
  step "building cargo-deny $deny (about 4 minutes, once)"
  cargo install --quiet --locked --debug --root "$tools" --version "$deny" cargo-deny
fi
step "licences, sources and duplicate versions"
# Also what other platforms would need: it looks at all of them.
cargo fetch --locked --quiet
"$tools/bin/cargo-deny" --offline check bans licenses sources
# The advisory database is a Git repository elsewhere: where it cannot be fetched, say so and go on.
if ! "$tools/bin/cargo-deny" check advisories; then
  found=$("$tools/bin/cargo-deny" --offline check advisories 2>&1) || true
  if grep -q 'error\[' <<<"$found"; then
    echo "$found" >&2
    exit 1
  fi
  step "advisories were NOT checked: the advisory database cannot be reached from here"
fi

step "go vet"
# Without the two packages that link all of Kubernetes: vet would look at each of its packages first.
(
  cd tests/cluster
  export CGO_ENABLED=0 GOFLAGS=-trimpath
  mapfile -t packages < <(go list ./... | grep -v -e 'testcluster$' -e '/components$')
  go vet -tags cluster "${packages[@]}"
)

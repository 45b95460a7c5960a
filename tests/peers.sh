#!/usr/bin/env bash
# Installs the programs of others that the tests talk to: MCP servers, the conformance suites, FastMCP, schemathesis.
#
#   tests/peers.sh [PART...]     servers, conformance-0.1, conformance-0.2, python, schemathesis; without a part: all
#
# Into the cache, each part from its committed lock file; what is there already is left alone and needs no network.
# tests/peers/README.md says what each is for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/peers"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/userengine/peers
step() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
die() { printf 'peers.sh: %s\n' "$*" >&2; exit 1; }

parts=("$@")
[ "${#parts[@]}" -gt 0 ] || parts=(servers conformance-0.1 conformance-0.2 python schemathesis)
for part in "${parts[@]}"; do
  [ -f "$part/package-lock.json" ] || [ -f "$part/requirements.txt" ] || die "there is no part '$part'"
done

# What a part is made from. Its place counts too: a Python environment cannot be moved.
wanted() {
  (
    shopt -s nullglob
    sha256sum "$1"/package*.json "$1"/requirements.tx[t]
    echo "$cache/$1 $(uname -m)"
  ) | sha256sum
}
installed() { [ "$(cat "$cache/$1/stamp" 2>/dev/null)" = "$(wanted "$1")" ]; }

# Debian's packages, where root can install them; elsewhere a list of what is missing.
need() { # command package...
  local missing=()
  while [ $# -gt 0 ]; do
    eval "$1" >/dev/null 2>&1 || missing+=("$2")
    shift 2
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
    die "missing on this machine: apt-get install --no-install-recommends ${missing[*]}"
  step "installing the Debian packages ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# No script of a package runs: all that is needed is files.
install_node() {
  need 'npm --version' npm
  cp "$1/package.json" "$1/package-lock.json" "$cache/$1/"
  (cd "$cache/$1" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >npm.log 2>&1) || {
    cat "$cache/$1/npm.log" >&2
    die "npm could not install $1: is the registry of its configuration reachable?"
  }
}

install_python() {
  need 'python3 -m venv --without-pip "$(mktemp -d)" && python3 -c "import ensurepip"' python3-venv
  python3 -m venv "$cache/$1"
  "$cache/$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    -r "$1/requirements.txt" ||
    die "pip could not install $1: is the index of its configuration reachable?"
}

install() {
  step "$1 (about half a minute, once)"
  rm -rf "${cache:?}/$1"
  mkdir -p "$cache/$1"
  if [ -f "$1/package-lock.json" ]; then install_node "$1"; else install_python "$1"; fi
  # Last: a part without it is begun anew.
  wanted "$1" >"$cache/$1/stamp"
}

# The tests type the documentation's lines.
need 'command -v curl' curl
mkdir -p "$cache"
exec 9>"$cache/.lock"
for part in "${parts[@]}"; do
  installed "$part" && continue
  flock -n 9 || { step "waiting for another installation of the peers"; flock 9; }
  installed "$part" || install "$part"
done

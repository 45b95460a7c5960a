#!/usr/bin/env bash
# Runs the client scenarios of @modelcontextprotocol/conformance around the engine's own client code, on loopback: what the
# revisions 2026-07-28 and 2025-11-25 require or list besides, what is only in 2025-03-26 (all from 0.2.0-alpha.12), and all of
# the last stable suite (0.1.16).
#
#   tests/conformance.sh [WORD]     only scenarios whose suite and name contain WORD
#
# Fails if a scenario fails that tests/conformance/expected-failures.txt does not have, if one passes that it has, and if there
# are not as many scenarios as there should be. Each runs on its own: only then does the suite also look at how the client
# ended, and scenarios that look at the clock are not disturbed by thirty others.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

word=${1:-}
# Suite, required scenarios, others that it lists: extensions, and ways of 2025-03-26 that later revisions left.
suites=("2026-07-28 32 7" "2025-11-25 18 7" "2025-03-26 0 2" "0.1.16 21 5")
known=$PWD/tests/conformance/expected-failures.txt
target=${CARGO_TARGET_DIR:-$PWD/target}
output=$target/conformance
cache=${XDG_CACHE_HOME:-$HOME/.cache}/userengine/peers
node=$cache/servers/node_modules/.bin/node
step() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

tests/peers.sh servers conformance-0.1 conformance-0.2
step "building the engine's client as a command"
cargo build --locked --quiet --package userengine-engine --example conformance
rm -rf "$output" && mkdir -p "$output"

# By its name, because the suite splits a command at each space.
export PATH=$target/debug/examples:$PATH
# The suite listens on all interfaces: see tests/peers/loopback.cjs.
export NODE_OPTIONS="--require=\"$PWD/tests/peers/loopback.cjs\""
# Most of the time goes into starting Node.js: a third less with what it compiled before.
export NODE_COMPILE_CACHE=$cache/compiled
export known output cache node

conformance() { # suite argument...
  local part=conformance-0.2
  [ "$1" != 0.1.16 ] || part=conformance-0.1
  "$node" "$cache/$part/node_modules/@modelcontextprotocol/conformance/dist/index.js" "${@:2}"
}

# Prints "SUITE KIND SCENARIO" for each. Only revisions of today have a list of what they require.
list() { # suite
  local arguments=()
  case $1 in
    2026-07-28 | 2025-11-25)
      conformance "$1" list --requirements "$1" | awk -v suite="$1" '
        /^[A-Z]/ { client = /^Client scenarios/ }
        client && $1 == "-" { print suite, "required", $2 }
        $1 == "-" && $3 == "[client]" { print suite, "other", $2 }'
      return
      ;;
    2025-03-26) arguments=(--spec-version "$1") ;;
  esac
  conformance "$1" list --client "${arguments[@]}" | awk -v suite="$1" '
    $1 == "-" { print suite, ($3 ~ /extension|2025-03-26/ ? "other" : "required"), $2 }'
}

# Runs one and prints "OUTCOME SUITE KIND SCENARIO: checks".
scenario() { # suite kind scenario
  local log=$output/$1/$3.log arguments=() status=0 checks outcome
  [ "$1" = 0.1.16 ] || arguments=(--spec-version "$1" --force)
  mkdir -p "$(dirname "$log")"
  conformance "$1" client --command conformance --scenario "$3" --output-dir "$output/$1" "${arguments[@]}" \
    >"$log" 2>&1 || status=$?
  checks=$(sed -n 's/^Passed: //p' "$log")
  case $status,$checks,$(grep -cxF "$1 $3" "$known") in
    0,[1-9]*,0) outcome=passed ;;
    0,[1-9]*,1) outcome=UNEXPECTED ;;
    1,?*,1) outcome=expected ;;
    1,?*,0) outcome=FAILED ;;
    # It checked nothing, or did not come to a verdict.
    *) outcome=BROKEN ;;
  esac
  printf '%-10s %s %s %s: %s\n' "$outcome" "$1" "$2" "$3" "${checks:-no checks}" | tee -a "$output/results"
}
export -f conformance scenario

: >"$output/results"
for suite in "${suites[@]}"; do
  list "${suite%% *}"
done >"$output/scenarios"
grep -qF -- "$word" "$output/scenarios" || { echo "no scenario has '$word' in its name" >&2; exit 1; }
step "$(grep -cF -- "$word" "$output/scenarios") scenarios (about a minute on 2 cores)"
grep -F -- "$word" "$output/scenarios" | xargs -P "$(nproc)" -L 1 bash -c 'set -euo pipefail; scenario "$@"' scenario

problems=$(grep -v -e '^passed ' -e '^expected ' "$output/results" || true)
count() { grep -c "^$1" "$output/results" || true; } # beginning of a line
for suite in "${suites[@]}"; do
  read -r suite required others <<<"$suite"
  ran_required=$(count "[^ ]* *$suite required ") ran_others=$(count "[^ ]* *$suite other ")
  printf '%s: passed %s of %s required, %s of %s others\n' "$suite" \
    "$(count "passed  *$suite required ")" "$ran_required" "$(count "passed  *$suite other ")" "$ran_others"
  [ -n "$word" ] || [ "$ran_required $ran_others" = "$required $others" ] ||
    problems+=$'\n'"$suite: there should be $required required scenarios and $others others"
done
if [ -z "$word" ]; then
  never=$(grep -v -e '^#' -e '^$' "$known" | grep -vxFf <(cut -d ' ' -f 1,3 "$output/scenarios") || true)
  [ -z "$never" ] || problems+=$'\n'"expected to fail, and not among the scenarios: $never"
fi
printf 'total: %s passed, %s failed as expected, %s otherwise\n' "$(count passed)" "$(count expected)" "$(count '[A-Z]')"
[ -z "$problems" ] || {
  printf '%s\n' "$problems" >&2
  echo "conformance.sh: what each scenario said is in $output/SUITE/SCENARIO.log" >&2
  exit 1
}

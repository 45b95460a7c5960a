#!/usr/bin/env bash
# The fault campaigns: tests of `make test` whose faults come at random moments or in bulk, many times over.
#
#   tests/faults.sh [CAMPAIGN...]     without a campaign: all. --list names them; --share N makes a Nth of the runs
#
# Each campaign that is run in full gets its line in docs/faults.md; `rotation` writes its own tables into docs/rotation.md and `operator` and `churn` theirs into docs/reliability.md,
# with another seed each time unless ROTATION_SEED, OPERATOR_FAULTS_SEED or OPERATOR_CHURN_SEED is set. A run that fails keeps its output; the script goes on, says where it is, and fails at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# name | tests of the engine's test binary, of the brain's, of the cluster's, or a script that is given the number of the run | runs | what one run does
campaigns='
kills | lifecycle::random_kills:: | 200 | 5 × SIGKILL at a random moment under calls and refreshes, real servers; every connection works or is known to be expired
steps | connections::killed:: | 20 | SIGKILL at each of the 15 named steps of connect, callback, refresh, disconnect and revocation
starts | life::a_kill_at_any_moment | 50 | 12 × SIGKILL or SIGTERM between the first moment of a start and well into serving
disk | connections::failing_disk:: | 20 | no file may grow, during each write of connect, callback, refresh, disconnect and revocation
drains | connections::drained:: | 40 | 10 × SIGTERM at a random moment while 8 callers make 4 connections refresh one-time tokens, then a change of the key; every connection works, no token was lost or used twice
storms | connections::refreshing::fifty_calls | 10 | 20 × 50 calls at once whose token was refused: one refresh each; and 50 while the provider fails
upstream | faulty:: | 5 | 23 faults at each of 7 operations of a server and its provider
breaker | calls::breaking:: | 50 | a breaker opens, probes once and closes; one server opens no breaker of another
crowds | calls::crowds:: | 20 | limits of calls at once; servers that hang beside servers that answer
children | mcp::child:: | 20 | children that end, hang, flood or ignore every signal
rotation | brain campaign:: | 1 | 10,000 faults while a key is changed: SIGKILL at named steps, rows, system calls and random moments, writes and syncs and removals that fail (EIO, ENOSPC), up to three before the run that finishes; every value opens to what it was (docs/rotation.md)
operator | cluster alone_survives_a_bad_api_server:: | 1 | an operator that is killed after each of its writes in turn, or while it is under way, and one behind an API server with 13 kinds of faults, in a whole life of an engine, under each deletion policy: everything is as without (docs/reliability.md)
churn | cluster alone_survives_churn:: | 1 | 6 engines are changed, deleted and made again all the time while two operators get 200 SIGKILLs and API server and etcd die 8 times: five times both lead for a moment; everything is as without, no credential is lost (docs/reliability.md)
specs | cluster refuses_generated_objects:: | 1 | every wrong value that the schemas of both definitions suggest for every place of the largest valid objects, and pairs of them: refused, or a condition says why, also of engines that follow such a class; no engine gets stuck, the one beside them is not touched, and one that runs and is changed so, or whose class is, serves on or says why not
requests | tests/schemathesis.sh 300 | 20 | 300 requests to each operation, made from its description: allowed and forbidden ones, with another seed each time
'
trim() { sed 's/^ *//; s/ *$//'; }
column() { grep -m1 "^$1 |" <<<"$campaigns" | cut -d'|' -f"$2" | trim; }

names=() share=1
while [ $# -gt 0 ]; do
  case $1 in
    --list) grep . <<<"$campaigns"; exit ;;
    --share) [[ ${2:-} =~ ^[1-9][0-9]{0,2}$ ]] || { echo "--share takes a whole number" >&2; exit 2; }; share=$2; shift ;;
    *) [ -n "$(column "$1" 1)" ] || { echo "there is no campaign '$1': --list names them" >&2; exit 2; }; names+=("$1") ;;
  esac
  shift
done
[ "${#names[@]}" -gt 0 ] || mapfile -t names < <(grep . <<<"$campaigns" | cut -d'|' -f1 | trim)

step() { printf '\033[1m==> [%5ds] %s\033[0m\n' "$SECONDS" "$*" >&2; }
built() { # name of the test binary, and what cargo test is told
  local name=$1 found; shift
  found=$(cargo test --locked "$@" --test "$name" --no-run --message-format=json 2>/dev/null |
    sed -n "s/.*\"executable\":\"\([^\"]*\/$name-[0-9a-f]*\)\".*/\1/p" | tail -1)
  [ -x "$found" ] || { echo "the tests do not build: cargo test $* --test $name --no-run" >&2; return 1; }
  echo "$found"
}
if [ -n "$(for name in "${names[@]}"; do case $name in rotation | operator | churn | specs) ;; *) echo "$name" ;; esac; done)" ]; then
  tests/peers.sh servers python
  step "building the tests (about 8 minutes the first time on 2 cores)"
  binary=$(built main -p userengine-engine)
  cargo build --locked --quiet -p userengine-engine --example echo
fi
if [[ " ${names[*]} " == *" rotation "* ]]; then
  step "building the tests of the rotation, optimized (about 4 minutes the first time on 2 cores)"
  of_brain=$(built rotation -p userengine-brain --all-features --profile faults)
fi

rotation() { # tests
  # A file system in memory: a process that dies loses nothing that it wrote, on a disk or not.
  [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
  export ROTATION_FAULTS=$((10000 / share)) ROTATION_SEED=${ROTATION_SEED:-$SRANDOM} ROTATION_TABLE=$kept/rotation.md
  cd brain && "$of_brain" "$1" --nocapture
}
on_cluster() { # tests
  # Each fault under each of the three policies, or a share of them, and all deaths: there is one for each write.
  export OPERATOR_FAULTS=all OPERATOR_FAULTS_RUNS=$(((3 + share - 1) / share)) OPERATOR_FAULTS_SEED=${OPERATOR_FAULTS_SEED:-$SRANDOM}
  export OPERATOR_CHURN=all OPERATOR_CHURN_SEED=${OPERATOR_CHURN_SEED:-$SRANDOM} OPERATOR_CHURN_TABLE=$kept/churn.md
  INVALID_SPECS=all OPERATOR_FAULTS_TABLE=$kept/operator.md tests/e2e.sh --nocapture "$1"
}
run_once() { # tests run
  case $1 in
    tests/*) $1 "$2" ;;
    brain\ *) rotation "${1#brain }" ;;
    cluster\ *) on_cluster "${1#cluster }" ;;
    *) cd engine && DRAIN_ROUNDS=10 DRAIN_SEED=$2 "$binary" "$1" ;;
  esac
}
kept=$(mktemp -d "${TMPDIR:-/tmp}/userengine-faults.XXXXXX")
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain -- . ':!docs' 2>/dev/null)" ] || commit+=" with changes"

bad=0
for name in "${names[@]}"; do
  tests=$(column "$name" 2) runs=$(($(column "$name" 3) / share)) failed=0 passed=0 began=$SECONDS
  [ "$runs" -gt 0 ] || runs=1
  step "$name: $runs runs of $tests"
  for ((run = 1; run <= runs; run++)); do
    log=$kept/$name-$run.log
    if (run_once "$tests" "$run") >"$log" 2>&1; then
      passed=$(sed -nE 's/^(test result: ok\.| .* generated,) ([0-9]+) passed.*/\2/p' "$log")
      [ "${passed:-0}" -gt 0 ] || { echo "no test is called $tests" >&2; exit 1; }
      rm "$log"
    else
      failed=$((failed + 1))
      step "$name: run $run failed: $log"
    fi
  done
  [ "$failed" = 0 ] || bad=1
  minutes=$(((SECONDS - began + 59) / 60))
  echo "| \`$name\` | $(column "$name" 4) | $passed | $runs | $failed | $minutes min | $(date -u +%F), $commit, $(nproc) cores |" >>"$kept/rows"
done

publish() { # table document mark
  [ -s "$1" ] || return 0
  echo "$(date -u +%F), commit $commit, $(nproc) cores: $(cat "$1")" >"$kept/table.md"
  awk -v table="$kept/table.md" -v mark="<!-- $3 -->" '
    /^<!-- end -->$/ { inside = 0 }
    !inside { print }
    $0 == mark { inside = 1; while ((getline line < table) > 0) print line }' "$2" >"$kept/page.md"
  cp "$kept/page.md" "$2"
  step "written: $2"
}
tell_of_all() { # The lines of this run, and of those before it for the other campaigns.
  cat <<TEXT
# Fault campaigns

Generated by \`make faults\`, or a campaign at a time by \`tests/faults.sh\`: each line is its last full run. A campaign runs tests of \`make test\` again and again, with other
moments, ports and keys each time. \`tests/faults.sh --list\` names the tests of each.

| campaign | one run | tests a run | runs | failed | took | on |
| --- | --- | --- | --- | --- | --- | --- |
TEXT
  for name in $(grep . <<<"$campaigns" | cut -d'|' -f1); do
    cat "$kept/rows" docs/faults.md 2>/dev/null | grep -m1 -F "| \`$name\` |" || true
  done
}
cat "$kept/rows"
if [ "$share" = 1 ]; then
  publish "$kept/rotation.md" docs/rotation.md faults
  publish "$kept/operator.md" docs/reliability.md operator
  publish "$kept/churn.md" docs/reliability.md churn
  tell_of_all >"$kept/faults.md"
  cp "$kept/faults.md" docs/faults.md
  step "written: docs/faults.md"
fi
[ "$bad" = 0 ] || { step "outputs of failed runs are in $kept"; exit 1; }
rm -rf "$kept"

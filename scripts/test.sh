#!/bin/sh
# `npm test`: walls, sizes, lint, types, the rustls engine where cargo is, then every test (parity as far as the time goes). `sh scripts/test.sh check` stops before the tests;
# `sh scripts/test.sh PATTERN…` runs only the test files that match; `sh scripts/test.sh on-node` (npm run test:node) plays every flow and all of parity over node:net.
set -eu
cd "$(dirname "$0")/.."
node=node_modules/node/bin/node
[ -x "$node" ] || node=node
# Test files share their compiled modules, as Weir's threads do (bin/weir).
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE-$PWD/node_modules/.cache/weir}"
# When parity begins its last topic at the latest, in seconds of the tests: a whole run stays under a quarter of an hour.
PARITY_S=700 began=$(date +%s)
step() { printf '== %s\n' "$1"; }
# The rustls engine is built beside the checks: it takes about as long as they do.
engine= log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ $# -eq 0 ]; then sh scripts/build-tls.sh --if-possible >"$log" 2>&1 & engine=$!; fi
if [ "${1-}" = check ] || [ $# -eq 0 ]; then
  step 'import walls'; $node scripts/check-rooms.ts
  step 'file sizes'; $node scripts/check-size.ts
  step 'types'; $node node_modules/typescript/bin/tsc -p .
  step 'lint'; $node node_modules/eslint/bin/eslint.js --cache --cache-location node_modules/.cache/eslint engine workers native-bench scripts test
  [ "${1-}" = check ] && exit 0
fi
if [ -n "$engine" ]; then step 'rustls engine'; wait "$engine" || { cat "$log"; exit 1; }; cat "$log"; fi
# shellcheck disable=SC2086
run() { at_once=$1; shift; $node --disable-warning=ExperimentalWarning --test --test-concurrency="$at_once" --test-timeout=600000 --test-reporter=./scripts/brief-reporter.mjs "$@"; }
if [ $# -gt 0 ] && [ "$1" != on-node ]; then step 'tests'; run 2 "$@"; exit; fi
# Unit tests share a process: most of their time went into loading the modules again and again. Beside them files that start processes have their own. Files that say 'Runs alone'
# measure time or load: beside others they would measure those. Parity comes last and has what is left of the time (WEIR_PARITY_UNTIL), but a minute at least. All parts run,
# whatever the first comes to.
parity=test/parity/parity.test.ts
all=$(find test -name '*.test.ts' ! -path "$parity" | sort)
alone=$(grep -l '^// Runs alone' $all)
own=$(grep -lE 'startWeir|runWeir|child_process' $all | grep -vxF "$alone")
units=$(printf '%s\n' $all | grep -vxF "$alone" | grep -vxF "$own")
status=0
if [ "${1-}" = on-node ]; then
  export WEIR_TRANSPORT=node
  step 'flows over node:net'; run 2 $own || status=$?
  step 'flows over node:net that run alone'; run 1 $alone || status=$?
  step 'parity with Envoy over node:net'; run 1 $parity || status=$?
  exit $status
fi
# Flows that name no transport run on the native one; one of them, each day another, is played over node:net besides.
single=$(printf '%s\n' $own | grep '^test/flows/' | xargs grep -L TRANSPORTS)
today=$(printf '%s\n' $single | sed -n "$(($(date +%s) / 86400 % $(printf '%s\n' $single | wc -l) + 1))p")
run 1 --test-isolation=none $units >"$log" 2>&1 & in_one=$!
step 'tests with processes of their own'; run 2 $own || status=$?
step "over node:net today: $today"; WEIR_TRANSPORT=node run 1 "$today" || status=$?
step 'unit tests'; wait $in_one || status=$?; cat "$log"
step 'tests that run alone'; run 1 $alone || status=$?
now=$(date +%s); until=$((began + PARITY_S)); [ $until -gt $((now + 60)) ] || until=$((now + 60))
step 'parity with Envoy'; WEIR_PARITY_UNTIL=$until run 1 $parity || status=$?
exit $status

#!/bin/sh
# `npm test`: walls, sizes, lint, types, the rustls engine where cargo is, then every test. `sh scripts/test.sh check` stops before the tests;
# `sh scripts/test.sh PATTERN…` runs only the test files that match.
set -eu
cd "$(dirname "$0")/.."
node=node_modules/node/bin/node
[ -x "$node" ] || node=node
# Test files share their compiled modules, as Weir's threads do (bin/weir).
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE-$PWD/node_modules/.cache/weir}"
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
if [ $# -gt 0 ]; then step 'tests'; run 2 "$@"; exit; fi
# Files that say 'Runs alone' measure time or load: beside others they would measure those. Both parts run, whatever the first comes to.
all=$(find test -name '*.test.ts' | sort)
alone=$(grep -l '^// Runs alone' $all)
status=0
step 'tests'; run 2 $(printf '%s\n' $all | grep -vxF "$alone") || status=$?
step 'tests that run alone'; run 1 $alone || status=$?
exit $status

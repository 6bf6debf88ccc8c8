#!/bin/sh
# `npm test`: walls, sizes, lint, types, then every test. `sh scripts/test.sh check` stops before the tests;
# `sh scripts/test.sh PATTERN…` runs only the test files that match.
set -eu
cd "$(dirname "$0")/.."
node=node_modules/node/bin/node
[ -x "$node" ] || node=node
step() { printf '== %s\n' "$1"; }
if [ "${1-}" = check ] || [ $# -eq 0 ]; then
  step 'import walls'; $node scripts/check-rooms.ts
  step 'file sizes'; $node scripts/check-size.ts
  step 'types'; $node node_modules/typescript/bin/tsc -p .
  step 'lint'; $node node_modules/eslint/bin/eslint.js --cache --cache-location node_modules/.cache/eslint engine workers native-bench scripts test
  [ "${1-}" = check ] && exit 0
fi
if [ $# -eq 0 ]; then step 'rustls engine'; sh scripts/build-tls.sh --if-possible; fi
step 'tests'
if [ $# -gt 0 ]; then files=$*; else files=$(find test -name '*.test.ts' | sort); fi
# shellcheck disable=SC2086
exec $node --disable-warning=ExperimentalWarning --test --test-concurrency=2 --test-timeout=600000 --test-reporter=./scripts/brief-reporter.mjs $files

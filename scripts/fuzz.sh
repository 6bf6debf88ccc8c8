#!/bin/sh
# `npm run fuzz -- 10`: the property and fuzz tests of the suite over and over for so many minutes, each time with other seeds. Ends at the first failure; its seed stands
# in the output. The suite itself runs each once.
set -eu
cd "$(dirname "$0")/.."
end=$(($(date +%s) + ${1:-10} * 60))
files=$(grep -rlE 'fc\.assert|WEIR_FUZZ_SECONDS' test --include='*.test.ts' | sort)
rounds=0
while [ "$(date +%s)" -lt "$end" ]; do
  # shellcheck disable=SC2086
  WEIR_FUZZ_SECONDS=10 sh scripts/test.sh $files >/tmp/weir-fuzz.$$ || { cat /tmp/weir-fuzz.$$; rm -f /tmp/weir-fuzz.$$; exit 1; }
  rounds=$((rounds + 1))
done
rm -f /tmp/weir-fuzz.$$
echo "fuzz: $rounds rounds of $(echo "$files" | wc -l) files, no failure"

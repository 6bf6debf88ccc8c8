#!/bin/sh
# The native transport under AddressSanitizer and UndefinedBehaviorSanitizer: its tests, and random commands for SECONDS (60).
#   sh scripts/sanitize-native.sh [SECONDS]
# The built addon is put aside meanwhile and comes back whatever happens.
set -eu
cd "$(dirname "$0")/.."
cc=${CC:-gcc}
asan=$($cc -print-file-name=libasan.so); ubsan=$($cc -print-file-name=libubsan.so)
[ -f "$asan" ] || { echo "no libasan for $cc"; exit 1; }
[ -f build/transport.node ] && mv build/transport.node build/transport.node.kept
trap 'mv -f build/transport.node.kept build/transport.node 2>/dev/null || true' EXIT INT TERM
CC=$cc CFLAGS='-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined' sh scripts/build-native.sh
# Leaks are V8's own at exit; node cannot be told apart from them.
export LD_PRELOAD="$asan $ubsan" ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:handle_segv=1 UBSAN_OPTIONS=print_stacktrace=1 WEIR_FUZZ_SECONDS="${1:-60}"
node=node_modules/node/bin/node
for f in test/engine/net/native-commands.test.ts test/engine/net/transport.test.ts; do
  [ -f "$f" ] || continue
  echo "== $f"
  $node --disable-warning=ExperimentalWarning --test-reporter=./scripts/brief-reporter.mjs --test --test-isolation=none "$f"
done

#!/bin/sh
# Builds the rustls engine (engine/net/tls/native) into build/tls.node. Needs cargo; with --if-possible (as `npm test` and CI call it) a machine without is no error:
# TLS then goes through node:tls. About a minute the first time; the crates are those of Cargo.lock. A running process keeps the file it has loaded (renamed over).
cd "$(dirname "$0")/.." || exit 1
optional=${1-}
say() { echo "rustls engine: $1"; [ "$optional" = --if-possible ] && exit 0; exit 1; }
command -v cargo >/dev/null || say 'no cargo, node:tls is used'
target=${CARGO_TARGET_DIR:-$PWD/build/tls-target}
newest=$(find engine/net/tls/native -newer build/tls.node -name '*.rs' -o -newer build/tls.node -name 'Cargo.*' 2>/dev/null | head -1)
[ "$optional" = --if-possible ] && [ -f build/tls.node ] && [ -z "$newest" ] && exit 0
mkdir -p build
# Random numbers are the system's: AWS-LC's own jitter source takes a third of a second to begin, in each thread's first handshake.
export AWS_LC_SYS_NO_JITTER_ENTROPY=1
(cd engine/net/tls/native && CARGO_TARGET_DIR=$target cargo build --release --locked) || say 'the build failed, node:tls is used'
library=$(ls "$target"/release/libweir_tls.so "$target"/release/libweir_tls.dylib 2>/dev/null | head -1)
cp "$library" build/tls.node.new && mv build/tls.node.new build/tls.node

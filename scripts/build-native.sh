#!/bin/sh
# Builds the native transport (Linux, any C compiler) into build/transport.node. With --if-possible (as `npm ci` calls it) a machine without a compiler is no error:
# sockets then go through node:net. CFLAGS adds flags (scripts/sanitize-native.sh).
cd "$(dirname "$0")/.." || exit 1
optional=${1-}
say() { echo "native transport: $1"; [ "$optional" = --if-possible ] && exit 0; exit 1; }
[ "$(uname -s)" = Linux ] || say 'not Linux, node:net is used'
cc=${CC:-$(command -v cc || command -v gcc || command -v clang)} || say 'no C compiler, node:net is used'
inc=node_modules/koffi/vendor/node-api-headers/include
[ -f $inc/node_api.h ] || inc=node_modules/node-api-headers/include
[ -f $inc/node_api.h ] || say 'no node_api.h, node:net is used'
mkdir -p build
# shellcheck disable=SC2086
$cc -O2 -Wall -Wextra -Wno-parentheses -shared -fPIC ${CFLAGS-} -I$inc engine/net/transport/native/*.c -o build/transport.node.new && mv build/transport.node.new build/transport.node || say 'the build failed, node:net is used'

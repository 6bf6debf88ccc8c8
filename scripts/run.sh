#!/bin/sh
# Runs a TypeScript program of the project with the Node that the project brings: sh scripts/run.sh FILE ARGS…
root=$(cd "$(dirname "$0")/.." && pwd -P)
node=$root/node_modules/node/bin/node
[ -x "$node" ] || node=node
exec "$node" --disable-warning=ExperimentalWarning "$@"

#!/bin/sh
# Remakes envoy-<version>.binpb.gz from the Go module proxy. Needs Go. Usage: scripts/gen-api.sh v1.40.0
set -eu
version=${1:-v1.40.0}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
cd "$work"
cp "$here/gen-api.go.txt" main.go
go mod init descriptors >/dev/null 2>&1
go get "github.com/envoyproxy/go-control-plane/envoy@$version" "google.golang.org/protobuf@latest" >/dev/null 2>&1
dir=$(go list -m -f '{{.Dir}}' github.com/envoyproxy/go-control-plane/envoy)
{
  echo 'package main'
  echo 'import ('
  (cd "$dir" && find . -name '*.pb.go' \( -path '*/v3/*' -o -path './annotations/*' \) -printf '%h\n' | sort -u | sed 's#^\./##; s#^#_ "github.com/envoyproxy/go-control-plane/envoy/#; s#$#"#')
  echo ')'
} > imports.go
go mod tidy >/dev/null 2>&1
go run .
gzip -9c envoy.binpb > "$here/../engine/proto/envoy-${version#v}.binpb.gz"
rm -rf "$work"

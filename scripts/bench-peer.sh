#!/usr/bin/env bash
# bench-peer.sh [-n ENTRIES]: measures zipgen beside github.com/martin-sucha/zipserve, or,
# where that can't be downloaded, beside a model of it. Exits with 1 where an aim is missed.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
dir=internal/peer/zipserve
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The library's version goes into a copy of go.mod, so that the tree stays as it is.
cp "$dir/go.mod" "$dir/go.sum" "$tmp"
if "$go" get -C "$dir" -modfile="$tmp/go.mod" github.com/martin-sucha/zipserve@latest 2>"$tmp/errors"; then
	"$go" build -C "$dir" -mod=mod -modfile="$tmp/go.mod" -o "$tmp/peer" .
	grep -o 'github.com/martin-sucha/zipserve v.*' "$tmp/go.mod"
else
	echo "github.com/martin-sucha/zipserve can't be downloaded ($(tail -1 "$tmp/errors")): a model of it is measured"
	"$go" build -o "$tmp/peer" ./internal/peer
fi
"$tmp/peer" "$@"

#!/usr/bin/env bash
# package.sh [ARCH...]: makes a .deb and an .rpm for each architecture, amd64 and arm64 by
# default, in bin/package. The same commit and Go release give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || true)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export LC_ALL=C TZ=UTC CGO_ENABLED=0
umask 022
out=bin/package
rm -rf "$out"
mkdir -p "$out/completion"
[ $# -gt 0 ] || set -- amd64 arm64

build() { "$go" build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$1" ./cmd/vzip; }
build "$out/vzip"
"$out/vzip" man "$out/man"
gzip -n9 "$out"/man/*.1
"$out/vzip" completion bash >"$out/completion/vzip.bash"
"$out/vzip" completion zsh >"$out/completion/_vzip"
"$out/vzip" completion fish >"$out/completion/vzip.fish"
"$go" build -C internal/pack -o "$PWD/$out/pack" .
for arch; do
	mkdir -p "$out/$arch"
	if [ "$arch" = "$("$go" env GOARCH)" ]; then
		cp "$out/vzip" "$out/$arch/vzip"
	else
		GOARCH=$arch build "$out/$arch/vzip"
	fi
	"$out/pack" -config internal/pack/nfpm.yaml -arch "$arch" -version "$version" -epoch "$SOURCE_DATE_EPOCH" \
		-maintainer "${MAINTAINER:-The vzip authors <root@localhost>}" -out "$out"
done
(cd "$out" && sha256sum -- *.deb *.rpm >SHA256SUMS)

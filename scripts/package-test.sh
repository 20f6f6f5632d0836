#!/usr/bin/env bash
# package-test.sh: makes the packages, and those of this architecture once more elsewhere,
# which must be the same; installs, uses and removes them in a copy of this system (an
# overlay in memory) that is thrown away. As root. With -k the packages that are in
# bin/package are taken.
set -euo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
fail() {
	echo "package-test: $*" >&2
	exit 1
}
say() { echo "== $*"; }
[ "$(id -u)" = 0 ] || fail "it wants to be root"
tmp=$(mktemp -d)
clean() {
	# The control groups that the inner part made: their processes are gone with their
	# namespace.
	for _ in $(seq 50); do
		find /sys/fs/cgroup -path '*/vzip-package-test*' -depth -type d -exec rmdir {} + 2>/dev/null || true
		[ -n "$(find /sys/fs/cgroup -maxdepth 2 -name vzip-package-test)" ] || break
		sleep 0.1
	done
	rm -rf "$tmp"
}
trap clean EXIT

if [ "${1:-}" != -k ]; then
	"$go" vet -C internal/pack .
	"$go" test -C internal/pack .
	VERSION=${VERSION:-$(git describe --tags --always --dirty)} SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
	export VERSION SOURCE_DATE_EPOCH
	say "making the packages"
	scripts/package.sh
	say "making them once more, in another folder"
	arch=$("$go" env GOARCH)
	mkdir "$tmp/tree"
	git ls-files -z | xargs -0 cp -a --parents -t "$tmp/tree"
	"$tmp/tree/scripts/package.sh" "$arch"
	for file in "$tmp"/tree/bin/package/*.deb "$tmp"/tree/bin/package/*.rpm; do
		cmp "$file" "bin/package/$(basename "$file")" || fail "$(basename "$file") is not the same when it is made again"
	done
	rm -rf "$tmp/tree"
fi

say "in a copy of this system"
mkdir "$tmp/packages"
cp bin/package/*.deb bin/package/*.rpm scripts/package-test-inside.sh "$tmp/packages"
export FAKE_ROOT="$tmp/root"
# A process namespace, so that nothing goes on running; the mounts are this script's
# alone.
unshare --mount --pid --fork --kill-child --propagation private bash -euo pipefail -c '
	tmp=$(dirname "$FAKE_ROOT")
	mkdir "$tmp/memory" "$FAKE_ROOT"
	mount -t tmpfs -o mode=755 none "$tmp/memory"
	mkdir "$tmp/memory/up" "$tmp/memory/work"
	mount -t overlay -o "lowerdir=/,upperdir=$tmp/memory/up,workdir=$tmp/memory/work" none "$FAKE_ROOT"
	mount -t proc none "$FAKE_ROOT/proc"
	mount --rbind /sys "$FAKE_ROOT/sys"
	mount --rbind /dev "$FAKE_ROOT/dev"
	mount -t tmpfs none "$FAKE_ROOT/run"
	mount -t tmpfs -o mode=1777 none "$FAKE_ROOT/tmp"
	cp -r "$tmp/packages" "$FAKE_ROOT/tmp/packages"
	cd /
	exec chroot "$FAKE_ROOT" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		VZIP_TEST_REQUIRE="${VZIP_TEST_REQUIRE:-}" bash /tmp/packages/package-test-inside.sh'
say "all is well"

#!/usr/bin/env bash
# Installs what the demo and the tests need and this machine lacks, or says in
# one line what to install.
set -euo pipefail

# command:Debian package
wanted="fusermount3:fuse3 unzip:unzip zipinfo:unzip zip:zip 7z:p7zip-full bsdtar:libarchive-tools python3:python3
rsync:rsync gcc:gcc setpriv:util-linux mountpoint:util-linux umount:mount unshare:util-linux script:bsdutils pgrep:procps mount.fuse3:fuse3"

PATH=$PATH:/usr/sbin:/sbin
missing=""
for pair in $wanted; do
	command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
# The race detector needs a C library to link with.
[ -e /usr/include/stdlib.h ] || missing="$missing libc6-dev"
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
missing=${missing% }
if ! command -v "${GO:-go}" >/dev/null; then
	echo "Go is missing: install Go 1.26 or newer from https://go.dev/dl/" >&2
	exit 1
fi
[ -n "$missing" ] || exit 0

apt=(apt-get)
if [ "$(id -u)" != 0 ]; then
	apt=(sudo -n apt-get)
fi
if ! command -v apt-get >/dev/null || ! "${apt[@]}" --version >/dev/null 2>&1; then
	echo "these packages are missing, and may not be installed from here: $missing" >&2
	exit 1
fi
echo "installing $missing"
install() { DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -qq -y --no-install-recommends $missing >/dev/null 2>"$log"; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! install && ! { "${apt[@]}" update -qq >/dev/null 2>&1 && install; }; then
	cat "$log" >&2
	echo "installing failed; please install these packages: $missing" >&2
	exit 1
fi

#!/usr/bin/env bash
# deps.sh [test|interop|bench|package]: installs what the demo and most tests use, or also
# the programs of a group, and this machine lacks; or says in one line what to
# install.
set -euo pipefail

# command:Debian package
commands="fusermount3:fuse3 unzip:unzip zipinfo:unzip zip:zip 7z:p7zip-full bsdtar:libarchive-tools python3:python3
rsync:rsync gcc:gcc setpriv:util-linux mountpoint:util-linux umount:mount unshare:util-linux script:bsdutils pgrep:procps mount.fuse3:fuse3
mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs diff:diffutils curl:curl losetup:mount prlimit:util-linux"
# The race detector needs a C library to link with.
packages="libc6-dev"
if [ "${1:-}" = interop ]; then
	commands="$commands javac:default-jdk-headless node:nodejs npm:npm wget:wget aria2c:aria2 chromium:chromium make:make pkg-config:pkg-config cargo:cargo tclsh:tcl"
	packages="$packages
	busybox fuse-zip archivemount avfs sqlite3 unar advancecomp zipcmp ziptool minizip zipalign aapt perl
	libarchive-zip-perl php-cli php-zip php-pclzip ruby ruby-zip ruby-archive-zip tcllib tcl-vfs erlang-base erlang-crypto
	libcommons-compress-java libzip4j-java ant
	mono-mcs mono-runtime libmono-system-io-compression4.0-cil libmono-sharpzip4.84-cil
	g++ libssl-dev libzip-dev libminizip-dev libzzip-dev libphysfs-dev libgsf-1-dev libpoco-dev qtbase5-dev libquazip1-qt5-dev
	libkf5archive-dev libzipios++-dev android-libziparchive-dev gdc ocaml-nox ocaml-findlib libzip-ocaml-dev libsha-ocaml-dev librust-zip-dev librust-sha2-dev
	libwxgtk3.2-dev zlib1g-dev android-libbase-dev"
fi

if [ "${1:-}" = test ]; then
	commands="$commands cksfv:cksfv rhash:rhash jq:jq mandoc:mandoc col:bsdextrautils systemd-analyze:systemd chromium:chromium
	aws:awscli rclone:rclone s3cmd:s3cmd nginx:nginx-light sshd:openssh-server sftp:openssh-client"
	packages="$packages fonts-dejavu-core" # for the browser
fi

if [ "${1:-}" = package ]; then
	commands="$commands dpkg-deb:dpkg rpm:rpm man:man-db"
fi

if [ "${1:-}" = bench ]; then
	commands="$commands bindfs:bindfs strace:strace aws:awscli nginx:nginx-light pigz:pigz"
fi

PATH=$PATH:/usr/sbin:/sbin
missing=""
for pair in $commands; do
	command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
for package in $packages; do
	[ "$package" = libc6-dev ] && [ -e /usr/include/stdlib.h ] && continue
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
missing=${missing% }
if ! command -v "${GO:-go}" >/dev/null; then
	echo "Go is missing: install Go 1.26 or newer from https://go.dev/dl/" >&2
	exit 1
fi
[ -n "$missing" ] || exit 0

root=()
if [ "$(id -u)" != 0 ]; then
	root=(sudo -n)
fi
apt=("${root[@]}" apt-get)
if ! command -v apt-get >/dev/null || ! "${apt[@]}" --version >/dev/null 2>&1; then
	echo "these packages are missing, and may not be installed from here: $missing" >&2
	exit 1
fi
echo "installing $missing"
get() { DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -qq -y --no-install-recommends $missing >/dev/null 2>"$log"; }
log=$(mktemp)
# Tests start servers of their own: those that packages would start, now and at each boot, stay off.
policy=/usr/sbin/policy-rc.d
if [ -e "$policy" ]; then
	trap 'rm -f "$log"' EXIT
else
	trap 'rm -f "$log"; "${root[@]}" rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${root[@]}" install -m 0755 /dev/stdin "$policy"
fi
if ! get && ! { "${apt[@]}" update -qq >/dev/null 2>&1 && get; }; then
	cat "$log" >&2
	echo "installing failed; please install these packages: $missing" >&2
	exit 1
fi
for pair in nginx-light:nginx openssh-server:ssh; do
	case " $missing " in *" ${pair%%:*} "*) "${root[@]}" systemctl disable --quiet "${pair##*:}" 2>/dev/null || true ;; esac
done

#!/usr/bin/env bash
# package-test-inside.sh: the part of package-test.sh that runs in the copy of the system,
# with the packages beside it.
set -euo pipefail
cd /tmp/packages
fail() {
	echo "package-test: $*" >&2
	exit 1
}
say() { echo "-- $*"; }
want() { # CMD... TEXT: what CMD prints has TEXT
	local text=${*: -1} got
	got=$("${@:1:$#-1}" 2>&1) || fail "${*:1:$#-1}: $got"
	case "$got" in
	*"$text"*) ;;
	*) fail "${*:1:$#-1}: got $got, want $text" ;;
	esac
}
wait_for() {
	for _ in $(seq 300); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.1
	done
	fail "waited in vain for: $*"
}
machine() { od -An -tx1 -j18 -N2 "$1" | tr -d ' '; } # e_machine of an ELF file

host=$(dpkg --print-architecture)
deb=$(echo vzip_*_"$host".deb)
version=$(dpkg-deb -f "$deb" Version)
files() { find /usr /etc /var /srv /opt -xdev 2>/dev/null | grep -vE '^/var/(lib/dpkg|log|cache/man)(/|$)|^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|^/etc/.pwd.lock$' | sort; }
dpkg -P vzip >/dev/null 2>&1 || true
rm -rf /usr/local/bin/vzip /srv/vzip /etc/vzip /var/cache/vzip*
rm -f /usr/sbin/mount.fuse /usr/sbin/mount.fuse3 /sbin/mount.fuse /sbin/mount.fuse3 # they would do for mount -t fuse.vzip, too
files >/tmp/before

say "$deb is installed"
# Images for containers leave manuals out.
dpkg --path-include='/usr/share/man/*' --path-include='/usr/share/doc/*' -i "$deb" >/tmp/dpkg.log 2>&1 || fail "dpkg -i: $(cat /tmp/dpkg.log)"
want vzip version "vzip "
want sh -c 'man -l /usr/share/man/man1/vzip-mount.1.gz | col -b' "vzip mount LAYOUT MOUNTPOINT"
want man -w vzip-exec /usr/share/man/man1/vzip-exec.1.gz
want bash -c '. /usr/share/bash-completion/completions/vzip && complete -p vzip' "vzip"
getent passwd vzip >/dev/null || fail "there is no user vzip"

say "mount -t fuse.vzip, by the package's own helper"
mkdir -p /builds /mnt/zips
seq 100000 >/builds/numbers
cat >/etc/vzip/nightly.yaml <<'YAML'
version: 1
archives:
  - name: nightly.zip
    entries:
      - source: /builds
YAML
vzip cat --quiet /etc/vzip/nightly.yaml nightly.zip >/tmp/nightly.zip
mount -t fuse.vzip /etc/vzip/nightly.yaml /mnt/zips -o allow_other,cache=/var/cache/vzip,log_file=/tmp/mount.log
cmp /mnt/zips/nightly.zip /tmp/nightly.zip
setpriv --reuid 65534 --regid 65534 --clear-groups cmp /mnt/zips/nightly.zip /tmp/nightly.zip
umount /mnt/zips
want vzip exec --quiet /etc/vzip/nightly.yaml -- sh -c 'unzip -tq "$VZIP_MOUNT/nightly.zip"' "No errors"

say "nothing but the program: as in a container without anything else"
mkdir -p /tmp/bare/builds /tmp/bare/tmp
cp /usr/bin/vzip /tmp/bare/vzip
cp /builds/numbers /tmp/bare/builds/
touch -r /builds /tmp/bare/builds
touch -r /builds/numbers /tmp/bare/builds/numbers
cp /etc/vzip/nightly.yaml /tmp/bare/layout.yaml
chroot --userspec 65532:65532 /tmp/bare /vzip cat --quiet --no-cache /layout.yaml nightly.zip | cmp - /tmp/nightly.zip

# A manager of systemd, as root's "user" manager: it does to services what the first
# process does, but for its name.
units() {
	mkdir -p /run/systemd/system /run/manager/systemd/user
	chmod 711 /run/manager /run/manager/systemd # the service's user gets to the socket for sd_notify
	export XDG_RUNTIME_DIR=/run/manager XDG_CONFIG_HOME=/run/manager XDG_CACHE_HOME=/var/cache
	cp /usr/lib/systemd/system/vzip@.service /usr/lib/systemd/system/vzip-serve@.service /run/manager/systemd/user/
	for unit in vzip@ vzip-serve@; do
		mkdir "/run/manager/systemd/user/$unit.service.d"
		# What this copy may not do is left out; messages go where they can be read.
		printf '[Service]\nOOMScoreAdjust=0\nStandardOutput=append:/tmp/units.log\nStandardError=append:/tmp/units.log\n' \
			>"/run/manager/systemd/user/$unit.service.d/test.conf"
	done
	local group
	for group in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
		[ -e "$group/cgroup.procs" ] || continue
		# package-test.sh takes it away.
		mkdir -p "$group/vzip-package-test" && echo "$BASHPID" >"$group/vzip-package-test/cgroup.procs" || return 1
	done
	/usr/lib/systemd/systemd --user --log-target=console --log-level=warning >/tmp/systemd.log 2>&1 &
	manager=$!
	for _ in $(seq 50); do
		if systemctl --user show-environment >/dev/null 2>&1; then
			chmod 777 /run/manager/systemd/notify # as the first process makes it
			return
		fi
		sleep 0.1
	done
	return 1
}
manager=""
if [ -x /usr/lib/systemd/systemd ] && units; then
	say "vzip@nightly, run by systemd"
	systemctl --user start vzip@nightly || fail "vzip@nightly: $(cat /tmp/units.log)"
	# Seen from outside the service, and by others.
	setpriv --reuid 65534 --regid 65534 --clear-groups cmp /srv/vzip/nightly/nightly.zip /tmp/nightly.zip
	seq 200000 >/builds/numbers
	systemctl --user reload vzip@nightly
	wait_for sh -c 'unzip -p /srv/vzip/nightly/nightly.zip builds/numbers | cmp - /builds/numbers'
	want vzip reload /srv/vzip/nightly "nothing changed"
	kill -9 "$(systemctl --user show -P MainPID vzip@nightly)"
	wait_for unzip -tq /srv/vzip/nightly/nightly.zip
	systemctl --user stop vzip@nightly
	[ -z "$(ls -A /srv/vzip/nightly)" ] || fail "the mount is still there"
	if vzip help serve 2>/dev/null | grep -q listen; then
		say "vzip-serve@nightly, run by systemd"
		systemctl --user start vzip-serve@nightly || fail "vzip-serve@nightly: $(cat /tmp/units.log)"
		wait_for curl -fsS -o /tmp/served.zip http://127.0.0.1:8080/nightly.zip
		unzip -tq /tmp/served.zip
		systemctl --user stop vzip-serve@nightly
	else
		say "there is no vzip serve: in its sandbox vzip cat reads the sources"
		printf 'Type=oneshot\nWatchdogSec=0\nRestart=no\nExecStart=\nExecStart=/usr/bin/vzip cat --no-cache /etc/vzip/nightly.yaml nightly.zip\nStandardOutput=truncate:/tmp/served.zip\n' \
			>>/run/manager/systemd/user/vzip-serve@.service.d/test.conf
		systemctl --user daemon-reload
		systemctl --user start vzip-serve@nightly || fail "vzip-serve@nightly: $(cat /tmp/units.log)"
		unzip -tq /tmp/served.zip
	fi
elif [ "$VZIP_TEST_REQUIRE" = all ]; then
	fail "systemd could not be run: $(cat /tmp/systemd.log 2>/dev/null)"
else
	say "systemd could not be run here: the units were not tried"
fi
if [ -n "$manager" ]; then
	kill "$manager"
	wait "$manager" || true
fi
say "$deb is removed"
rm -rf /etc/vzip/nightly.yaml /srv/vzip
rm -rf /run/systemd/system # systemctl has nobody to talk to
dpkg -P vzip >/tmp/dpkg.log 2>&1 || fail "dpkg -P: $(cat /tmp/dpkg.log)"
files | diff /tmp/before - || fail "something else is there than before (see above)"

rpm=$(echo vzip-*."$(uname -m)".rpm)
say "$rpm in a folder of its own"
mkdir /tmp/rpmroot
rpm --root /tmp/rpmroot --initdb
rpm --root /tmp/rpmroot -i --nodeps --noscripts "$rpm" >/tmp/rpm.log 2>&1 || fail "rpm -i: $(cat /tmp/rpm.log)"
cmp /tmp/rpmroot/usr/bin/vzip <(dpkg-deb --fsys-tarfile "$deb" | tar -xO ./usr/bin/vzip)
want /tmp/rpmroot/usr/bin/vzip version "vzip "
want rpm --root /tmp/rpmroot -V --nodeps vzip ""
want rpm -qp --recommends "$rpm" fuse3
want rpm -qpl "$rpm" /usr/share/licenses/vzip/LICENSE
rpm --root /tmp/rpmroot -e --noscripts vzip >/tmp/rpm.log 2>&1 || fail "rpm -e: $(cat /tmp/rpm.log)"
[ -z "$(find /tmp/rpmroot -name '*vzip*')" ] || fail "rpm -e left $(find /tmp/rpmroot -name '*vzip*')"

for arch in amd64:x86_64:3e00 arm64:aarch64:b700; do
	IFS=: read -r debian rpm elf <<<"$arch"
	ls vzip_*_"$debian".deb vzip-*."$rpm".rpm >/dev/null 2>&1 || continue
	mkdir "/tmp/$debian" "/tmp/$rpm"
	dpkg-deb -x vzip_*_"$debian".deb "/tmp/$debian"
	bsdtar -xf vzip-*."$rpm".rpm -C "/tmp/$rpm" 2>/tmp/bsdtar.log || fail "bsdtar: $(cat /tmp/bsdtar.log)"
	for dir in "$debian" "$rpm"; do
		[ "$(machine "/tmp/$dir/usr/bin/vzip")" = "$elf" ] || fail "the program for $dir is another machine's"
		[ "$(readlink "/tmp/$dir/usr/sbin/mount.fuse.vzip")" = ../bin/vzip ] || fail "$dir: no helper for mount"
	done
	say "$debian, $rpm: unpacked"
done
say "version $version"

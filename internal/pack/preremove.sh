#!/bin/sh
# Before the program is removed (Debian's "remove", RPM's 0), not when another version
# takes its place.
set -e
case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl stop 'vzip@*.service' 'vzip-serve@*.service' || true
	fi
	;;
esac

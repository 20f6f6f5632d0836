#!/bin/sh
# Debian's "purge" takes remembered CRC-32s, too; layouts in /etc/vzip are the
# administrator's.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
if [ "$1" = purge ]; then
	rm -rf /var/cache/vzip /var/cache/vzip-serve
fi

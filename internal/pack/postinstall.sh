#!/bin/sh
# After an installation or an upgrade. Services are not started, and go on with the
# old program until they are restarted: a restart cuts readers off.
set -e
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers vzip.conf
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi

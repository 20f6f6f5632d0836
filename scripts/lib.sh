# What the scripts share: a work folder that is gone afterwards, a mount that is
# never left behind, and steps that can be read. To be sourced.
set -euo pipefail
export LC_ALL=C.UTF-8
unset SOURCE_DATE_EPOCH # it would replace the sources' times

vzip=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/bin/vzip
work=$(mktemp -d)
export XDG_CACHE_HOME=$work/cache
daemon=""

cleanup() {
	status=$?
	cd /
	if [ -n "$daemon" ]; then
		kill "$daemon" 2>/dev/null || true
		wait "$daemon" 2>/dev/null || true
	fi
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM

bold="" plain=""
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

# say prints a heading.
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# run shows a command, then runs it.
run() {
	printf '  $ %s\n' "$*"
	eval "$*" 2>&1 | sed 's/^/    /'
}

# fail ends the script.
fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# mount_layout LAYOUT DIR serves in the background and returns when the archives
# are visible. The process is $daemon.
mount_layout() {
	local begin=$EPOCHREALTIME
	"$vzip" mount "$1" "$2" 2>"$work/vzip.log" &
	daemon=$!
	until mountpoint -q "$2"; do
		kill -0 "$daemon" 2>/dev/null || { cat "$work/vzip.log" >&2; daemon=""; fail "vzip mount ended"; }
		sleep 0.05
	done
	ready=$(python3 -c "print(f'{$EPOCHREALTIME - $begin:.1f}')")
}

# unmount_layout DIR ends what mount_layout began, and checks that it ends well.
unmount_layout() {
	"$vzip" umount "$1"
	wait "$daemon" || fail "vzip mount ended with $?"
	daemon=""
	! mountpoint -q "$1" || fail "$1 is still mounted"
}

# memory NAME prints a figure of the daemon from /proc, in MiB.
memory() { awk -v name="$1:" '$1 == name { printf "%.0f", $2 / 1024 }' "/proc/$daemon/status"; }

#!/usr/bin/env bash
# fuzz.sh [TIME]: runs every fuzz target for TIME, 10 minutes by default, one after the
# other, and prints what each tried. New inputs that fail are left in testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10m}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

status=0
for file in $(grep -rl --include='*_test.go' '^func Fuzz' .); do
	package=$(dirname "$file")
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' "$file"); do
		if "${GO:-go}" test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" >"$log" 2>&1; then
			printf '%-40s %s\n' "$package $target" "$(grep -o 'elapsed.*' "$log" | tail -1)"
		else
			status=1
			printf '%-40s FAILED\n' "$package $target"
			cat "$log"
		fi
	done
done
exit $status

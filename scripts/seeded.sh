#!/usr/bin/env bash
# Proves that the tests can fail: bugs that are in the source on purpose, switched on
# one at a time, must each make the tests named beside it fail; without a bug the
# same tests must pass.
set -euo pipefail
cd "$(dirname "$0")/.."
export VZIP_TEST_REQUIRE="${VZIP_TEST_REQUIRE:-all}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# bug, package, tests
bugs="
no-crc               internal/verified    TestOneBadByte|TestCorrupt
stat-before          internal/verified    TestStateAfterBytes
old-descriptor       internal/verified    TestReplacedAndBack
no-breaker           internal/verified    TestBreaker
no-slots             internal/verified    TestSlots
hole-unchecked       internal/verified    TestSeekPunched
hole-of-another      internal/verified    TestSeekDrifted
deflated-unchecked   internal/verified    TestDeflatedToOthers
deflated-kept        internal/generation  TestDeflatedKeptChanged
no-lease-probe       internal/generation  TestOpenAtRest|TestOnBusy
no-wait              internal/generation  TestOpenAtRest
no-check-after-hash  internal/generation  TestChangesAfterRead
no-ctime             internal/generation  TestRemembered
inherit-all          internal/generation  TestInherit
no-drift             internal/generation  TestDifferenceElsewhere
stale-open           internal/generation  TestDriftedAndDifferent
same-inode           internal/generation  TestInode
same-state           internal/generation  TestDateBeforeHashed
unhashed             internal/generation  TestStart
same-mtime           internal/generation  TestDate
blind-verify         internal/generation  TestVerifier
tag-by-crc           internal/generation  TestTag
volume-end           internal/generation  TestVolumeAtRandom
same-sum             internal/generation  TestSHA256Remembered
sum-unchecked        internal/generation  TestSHA256OfOtherBytes
no-origin-lease      internal/generation  TestFrozenUnsettled
keep-clones          internal/generation  TestFrozenEnds
no-snapshot-lock     internal/snapshot    TestSweep
torn-cache           internal/crccache    TestBrokenRecords
anybodys-cache       internal/crccache    TestRefusedF
deflate-version      internal/crccache    TestPackedVersion
links-out            internal/source      TestConfined|TestFolderBecameLink
hang-on-fifo         internal/source      TestChanges|TestNoRegularFile
open-to-all          layout               TestAccess
short-read           vfs                  TestVFSReadErrors
early-release        vfs                  TestVFSRead
old-node             vfs                  TestVFSPublishUntold
hidden-listed        vfs                  TestHidden
early-header         internal/web         TestFaultInBody
no-if-range          internal/web         TestReload|TestConformance
believe-date         internal/web         TestEntryChanged
raw-name             internal/web         TestOddNames
write-unchecked      internal/output      TestSourceChanges
"

run() { # package, tests; a bug may make one hang
	(cd "$1" && VZIP_SEEDED_BUG=$bug timeout "$([ "$bug" ] && echo 20 || echo 120)" "$work/${1//\//-}.test" -test.run "^($2)" -test.short) >"$work/out" 2>&1
}

caught=0 all=0
while read -r name package tests; do
	[ -n "$name" ] || continue
	binary="$work/${package//\//-}.test"
	[ -e "$binary" ] || "${GO:-go}" test -tags seeded -c -o "$binary" "./$package"
	bug="" run "$package" "$tests" || { cat "$work/out"; echo "without a bug, the tests of $package fail: $tests"; exit 1; }
	grep -q '^PASS' "$work/out" && ! grep -q 'no tests to run' "$work/out" || { echo "no test of $package has the name $tests"; exit 1; }
	all=$((all + 1))
	if bug=$name run "$package" "$tests"; then
		echo "not caught: $name, by $package $tests"
	else
		caught=$((caught + 1))
	fi
done <<<"$bugs"
echo "seeded bugs: $caught of $all caught"
[ "$caught" = "$all" ]

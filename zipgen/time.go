package zipgen

import (
	"math"
	"time"
)

// The first and last instants that an MS-DOS date and time can tell (4.4.6),
// in seconds since 1970-01-01 UTC.
const (
	minDOSTime = 315532800  // 1980-01-01 00:00:00
	maxDOSTime = 4354819198 // 2107-12-31 23:59:58
)

// dosTime returns the MS-DOS time and date fields of a Unix time (4.4.6), in
// UTC, rounded down to 2 s and clamped to the years that they can tell.
func dosTime(unix int64) (clock, date uint16) {
	t := time.Unix(min(max(unix, minDOSTime), maxDOSTime), 0).UTC()
	hour, minute, second := t.Clock()
	year, month, day := t.Date()
	return uint16(hour<<11 | minute<<5 | second/2), uint16((year-1980)<<9 | int(month)<<5 | day)
}

// fitsExtendedTimestamp tells whether an extended timestamp can tell a time: its
// 32 bits are signed, and readers disagree about the sign, so not before 1970.
func fitsExtendedTimestamp(unix int64) bool { return 0 <= unix && unix <= math.MaxInt32 }

// NTFS counts ticks of 100 ns since 1601-01-01 UTC, in 63 bits.
const (
	ntfsEpoch      = -11644473600 // in seconds since 1970
	ticksPerSecond = 10_000_000
)

func fitsNTFSTime(unix int64) bool {
	return ntfsEpoch <= unix && unix <= math.MaxInt64/ticksPerSecond+ntfsEpoch
}

func ntfsTime(unix int64) uint64 { return uint64(unix-ntfsEpoch) * ticksPerSecond }

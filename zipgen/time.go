package zipgen

import "math"

// The first and last instants that an MS-DOS date and time can tell (4.4.6),
// in seconds since 1970-01-01 UTC.
const (
	minDOSTime = 315532800  // 1980-01-01 00:00:00
	maxDOSTime = 4354819198 // 2107-12-31 23:59:58
)

// dosTime returns the MS-DOS time and date fields of a Unix time (4.4.6), in
// UTC, rounded down to 2 s and clamped to the years that they can tell.
func dosTime(unix int64) (clock, date uint16) {
	const (
		day      = 24 * 60 * 60
		century4 = 146097 // days of 400 years
		// From 0000-03-01, where years begin that end with their leap day, to 1970.
		toEpoch = 719468
	)
	seconds := uint64(min(max(unix, minDOSTime), maxDOSTime))
	second := seconds % day
	clock = uint16(second/3600<<11 | second/60%60<<5 | second%60/2)

	days := seconds/day + toEpoch
	era, days := days/century4, days%century4
	year := (days - days/1460 + days/36524 - days/146096) / 365
	days -= 365*year + year/4 - year/100
	month := (5*days + 2) / 153 // from March
	days -= (153*month + 2) / 5
	year += 400 * era
	if month += 3; month > 12 {
		month, year = month-12, year+1
	}
	return clock, uint16((year-1980)<<9 | month<<5 | (days + 1))
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

package zipgen

import (
	"encoding/binary"
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
	clock = uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
	date = uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day())
	return clock, date
}

// appendExtendedTimestamp appends the extended timestamp extra field
// (Info-ZIP's 0x5455; registered in 4.6.1) if the time fits its signed 32 bits.
// Times before 1970 are left out: readers disagree about the sign.
// It is the same in both headers, with the modification time alone.
//
//	offset  size  field
//	     0     2  header ID             0x5455
//	     2     2  data size             5
//	     4     1  flags                 1: modification time
//	     5     4  modification time     seconds since 1970-01-01 UTC
func appendExtendedTimestamp(b []byte, unix int64) []byte {
	if unix < 0 || unix > math.MaxInt32 {
		return b
	}
	b = binary.LittleEndian.AppendUint16(b, extendedTimestampID)
	b = binary.LittleEndian.AppendUint16(b, 5)
	b = append(b, 1)
	return binary.LittleEndian.AppendUint32(b, uint32(unix))
}

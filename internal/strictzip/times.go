package strictzip

import (
	"fmt"
	"math"
	"time"
)

const (
	minDOS = 315532800  // 1980-01-01 00:00:00 UTC
	maxDOS = 4354819198 // 2107-12-31 23:59:58 UTC

	ticksPerSecond = 10_000_000
	epochTicks     = 11644473600 // seconds from 1601-01-01 to 1970-01-01
)

// ModifiedUnix returns the modification time in seconds since 1970-01-01 UTC,
// rounded down, as the extra fields tell it. The MS-DOS fields don't count.
func (e *Entry) ModifiedUnix() (seconds int64, ok bool) {
	switch {
	case e.ModTime != nil:
		return *e.ModTime, true
	case e.NTFSTime != nil:
		return int64(*e.NTFSTime/ticksPerSecond) - epochTicks, true
	}
	return 0, false
}

// DOSUnix returns what the MS-DOS fields tell (4.4.6), read as UTC, in seconds
// since 1970-01-01. It fails for dates and times that no calendar has.
func (e *Entry) DOSUnix() (int64, error) {
	year, month, day := 1980+int(e.Date>>9), time.Month(e.Date>>5&15), int(e.Date&31)
	hour, minute, second := int(e.Clock>>11), int(e.Clock>>5&63), int(e.Clock&31)*2
	t := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
	// Date carries what is out of range over into the next field.
	if y, m, d := t.Date(); y != year || m != month || d != day || t.Hour() != hour || t.Minute() != minute || t.Second() != second {
		return 0, fmt.Errorf("%w: MS-DOS %04d-%02d-%02d %02d:%02d:%02d", ErrTime, year, month, day, hour, minute, second)
	}
	return t.Unix(), nil
}

// checkTime compares the MS-DOS fields with the extra fields: UTC, rounded down
// to 2 s, clamped. An extended timestamp is there whenever it can hold the time,
// and NTFS times only if not.
func (e *Entry) checkTime() error {
	dos, err := e.DOSUnix()
	if err != nil {
		return err
	}
	if e.ModTime != nil && e.NTFSTime != nil {
		return fmt.Errorf("%w: NTFS times beside an extended timestamp", ErrTime)
	}
	if e.NTFSTime != nil && *e.NTFSTime > math.MaxInt64 {
		return fmt.Errorf("%w: NTFS, %d is negative to readers", ErrTime, *e.NTFSTime)
	}
	unix, ok := e.ModifiedUnix()
	switch {
	case !ok && minDOS < dos && dos <= math.MaxInt32:
		return fmt.Errorf("%w: MS-DOS %d, and no extended timestamp", ErrTime, dos)
	case !ok:
		return nil
	case e.ModTime == nil && 0 <= unix && unix <= math.MaxInt32:
		return fmt.Errorf("%w: NTFS times where an extended timestamp can tell %d", ErrTime, unix)
	}
	if want := min(max(unix, minDOS), maxDOS) &^ 1; dos != want {
		return fmt.Errorf("%w: MS-DOS %d, extra field %d, so want %d", ErrTime, dos, unix, want)
	}
	return nil
}

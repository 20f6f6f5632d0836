package zipgen

import (
	"testing"
	"time"
)

// The calendar is that of package time, on every day that a ZIP can tell, and at the
// seconds around its ends.
func TestDOSTime(t *testing.T) {
	t.Parallel()
	check := func(unix int64) {
		u := time.Unix(min(max(unix, minDOSTime), maxDOSTime), 0).UTC()
		wantClock := uint16(u.Hour()<<11 | u.Minute()<<5 | u.Second()/2)
		wantDate := uint16((u.Year()-1980)<<9 | int(u.Month())<<5 | u.Day())
		if clock, date := dosTime(unix); clock != wantClock || date != wantDate {
			t.Errorf("%v: got %#04x %#04x, want %#04x %#04x", u, clock, date, wantClock, wantDate)
		}
	}
	const day = 24 * 60 * 60
	for unix, i := int64(minDOSTime), int64(0); unix <= maxDOSTime; unix, i = unix+day, i+1 {
		check(unix)
		check(unix - 1)
		check(unix + i*7919%day)
	}
	for _, unix := range []int64{-1 << 63, -1, 0, minDOSTime - 1, minDOSTime, maxDOSTime, maxDOSTime + 1, 1<<63 - 1} {
		check(unix)
	}
}

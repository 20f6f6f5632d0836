package strictzip

import "testing"

// What stands next to a rule, on its good side.
func TestGoodTimes(t *testing.T) {
	t.Parallel()
	ticks := func(unix int64) field { return ntfs(uint64(unix+epochTicks) * ticksPerSecond) }
	for _, test := range []struct {
		name        string
		clock, date uint16
		extra       []field
	}{
		{"1970", 0, 0x0021, []field{extended(0)}},
		{"1979-12-31 23:59:59", 0, 0x0021, []field{extended(minDOS - 1)}},
		{"1980-01-01 00:00:01", 0, 0x0021, []field{extended(minDOS + 1)}},
		{"1980-01-01 00:00:02", 1, 0x0021, []field{extended(minDOS + 2)}},
		{"2024-02-29 12:34:57", leapClock, leapDate, []field{extended(leapDay + 1)}},
		{"2038-01-19 03:14:07", 3<<11 | 14<<5 | 3, 58<<9 | 1<<5 | 19, []field{extended(1<<31 - 1)}},
		{"2038-01-19 03:14:08", 3<<11 | 14<<5 | 4, 58<<9 | 1<<5 | 19, nil},
		{"2038-01-19 03:14:09", 3<<11 | 14<<5 | 4, 58<<9 | 1<<5 | 19, []field{ticks(1<<31 + 1)}},
		{"2107-12-31 23:59:58", 0xbf7d, 0xff9f, []field{ticks(maxDOS)}},
		{"2108", 0xbf7d, 0xff9f, []field{ticks(maxDOS + 2)}},
		{"past 2107", 0xbf7d, 0xff9f, nil},
		{"before 1970", 0, 0x0021, nil},
		{"1969-12-31 23:59:59.9999999", 0, 0x0021, []field{ntfs(epochTicks*ticksPerSecond - 1)}},
		{"1601", 0, 0x0021, []field{ntfs(0)}},
		{"last NTFS time", 0xbf7d, 0xff9f, []field{ntfs(1<<63 - 1)}},
	} {
		e := newFile("a", "")
		e.setExtra(test.extra...)
		e.both(func(h *rawHeader) { h.clock, h.date = test.clock, test.date })
		a := &raw{entries: []*rawEntry{e}}
		a.layOut()
		s := a.render()
		if _, err := Parse(s, s.size); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestModifiedUnix(t *testing.T) {
	t.Parallel()
	entries := parseRaw(t, plain()).Entries
	if got, ok := entries[inFile].ModifiedUnix(); got != leapDay || !ok {
		t.Errorf("extended timestamp: got %d, %v", got, ok)
	}
	if got, ok := entries[inOld].ModifiedUnix(); got != -epochTicks || !ok || *entries[inOld].NTFSTime != 1 {
		t.Errorf("NTFS: got %d, %v", got, ok)
	}
	if got := entries[inOwned].Owner; got == nil || *got != (Owner{1000, 0xfffffffe}) {
		t.Errorf("owner: got %v", got)
	}
}

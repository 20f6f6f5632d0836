package zipgen

import (
	"fmt"
	"math"
	"testing"

	"vzip/internal/strictzip"
)

// Owners and NTFS times are there when asked for and needed, and break no rule,
// beside ZIP64 fields too.
func TestOptionsStrictly(t *testing.T) {
	t.Parallel()
	times := []int64{
		math.MinInt64, -11644473601, -11644473600, -1, 0, 315532799, 315532801, leapDay + 1, math.MaxInt32, math.MaxInt32 + 1,
		4354819198, 4354819199, 4354819200, 910692730085, 910692730086, math.MaxInt64,
	}
	for _, o := range []Options{{}, {Owners: true}, {NTFSTimes: true}, {Owners: true, NTFSTimes: true, Comment: "c"}} {
		var entries []Entry
		for i, unix := range times {
			d := fmt.Sprintf("%02d/", i)
			entries = append(entries,
				Entry{Name: d, Mode: mode0755, ModTime: unix},
				Entry{Name: d + "empty", Mode: mode0644, ModTime: unix},
				Entry{Name: d + "file", Mode: mode0644, Size: 0xffffffff - 2 + int64(i%4), ModTime: unix},
				Entry{Name: d + "link", Mode: modeLink, Size: 1, ModTime: unix})
		}
		for i := range entries {
			if o.Owners {
				entries[i].UID, entries[i].GID = uint32(i), math.MaxUint32-uint32(i)
			}
		}
		a, err := New(entries, o)
		if err != nil {
			t.Fatal(err)
		}
		r := a.NewReader(pattern{a})
		checkParsed(t, r, r, entries, patternCRC, o.Comment)
		got, err := strictzip.Parse(r, r.Size())
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		for i, p := range got.Entries {
			unix := entries[i].ModTime
			ntfs := o.NTFSTimes && (unix < 0 || unix > math.MaxInt32) && unix >= -11644473600 && unix <= 910692730085
			if (p.NTFSTime != nil) != ntfs || (p.Owner != nil) != o.Owners {
				t.Errorf("%+v: %q at %d: NTFS times %v, owner %v", o, p.Name, unix, p.NTFSTime != nil, p.Owner != nil)
			}
		}
	}
}

// Owners are the entries' own in every block.
func TestOwnersInBlocks(t *testing.T) {
	t.Parallel()
	var entries []Entry
	for i := range 2*runLen + 1 {
		entries = append(entries, Entry{Name: fmt.Sprintf("%06d", i), Mode: mode0644, ModTime: leapDay, UID: uint32(i) + 1, GID: ^uint32(i)})
	}
	a, err := New(entries, Options{Owners: true})
	if err != nil {
		t.Fatal(err)
	}
	r := a.NewReader(pattern{a})
	got, err := strictzip.Parse(r, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range got.Entries {
		if e := entries[i]; p.Owner == nil || p.Owner.UID != e.UID || p.Owner.GID != e.GID || a.Entry(i) != e {
			t.Fatalf("entry %d: got %+v, %+v; want %+v", i, p.Owner, a.Entry(i), e)
		}
	}
}

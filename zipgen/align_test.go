package zipgen

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"vzip/internal/strictzip"
)

// aligned lays entries out, and returns what strictzip reads of them.
func aligned(t *testing.T, o Options, entries []Entry) (*Archive, []strictzip.Entry) {
	t.Helper()
	a, err := New(entries, o)
	if err != nil {
		t.Fatal(err)
	}
	r := a.NewReader(pattern{a})
	check(t, r, entries, patternCRC, o.Comment)
	checkExtents(t, r)
	parsed, err := strictzip.Parse(r, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	return a, parsed.Entries
}

// Data of files of one block or more is aligned, at the least cost, and nothing else is
// padded.
func TestAlign(t *testing.T) {
	t.Parallel()
	for align := int64(MinAlign); align <= MaxAlign; align *= 2 {
		t.Run(fmt.Sprint(align), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(uint64(align), 3))
			times := []int64{leapDay, -1} // with and without an extended timestamp
			var entries []Entry
			for i := range 700 {
				d := fmt.Sprintf("%04d", i)
				entries = append(entries,
					Entry{Name: d + "/", Mode: mode0755, ModTime: leapDay},
					Entry{Name: d + "/" + strings.Repeat("n", 1+rnd.IntN(250)), Mode: mode0644, Size: align - 2 + rnd.Int64N(4*align), ModTime: times[i%2]},
					Entry{Name: d + "/~link", Mode: modeLink, Size: 1 + rnd.Int64N(2*align), ModTime: leapDay})
			}
			for i, size := range []int64{align - 1, align, align + 1, uint32max - 1, uint32max, uint32max + 1, align} {
				entries = append(entries, Entry{Name: fmt.Sprintf("~%d", i), Mode: mode0644, Size: size, ModTime: leapDay})
			}
			for _, o := range []Options{{Align: align}, {Align: align, Owners: true, NTFSTimes: true}} {
				a, parsed := aligned(t, o, entries)
				padded, reached := 0, 0
				for i, p := range parsed {
					e := entries[i]
					if e.Mode != mode0644 || e.Size < align {
						if p.Align != 0 {
							t.Fatalf("%q of %d bytes is padded", p.Name, p.Size)
						}
						continue
					}
					padded++
					least := min(align, 32<<10)
					if p.DataAt%least != 0 || p.DataAt != a.DataOffset(i) {
						t.Fatalf("%q: data at %d", p.Name, p.DataAt)
					}
					if p.DataAt%align == 0 {
						reached++
					}
				}
				// More than 32 KiB is not reached where the field would need more than 65,535 bytes.
				want := padded
				switch align {
				case 64 << 10:
					want = padded * 99 / 100
				case 128 << 10:
					want = padded * 2 / 5
				}
				if padded < 500 || reached < want {
					t.Errorf("%d of %d files are aligned to %d", reached, padded, align)
				}
			}
		})
	}
}

// Every distance to the next multiple is padded, by a field or by none.
func TestAlignDistances(t *testing.T) {
	t.Parallel()
	for n := range int64(MinAlign + 1) {
		entries := []Entry{
			{Name: "a", Mode: mode0644, Size: n, ModTime: leapDay},
			{Name: "b", Mode: mode0644, Size: 2 * MinAlign, ModTime: leapDay},
		}
		a, parsed := aligned(t, Options{Align: MinAlign}, entries)
		header := a.DataOffset(1) - a.HeaderOffset(1)
		if at := parsed[1].DataAt; at%MinAlign != 0 || header >= localHeaderLen+1+timestampFieldLen+MinAlign+alignmentFieldLen {
			t.Errorf("behind %d bytes: data at %d, header of %d bytes", n, at, header)
		}
	}
}

func TestAlignRefused(t *testing.T) {
	t.Parallel()
	for _, align := range []int64{-1, 1, 256, 511, 513, 4095, 3 << 10, 256 << 10, 1 << 62, -1 << 63} {
		if _, err := New(nil, Options{Align: align}); err == nil {
			t.Errorf("an alignment of %d is taken", align)
		}
	}
}

// Without files of a block an archive is as if there were no alignment.
func TestAlignSmall(t *testing.T) {
	t.Parallel()
	plain, padded := layOut(t, Options{}, kinds()...), layOut(t, Options{Align: 4 << 10}, kinds()...)
	sameBytes(t, readFull(t, padded), readFull(t, plain))
}

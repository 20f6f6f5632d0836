package zipgen

import (
	"fmt"
	"testing"

	"vzip/internal/strictzip"
)

// Archives at both sides of each limit. Their data is a pattern: nothing of
// 4 GiB is ever held or read.

func newPattern(t testing.TB, entries ...Entry) *Reader {
	t.Helper()
	a, err := New(entries, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a.NewReader(pattern{a})
}

// zip64Of returns which ZIP64 parts an archive has: its end records, and the
// data lengths of the entries' fields.
func zip64Of(t *testing.T, r *Reader) string {
	t.Helper()
	got, err := strictzip.Parse(r, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	s := fmt.Sprintf("end %v", got.ZIP64)
	for _, p := range got.Entries {
		s += fmt.Sprintf(", %s %d local %d central %d", p.Name, p.Needed, p.LocalZIP64, p.CentralZIP64)
	}
	return s
}

// fixedLen is the length of a one-byte name's local header without ZIP64.
const fixedLen = 30 + 1 + 9

func TestBoundaries(t *testing.T) {
	t.Parallel()
	sized := func(name string, size int64) Entry {
		return Entry{Name: name, Mode: mode0644, Size: size, ModTime: leapDay}
	}
	for _, test := range []struct {
		name    string
		entries []Entry
		want    string
	}{
		// Sizes: the directory passes 4 GiB with them, a file before does not.
		{"size fffffffe", []Entry{sized("a", 9), sized("b", 0xfffffffe)}, "end true, a 10 local 0 central 0, b 10 local 0 central 0"},
		{"size ffffffff", []Entry{sized("a", 9), sized("b", 0xffffffff)}, "end true, a 10 local 0 central 0, b 45 local 16 central 16"},
		{"size 100000000", []Entry{sized("a", 9), sized("b", 0x100000000)}, "end true, a 10 local 0 central 0, b 45 local 16 central 16"},
		{"size 40000000000", []Entry{sized("a", 9), sized("b", 0x40000000000)}, "end true, a 10 local 0 central 0, b 45 local 16 central 16"},

		// Offsets of the second header.
		{"offset fffffffe", []Entry{sized("a", 0xfffffffe-fixedLen), sized("b", 9)}, "end true, a 10 local 0 central 0, b 10 local 0 central 0"},
		{"offset ffffffff", []Entry{sized("a", 0xffffffff-fixedLen), sized("b", 9)}, "end true, a 10 local 0 central 0, b 45 local 0 central 8"},
		{"offset 100000000", []Entry{sized("a", 0x100000000-fixedLen), sized("b", 9)}, "end true, a 10 local 0 central 0, b 45 local 0 central 8"},
		{
			"directory past 4 GiB", []Entry{sized("a", 0x100000000), {Name: "b/", Mode: mode0755, Size: 0, ModTime: leapDay}, {Name: "c", Mode: modeLink, Size: 3, ModTime: leapDay}, {Name: "d", Mode: mode0644, Size: 0, ModTime: -1}},
			"end true, a 45 local 16 central 16, b/ 45 local 0 central 8, c 45 local 0 central 8, d 45 local 0 central 8",
		},
		{
			"sizes and offset", []Entry{sized("a", 0xfffffffe), sized("b", 0xffffffff), sized("c", 0xfffffffe)},
			"end true, a 10 local 0 central 0, b 45 local 16 central 24, c 45 local 16 central 24",
		},

		// Behind an entry of 0xffffffff bytes sizes stand in the ZIP64 field.
		{
			"entries behind ffffffff", []Entry{sized("a", 0xffffffff), {Name: "b/", Mode: mode0755, ModTime: leapDay}, sized("b/c", 0xffffffff), sized("d", 0), sized("e", 5)},
			"end true, a 45 local 16 central 16, b/ 45 local 16 central 24, b/c 45 local 16 central 24, d 45 local 16 central 24, e 45 local 0 central 8",
		},

		// The directory's offset alone: the end records change, no header does.
		{"directory at fffffffe", []Entry{sized("a", 0xfffffffe-fixedLen)}, "end false, a 10 local 0 central 0"},
		{"directory at ffffffff", []Entry{sized("a", 0xffffffff-fixedLen)}, "end true, a 10 local 0 central 0"},
		{"directory at 100000000", []Entry{sized("a", 0x100000000-fixedLen)}, "end true, a 10 local 0 central 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newPattern(t, test.entries...)
			if got := zip64Of(t, r); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			check(t, r, test.entries, patternCRC, "")
			checkSeams(t, r)
		})
	}
}

// checkSeams reads across every border of two extents, and compares the data's
// side with the pattern.
func checkSeams(t *testing.T, r *Reader) {
	t.Helper()
	for x := range r.Extents(0, r.Size()) {
		if x.Kind != Data {
			continue
		}
		for _, at := range []int64{0, x.Len / 2, x.Len - 1} {
			off := max(0, x.Offset+at-100)
			for k, got := range readRange(t, r, off, min(200, r.Size()-off)) {
				at := off + int64(k) - x.Offset
				if at < 0 || at >= x.Len {
					continue
				}
				if want := patternByte(x.Entry, at); got != want {
					t.Fatalf("entry %d, byte %d: got %#x, want %#x", x.Entry, at, got, want)
				}
			}
		}
	}
}

// ZIP64 headers, byte by byte.
func TestZIP64Headers(t *testing.T) {
	t.Parallel()
	r := newPattern(t, Entry{Name: "a", Mode: mode0644, Size: 0xffffffff, ModTime: leapDay}, Entry{Name: "b", Mode: mode0644, Size: 0x123456789a, ModTime: -1})
	for _, test := range []struct {
		name  string
		kind  Kind
		entry int
		want  string
	}{
		{"local", LocalHeader, 0, `
			50 4b 03 04  2d 00           // version needed 4.5
			00 00  00 00  5c 64 5d 58
			b1 79 37 9e                  // CRC-32
			ff ff ff ff  ff ff ff ff     // sizes: in the ZIP64 field
			01 00 1d 00  61
			01 00 10 00                  // ZIP64
			ff ff ff ff 00 00 00 00      // uncompressed
			ff ff ff ff 00 00 00 00      // compressed
			55 54 05 00 01 f0 79 e0 65`},
		{"central with sizes", CentralHeader, 0, `
			50 4b 01 02  2d 03  2d 00    // made by: Unix, 4.5; version needed 4.5
			00 00  00 00  5c 64 5d 58
			b1 79 37 9e
			ff ff ff ff  ff ff ff ff
			01 00 1d 00  00 00  00 00  00 00  00 00 a4 81
			00 00 00 00                  // offset
			61
			01 00 10 00  ff ff ff ff 00 00 00 00  ff ff ff ff 00 00 00 00
			55 54 05 00 01 f0 79 e0 65`},
		{"local without extended timestamp", LocalHeader, 1, `
			50 4b 03 04  2d 00  00 00  00 00  00 00 21 00
			63 f3 6e 3c
			ff ff ff ff  ff ff ff ff
			01 00 14 00  62
			01 00 10 00  9a 78 56 34 12 00 00 00  9a 78 56 34 12 00 00 00`},
		{"central with sizes and offset", CentralHeader, 1, `
			50 4b 01 02  2d 03  2d 00  00 00  00 00  00 00 21 00
			63 f3 6e 3c
			ff ff ff ff  ff ff ff ff
			01 00 1c 00  00 00  00 00  00 00  00 00 a4 81
			ff ff ff ff                  // offset: in the ZIP64 field
			62
			01 00 18 00                  // ZIP64
			9a 78 56 34 12 00 00 00      // uncompressed
			9a 78 56 34 12 00 00 00      // compressed
			3b 00 00 00 01 00 00 00      // offset: 0xffffffff + 60`},
	} {
		x := r.extent(test.kind, test.entry)
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sameBytes(t, readRange(t, r, x.Offset, x.Len), fromHex(t, test.want))
		})
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{65534, 65535, 65536} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			entries := make([]Entry, n)
			for i := range entries {
				entries[i] = Entry{Name: fmt.Sprintf("%05d", i), Mode: mode0644, Size: int64(i % 3), ModTime: leapDay}
			}
			r := newPattern(t, entries...)
			parsed, err := strictzip.Parse(source(t, r), r.Size())
			if err != nil {
				t.Fatal(err)
			}
			if got, want := parsed.ZIP64, n >= 65535; got != want {
				t.Errorf("ZIP64 end records: got %v, want %v", got, want)
			}
			check(t, r, entries, patternCRC, "")
		})
	}
}

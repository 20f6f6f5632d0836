package zipgen

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klauspost/compress/flate"
)

// packed returns an entry with a compressed size.
func packed(e Entry, size int64) Entry {
	e.CompressedSize = size
	return e
}

// deflatable tells whether an entry may have a compressed size.
func deflatable(e Entry) bool { return e.Mode&TypeMask == TypeFile && e.Size > 0 }

// sameArchive compares the layout, and all bytes but those of data.
func sameArchive(t testing.TB, got, want *Archive) {
	t.Helper()
	if got.Size() != want.Size() || got.Len() != want.Len() || got.Comment() != want.Comment() {
		t.Fatalf("got %d bytes, %d entries, comment %q; want %d, %d, %q", got.Size(), got.Len(), got.Comment(), want.Size(), want.Len(), want.Comment())
	}
	g, w := got.NewReader(pattern{got}), want.NewReader(pattern{want})
	all := slices.Collect(want.Extents(0, want.Size()))
	if mine := slices.Collect(got.Extents(0, got.Size())); !slices.Equal(mine, all) {
		t.Fatalf("Extents: got %v, want %v", mine, all)
	}
	for _, x := range all {
		if x.Kind == Data {
			continue
		}
		if a, b := readRange(t, g, x.Offset, x.Len), readRange(t, w, x.Offset, x.Len); !bytes.Equal(a, b) {
			t.Fatalf("%+v: got\n% x, want\n% x", x, a, b)
		}
	}
}

// relayout has Deflated lay a stored archive out for the entries' compressed sizes.
func relayout(t testing.TB, o Options, entries []Entry) (*Archive, error) {
	t.Helper()
	plain := make([]Entry, len(entries))
	for i, e := range entries {
		plain[i] = packed(e, 0)
	}
	a, err := New(plain, o)
	if err != nil {
		t.Fatal(err)
	}
	before := 0
	return a.Deflated(func(i int) int64 {
		if e := a.Entry(i); !deflatable(e) || i < before {
			t.Fatalf("asked for %q, a %#o of %d bytes, after entry %d", e.Name, e.Mode, e.Size, before)
		}
		before = i
		return entries[i].CompressedSize
	})
}

// An archive that is laid out again is what it would have been from the start, as often as
// that is done; the one that it was made of stays.
func TestDeflatedAnew(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 5))
			n := rnd.IntN(80)
			if seed == 0 {
				n = 2*runLen + 3
			}
			o := fuzzOptions(byte(rnd.IntN(40)), "")
			entries := sortedEntries(t, randomFiles(rnd, n))
			stored, err := New(entries, o)
			if err != nil {
				t.Fatal(err)
			}
			last := stored
			for range 3 {
				for i, e := range entries {
					if deflatable(e) {
						entries[i].CompressedSize = [...]int64{0, 1 + rnd.Int64N(e.Size), e.Size + rnd.Int64N(6), min(e.Size, uint32max)}[rnd.IntN(4)]
					}
				}
				want, err := New(entries, o)
				if err != nil {
					t.Fatal(err)
				}
				got, err := relayout(t, o, entries)
				if err != nil {
					t.Fatal(err)
				}
				sameArchive(t, got, want)
				again, err := last.Deflated(func(i int) int64 { return entries[i].CompressedSize })
				if err != nil {
					t.Fatal(err)
				}
				sameArchive(t, again, want)
				check(t, got.NewReader(pattern{got}), entries, patternCRC, "")
				last = again
			}
			back, err := last.Deflated(func(int) int64 { return 0 })
			if err != nil {
				t.Fatal(err)
			}
			for i := range entries {
				entries[i].CompressedSize = 0
			}
			sameArchive(t, back, stored)
			check(t, stored.NewReader(pattern{stored}), entries, patternCRC, "")
		})
	}
}

// sortedEntries returns the files' entries in the archive's order, with larger sizes than
// their data has.
func sortedEntries(t testing.TB, files []file) []Entry {
	t.Helper()
	a, err := New(entriesOf(files), Options{})
	if err != nil {
		t.Fatal(err)
	}
	entries := make([]Entry, a.Len())
	for i := range entries {
		if entries[i] = a.Entry(i); !deflatable(entries[i]) {
			continue
		}
		switch i % 7 {
		case 0:
			entries[i].Size *= 1000
		case 1:
			entries[i].Size += uint32max - 5
		}
	}
	return entries
}

// Either size may be the one that calls for ZIP64.
func TestDeflatedBoundaries(t *testing.T) {
	t.Parallel()
	sized := func(name string, size, compressed int64) Entry {
		return Entry{Name: name, Mode: mode0644, Size: size, CompressedSize: compressed, ModTime: leapDay}
	}
	for name, test := range map[string]struct {
		entries []Entry
		want    string
	}{
		"small":                       {[]Entry{sized("a", 100, 9), sized("b", 9, 0)}, "end false, a 20 local 0 central 0, b 10 local 0 central 0"},
		"size fffffffe":               {[]Entry{sized("a", 0xfffffffe, 9), sized("b", 9, 8)}, "end false, a 20 local 0 central 0, b 20 local 0 central 0"},
		"size ffffffff":               {[]Entry{sized("a", 0xffffffff, 9), sized("b", 9, 8), sized("c", 9, 8)}, "end false, a 45 local 16 central 16, b 45 local 16 central 16, c 20 local 0 central 0"},
		"size 100000000":              {[]Entry{sized("a", 0x100000000, 9), sized("b", 9, 8)}, "end false, a 45 local 16 central 16, b 20 local 0 central 0"},
		"compressed fffffffe":         {[]Entry{sized("a", 0xfffffff0, 0xfffffffe), sized("b", 9, 8)}, "end true, a 20 local 0 central 0, b 45 local 0 central 8"},
		"compressed ffffffff":         {[]Entry{sized("a", 0xfffffff0, 0xffffffff), sized("b", 9, 8), sized("c", 9, 8)}, "end true, a 45 local 16 central 16, b 45 local 16 central 24, c 45 local 0 central 8"},
		"compressed 100000000":        {[]Entry{sized("a", 0xfffffff0, 0x100000000), sized("b", 9, 8)}, "end true, a 45 local 16 central 16, b 45 local 0 central 8"},
		"compressed ffffffff of more": {[]Entry{sized("a", 1<<40, 0xffffffff), sized("b", 9, 0), sized("c", 9, 0)}, "end true, a 45 local 16 central 16, b 45 local 16 central 24, c 45 local 0 central 8"},
		"both ffffffff":               {[]Entry{sized("a", 0xffffffff, 0xffffffff), sized("b", 9, 0)}, "end true, a 45 local 16 central 16, b 45 local 16 central 24"},
		"both fffffffe":               {[]Entry{sized("a", 0xfffffffe, 0xfffffffe), sized("b", 9, 0)}, "end true, a 20 local 0 central 0, b 45 local 0 central 8"},
		"offset fffffffe":             {[]Entry{sized("a", 1<<40, 0xfffffffe-fixedLen-20), sized("b", 9, 8)}, "end true, a 45 local 16 central 16, b 20 local 0 central 0"},
		"offset ffffffff":             {[]Entry{sized("a", 1<<40, 0xffffffff-fixedLen-20), sized("b", 9, 8)}, "end true, a 45 local 16 central 16, b 45 local 0 central 8"},
		"link behind ffffffff":        {[]Entry{sized("a", 0xffffffff, 9), {Name: "b", Mode: modeLink, Size: 3, ModTime: leapDay}}, "end false, a 45 local 16 central 16, b 45 local 16 central 16"},
		"folder behind ffffffff":      {[]Entry{sized("a", 0xfffffffe, 0xffffffff), {Name: "b/", Mode: mode0755, ModTime: leapDay}}, "end true, a 45 local 16 central 16, b/ 45 local 16 central 24"},
		"stored behind deflated":      {[]Entry{sized("a", 1<<40, 9), sized("b", 0xffffffff, 0), sized("c", 9, 8)}, "end true, a 45 local 16 central 16, b 45 local 16 central 16, c 45 local 16 central 24"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := New(test.entries, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := zip64Of(t, want.NewReader(pattern{want})); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			got, err := relayout(t, Options{}, test.entries)
			if err != nil {
				t.Fatal(err)
			}
			sameArchive(t, got, want)
			check(t, got.NewReader(pattern{got}), test.entries, patternCRC, "")
			r := got.NewReader(pattern{got})
			checkExtents(t, r)
			checkSeams(t, r)
		})
	}
}

// Headers of deflated entries, byte by byte.
func TestDeflatedHeaders(t *testing.T) {
	t.Parallel()
	a, err := New([]Entry{
		{Name: "a", Mode: mode0644, Size: 0x12345, CompressedSize: 0x678, ModTime: leapDay},
		{Name: "b", Mode: mode0644, Size: 0x123456789a, CompressedSize: 0x9abc, ModTime: -1},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := a.NewReader(pattern{a})
	for _, test := range []struct {
		name  string
		kind  Kind
		entry int
		want  string
	}{
		{"local", LocalHeader, 0, `
			50 4b 03 04  14 00           // version needed 2.0
			00 00  08 00  5c 64 5d 58    // flags, deflated
			b1 79 37 9e                  // CRC-32
			78 06 00 00  45 23 01 00     // compressed, uncompressed
			01 00 09 00  61
			55 54 05 00 01 f0 79 e0 65`},
		{"central", CentralHeader, 0, `
			50 4b 01 02  1e 03  14 00    // made by: Unix, 3.0
			00 00  08 00  5c 64 5d 58
			b1 79 37 9e
			78 06 00 00  45 23 01 00
			01 00 09 00  00 00  00 00  00 00  00 00 a4 81
			00 00 00 00  61
			55 54 05 00 01 f0 79 e0 65`},
		{"local with ZIP64", LocalHeader, 1, `
			50 4b 03 04  2d 00  00 00  08 00  00 00 21 00
			63 f3 6e 3c
			ff ff ff ff  ff ff ff ff     // both: in the ZIP64 field
			01 00 14 00  62
			01 00 10 00
			9a 78 56 34 12 00 00 00      // uncompressed
			bc 9a 00 00 00 00 00 00      // compressed`},
		{"central with ZIP64", CentralHeader, 1, `
			50 4b 01 02  2d 03  2d 00  00 00  08 00  00 00 21 00
			63 f3 6e 3c
			ff ff ff ff  ff ff ff ff
			01 00 14 00  00 00  00 00  00 00  00 00 a4 81
			a0 06 00 00                  // offset: 30 + 1 + 9 + 0x678
			62
			01 00 10 00
			9a 78 56 34 12 00 00 00
			bc 9a 00 00 00 00 00 00`},
	} {
		x := r.extent(test.kind, test.entry)
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sameBytes(t, readRange(t, r, x.Offset, x.Len), fromHex(t, test.want))
		})
	}
}

// Stored data stays aligned between deflated data, which is not.
func TestDeflatedUnaligned(t *testing.T) {
	t.Parallel()
	const align = 4 << 10
	rnd := rand.New(rand.NewPCG(1, 6))
	var entries []Entry
	for i := range 300 {
		e := Entry{Name: fmt.Sprintf("%03d", i), Mode: mode0644, Size: align + rnd.Int64N(3*align), ModTime: leapDay}
		if i%3 != 0 {
			e.CompressedSize = 1 + rnd.Int64N(3*align)
		}
		entries = append(entries, e)
	}
	a, err := relayout(t, Options{Align: align}, entries)
	if err != nil {
		t.Fatal(err)
	}
	want, err := New(entries, Options{Align: align})
	if err != nil {
		t.Fatal(err)
	}
	sameArchive(t, a, want)
	for i, e := range entries {
		header := a.DataOffset(i) - a.HeaderOffset(i)
		if e.CompressedSize > 0 && header != localHeaderLen+3+timestampFieldLen {
			t.Errorf("%q is deflated, and its local header has %d bytes", e.Name, header)
		}
		if e.CompressedSize == 0 && a.DataOffset(i)%align != 0 {
			t.Errorf("%q is stored, and its data is at %d", e.Name, a.DataOffset(i))
		}
	}
}

// Data that is deflated in truth is what archive/zip inflates.
func TestDeflatedData(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(2, 6))
	files := randomFiles(rnd, 200)
	stored := layOut(t, Options{}, files...)
	plain := stored.content.(memContent)
	inArchive := make(memContent, len(plain))
	a, err := stored.Archive.Deflated(func(i int) int64 {
		if i%4 == 0 {
			return 0
		}
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 6)
		_, _ = io.WriteString(w, plain[i])
		w.Close()
		inArchive[i] = b.String()
		return int64(b.Len())
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range inArchive {
		if inArchive[i] == "" {
			inArchive[i] = plain[i]
		}
	}
	r := a.NewReader(deflatedContent{plain, inArchive})
	full := readFull(t, r)
	z, err := zip.NewReader(bytes.NewReader(full), r.Size())
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range z.File {
		d, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(d); err != nil || string(got) != plain[i] {
			t.Errorf("%q: got %q and error %v, want %q", f.Name, got, err, plain[i])
		}
	}
	for range 300 {
		off := rnd.Int64N(r.Size())
		n := 1 + rnd.Int64N(min(r.Size()-off, 3000))
		if !bytes.Equal(readRange(t, r, off, n), full[off:off+n]) {
			t.Fatalf("%d bytes at %d are others than in the whole", n, off)
		}
	}
}

type deflatedContent struct{ plain, inArchive memContent }

func (c deflatedContent) CRC32(i int) (uint32, error) {
	return crc32.ChecksumIEEE([]byte(c.plain[i])), nil
}

func (c deflatedContent) ReadEntryAt(i int, p []byte, off int64) error {
	return c.inArchive.ReadEntryAt(i, p, off)
}

func TestDeflatedErrors(t *testing.T) {
	t.Parallel()
	file := Entry{Name: "a", Mode: mode0644, Size: 9, ModTime: leapDay}
	for name, e := range map[string]Entry{
		"negative":   packed(file, -1),
		"least":      packed(file, math.MinInt64),
		"empty file": {Name: "a", Mode: mode0644, CompressedSize: 2},
		"directory":  {Name: "a/", Mode: mode0755, CompressedSize: 2},
		"link":       {Name: "a", Mode: modeLink, Size: 3, CompressedSize: 2},
		"too large":  packed(file, math.MaxInt64-1<<20),
	} {
		if _, err := New([]Entry{e}, Options{}); !errors.Is(err, ErrSize) {
			t.Errorf("%s: got error %v, want %v", name, err, ErrSize)
		}
	}
	a, err := New([]Entry{file, {Name: "b", Mode: mode0644, Size: 5}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{-1, math.MinInt64, math.MaxInt64, math.MaxInt64 - 1<<20, math.MaxInt64/2 + 1} {
		if got, err := a.Deflated(func(int) int64 { return size }); !errors.Is(err, ErrSize) || got != nil {
			t.Errorf("%d bytes: got error %v, want %v", size, err, ErrSize)
		}
	}
	// A stored archive that is nearly too large may be laid out once it is deflated, and a
	// deflated one again.
	large, err := New([]Entry{{Name: "a", Mode: mode0644, Size: math.MaxInt64 - 1<<21}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	small, err := large.Deflated(func(int) int64 { return 1 })
	if err != nil || small.Size() > 300 {
		t.Errorf("got %d bytes and error %v", small.Size(), err)
	}
	if _, err := small.Deflated(func(int) int64 { return math.MaxInt64 - 1<<20 }); !errors.Is(err, ErrSize) {
		t.Errorf("got error %v, want %v", err, ErrSize)
	}
}

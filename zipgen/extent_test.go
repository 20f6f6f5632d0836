package zipgen

import (
	"math"
	"slices"
	"testing"

	"vzip/internal/strictzip"
)

// extentsOf makes the list of extents from what an archive's bytes tell.
func extentsOf(t testing.TB, r *Reader) []Extent {
	t.Helper()
	got, err := strictzip.Parse(source(t, r), r.Size())
	if err != nil {
		t.Fatal(err)
	}
	var want []Extent
	for i, p := range got.Entries {
		want = append(want, Extent{LocalHeader, i, p.HeaderAt, p.DataAt - p.HeaderAt})
		if p.Size > 0 {
			want = append(want, Extent{Data, i, p.DataAt, p.CompressedSize})
		}
	}
	endAt := got.DirectoryAt + got.DirectoryLen
	for i, p := range got.Entries {
		next := endAt
		if i+1 < len(got.Entries) {
			next = got.Entries[i+1].CentralAt
		}
		want = append(want, Extent{CentralHeader, i, p.CentralAt, next - p.CentralAt})
	}
	return append(want, Extent{End, len(got.Entries), endAt, r.Size() - endAt})
}

// checkExtents holds Extents and Extent against that list, and returns it.
func checkExtents(t testing.TB, r *Reader) []Extent {
	t.Helper()
	want := extentsOf(t, r)
	if got := slices.Collect(r.Extents(0, r.Size())); !slices.Equal(got, want) {
		t.Fatalf("Extents: got %v, want %v", got, want)
	}
	at := int64(0)
	for _, x := range want {
		if x.Offset != at || x.Len <= 0 {
			t.Fatalf("%+v: want it at %d, with a length", x, at)
		}
		at += x.Len
		for _, off := range []int64{x.Offset, x.Offset + x.Len/2, x.Offset + x.Len - 1} {
			if got := r.Extent(off); got != x {
				t.Errorf("Extent(%d): got %+v, want %+v", off, got, x)
			}
		}
	}
	if at != r.Size() {
		t.Errorf("extents end at %d, the archive at %d", at, r.Size())
	}
	return want
}

// checkRange holds the extents of a range against those that lie in it.
func checkRange(t testing.TB, a *Archive, all []Extent, off, n int64) {
	t.Helper()
	var want []Extent
	for _, x := range all {
		if n > 0 && off < x.Offset+x.Len && x.Offset-off < n {
			want = append(want, x)
		}
	}
	if got := slices.Collect(a.Extents(off, n)); !slices.Equal(got, want) {
		t.Fatalf("Extents(%d, %d): got %v, want %v", off, n, got, want)
	}
}

func TestExtents(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]file{
		"empty":     nil,
		"file":      {regular("a", "data")},
		"no data":   {regular("a", "")},
		"all kinds": kinds(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := layOut(t, Options{Comment: "end"}, files...)
			all := checkExtents(t, r)
			for off := range r.Size() {
				for _, n := range []int64{0, 1, 2, 50, r.Size() - off, math.MaxInt64} {
					checkRange(t, r.Archive, all, off, n)
				}
			}
		})
	}
}

func TestExtentsOutside(t *testing.T) {
	t.Parallel()
	r := layOut(t, Options{}, kinds()...)
	for _, test := range []struct{ off, n int64 }{
		{-1, 10}, {0, 0}, {0, -1}, {5, math.MinInt64}, {r.Size(), 1}, {math.MaxInt64, math.MaxInt64}, {math.MinInt64, math.MaxInt64},
	} {
		if got := slices.Collect(r.Extents(test.off, test.n)); len(got) > 0 {
			t.Errorf("Extents(%d, %d): got %v, want none", test.off, test.n, got)
		}
	}
}

func TestExtentsStop(t *testing.T) {
	t.Parallel()
	r := layOut(t, Options{}, kinds()...)
	n := 0
	for x := range r.Extents(0, r.Size()) {
		if n++; x.Kind == Data {
			break
		}
	}
	if n != 4 { // the headers of "d/", "d/empty" and "d/link", and the link's target
		t.Errorf("got %d extents up to the first data, want 4", n)
	}
}

// extent returns the extent of one kind of entry i.
func (a *Archive) extent(k Kind, i int) Extent {
	var c cursor
	if c.enter(a, LocalHeader, i); k == Data {
		c.toData()
	} else if k == CentralHeader {
		c.enter(a, k, i)
	}
	return c.Extent
}

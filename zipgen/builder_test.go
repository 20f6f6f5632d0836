package zipgen

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// build adds entries and returns the builder.
func build(t testing.TB, entries ...Entry) *Builder {
	t.Helper()
	b := NewBuilder(Options{Comment: "end"})
	for _, e := range entries {
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// finish returns all bytes of the headers and the end of a builder's archive.
func finish(t testing.TB, b *Builder) []byte {
	t.Helper()
	a, err := b.Archive()
	if err != nil {
		t.Fatal(err)
	}
	r := a.NewReader(pattern{a})
	var all []byte
	for x := range a.Extents(0, a.Size()) {
		if x.Kind != Data {
			all = append(all, readRange(t, r, x.Offset, x.Len)...)
		}
	}
	return all
}

func plain(names ...string) []Entry {
	var entries []Entry
	for _, name := range names {
		e := Entry{Name: name, Mode: TypeFile | 0o600, Size: 3, ModTime: leapDay}
		if strings.HasSuffix(name, "/") {
			e = Entry{Name: name, Mode: TypeDir | 0o700, Size: 0, ModTime: leapDay}
		}
		entries = append(entries, e)
	}
	return entries
}

// A refused entry leaves the builder as it was.
func TestAddErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		before []Entry
		bad    Entry
		want   error
		after  []Entry
	}{
		{"no name", nil, Entry{Name: "", Mode: TypeFile, Size: 0, ModTime: 0}, ErrName, plain("a")},
		{"absolute", plain("a"), Entry{Name: "/b", Mode: TypeFile, Size: 0, ModTime: 0}, ErrName, plain("b")},
		{"parent", plain("a"), Entry{Name: "b/../c", Mode: TypeFile, Size: 0, ModTime: 0}, ErrName, plain("b")},
		{"long", plain("a"), Entry{Name: strings.Repeat("b", 65536), Mode: TypeFile, Size: 0, ModTime: 0}, ErrName, plain("b")},

		{"order", plain("b"), plain("a")[0], ErrOrder, plain("c")},
		{"order of bytes", plain("a"), plain("Z")[0], ErrOrder, plain("b")},
		{"order of directory and child", plain("d/a"), plain("d/")[0], ErrOrder, plain("d/b")},
		{"order of directory and sibling", plain("a/"), plain("a-")[0], ErrOrder, plain("a0")},

		{"same name", plain("a", "b"), plain("b")[0], ErrDuplicate, plain("c")},
		{"same directory", plain("d/"), plain("d/")[0], ErrDuplicate, plain("d/a")},
		{"same name, another type", plain("b"), Entry{Name: "b", Mode: modeLink, Size: 1, ModTime: 0}, ErrDuplicate, plain("c")},
		{"file and directory", plain("a"), plain("a/")[0], ErrDuplicate, plain("b")},
		{"file and its child", plain("a"), plain("a/b")[0], ErrDuplicate, plain("b")},
		{"link and its child", []Entry{{Name: "a", Mode: modeLink, Size: 1, ModTime: 0}}, plain("a/b")[0], ErrDuplicate, plain("b")},
		{"file and its grandchild", plain("a"), plain("a/b/c")[0], ErrDuplicate, plain("b")},
		{"file and directory, siblings between", plain("a", "a-b", "a.b/", "a.b/c"), plain("a/")[0], ErrDuplicate, plain("b")},
		{"file and child, siblings between", plain("a", "a-b", "a.b/", "a.b/c"), plain("a/b")[0], ErrDuplicate, plain("b")},
		{"file and child, directories between", plain("a", "a-/b/c"), plain("a/b/c/")[0], ErrDuplicate, plain("b")},
		{"file and child, deeper", plain("x/", "x/a", "x/a-b"), plain("x/a/b")[0], ErrDuplicate, plain("x/b")},
		{"file and child, no entry above", plain("x/a", "x/a!b"), plain("x/a/b/c")[0], ErrDuplicate, plain("x/b")},

		{"no type", plain("a"), Entry{Name: "b", Mode: 0o644, Size: 0, ModTime: 0}, ErrMode, plain("b")},
		{"device", plain("a"), Entry{Name: "b", Mode: 0o060644, Size: 0, ModTime: 0}, ErrMode, plain("b")},
		{"pipe", plain("a"), Entry{Name: "b", Mode: 0o010644, Size: 0, ModTime: 0}, ErrMode, plain("b")},
		{"socket", plain("a"), Entry{Name: "b", Mode: 0o140644, Size: 0, ModTime: 0}, ErrMode, plain("b")},
		{"unknown bits", plain("a"), Entry{Name: "b", Mode: TypeFile | 1<<16, Size: 0, ModTime: 0}, ErrMode, plain("b")},
		{"directory without slash", plain("a"), Entry{Name: "b", Mode: TypeDir, Size: 0, ModTime: 0}, ErrMode, plain("b")},
		{"file with slash", plain("a"), Entry{Name: "b/", Mode: TypeFile, Size: 0, ModTime: 0}, ErrMode, plain("b/")},
		{"link with slash", plain("a"), Entry{Name: "b/", Mode: modeLink, Size: 1, ModTime: 0}, ErrMode, plain("b/")},
		{"no type with slash", plain("a"), Entry{Name: "b/", Mode: 0o755, Size: 0, ModTime: 0}, ErrMode, plain("b/")},

		{"negative size", plain("a"), Entry{Name: "b", Mode: TypeFile, Size: -1, ModTime: 0}, ErrSize, plain("b")},
		{"least size", plain("a"), Entry{Name: "b", Mode: TypeFile, Size: math.MinInt64, ModTime: 0}, ErrSize, plain("b")},
		{"directory with data", plain("a"), Entry{Name: "b/", Mode: TypeDir, Size: 1, ModTime: 0}, ErrSize, plain("b/")},
		{"greatest size", plain("a"), Entry{Name: "b", Mode: TypeFile, Size: math.MaxInt64, ModTime: 0}, ErrSize, plain("b")},
		{
			"sum of sizes", []Entry{{Name: "a", Mode: TypeFile, Size: 1 << 62, ModTime: 0}},
			Entry{Name: "b", Mode: TypeFile, Size: 1 << 62, ModTime: 0}, ErrSize, plain("b"),
		},
		{
			"sum past 2^64", []Entry{{Name: "a", Mode: TypeFile, Size: math.MaxInt64 - 1<<21, ModTime: 0}},
			Entry{Name: strings.Repeat("b", 65535), Mode: TypeFile, Size: math.MaxInt64, ModTime: 0}, ErrSize, plain("b"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := build(t, test.before...)
			err := b.Add(test.bad)
			if !errors.Is(err, test.want) {
				t.Fatalf("Add: got %v, want %v", err, test.want)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			for _, e := range test.after {
				if err := b.Add(e); err != nil {
					t.Fatalf("Add after the error: %v", err)
				}
			}
			want := finish(t, build(t, append(test.before[:len(test.before):len(test.before)], test.after...)...))
			sameBytes(t, finish(t, b), want)

			entries := append(test.before[:len(test.before):len(test.before)], test.bad)
			if _, err := New(entries, Options{}); test.want != ErrOrder && !errors.Is(err, test.want) {
				t.Errorf("New: got %v, want %v", err, test.want)
			}
		})
	}
}

// Names that look like the duplicates above, and are none.
func TestAddNeighbours(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{
		{"a", "a-/b", "b"},
		{"a", "ab/c", "abc"},
		{"a-", "a/", "a/a", "a0"},
		{"a/a/", "a/a/a", "a/aa/a", "aa"},
		{"x/a/b", "x/b", "y/a", "y/b/c"},
		{"a", "b/a", "c/a/d", "d"},
	} {
		b := build(t, plain(names...)...)
		if a, err := b.Archive(); err != nil || a.Len() != len(names) {
			t.Errorf("%q: got %v, want %d entries", names, err, len(names))
		}
	}
}

// The greatest archive: what a file's size leaves of 2^63-1 bytes is 1 MiB for
// the end records, 60 bytes of local and 76 of central header.
func TestGreatestSize(t *testing.T) {
	t.Parallel()
	const most = math.MaxInt64 - 1<<20 - 60 - 76
	b := NewBuilder(Options{Comment: strings.Repeat("c", MaxNameLen)})
	if err := b.Add(Entry{Name: "a", Mode: mode0644, Size: most + 1, ModTime: leapDay}); !errors.Is(err, ErrSize) {
		t.Errorf("Add of %d bytes: got %v, want %v", int64(most+1), err, ErrSize)
	}
	e := Entry{Name: "a", Mode: mode0644, Size: most, ModTime: leapDay}
	if err := b.Add(e); err != nil {
		t.Fatalf("Add of %d bytes: %v", int64(most), err)
	}
	a, err := b.Archive()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := a.Size(), int64(math.MaxInt64-1<<20+56+20+22+MaxNameLen); got != want {
		t.Errorf("Size: got %d, want %d", got, want)
	}
	r := a.NewReader(pattern{a})
	check(t, r, []Entry{e}, patternCRC, strings.Repeat("c", MaxNameLen))
	checkExtents(t, r)
}

// Entries are refused around the border of two runs too, and no run keeps
// room for more.
func TestAddErrorsAtRunBorder(t *testing.T) {
	t.Parallel()
	var entries []Entry
	for i := range runLen + 1 {
		entries = append(entries, Entry{Name: fmt.Sprintf("%09d", i), Mode: mode0644, Size: 1, ModTime: leapDay})
	}
	for _, n := range []int{runLen - 1, runLen, runLen + 1} {
		b := build(t, entries[:n]...)
		if err := b.Add(entries[n-1]); !errors.Is(err, ErrDuplicate) {
			t.Errorf("%d entries: got %v, want %v", n, err, ErrDuplicate)
		}
		if err := b.Add(entries[0]); n > 1 && !errors.Is(err, ErrOrder) {
			t.Errorf("%d entries: got %v, want %v", n, err, ErrOrder)
		}
		if got, want := finish(t, b), finish(t, build(t, entries[:n]...)); string(got) != string(want) {
			t.Errorf("%d entries: refused ones change the bytes", n)
		}
		for i, r := range b.names.runs {
			if len(r.own) != cap(r.own) || len(r.folders) != cap(r.folders) || len(r.ends) != cap(r.ends) {
				t.Errorf("%d entries: run %d has room for more names: %d of %d bytes, folders %d of %d, %d of %d",
					n, i, len(r.own), cap(r.own), len(r.folders), cap(r.folders), len(r.ends), cap(r.ends))
			}
		}
	}
}

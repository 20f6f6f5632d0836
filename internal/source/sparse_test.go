package source

import (
	"os"
	"slices"
	"testing"
)

// unit is a multiple of every file system's block size, so that holes are kept
// as they were made.
const unit = 64 << 10

type span struct{ start, end int64 }

// sparse makes a file of the given size with data in some spans alone.
func sparse(t *testing.T, path string, size int64, data ...span) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(size))
	for _, s := range data {
		p := make([]byte, s.end-s.start)
		for i := range p {
			p[i] = 'x'
		}
		_, err := f.WriteAt(p, s.start)
		must(t, err)
	}
}

func TestNextData(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		size int64
		data []span
	}{
		{"empty", 0, nil},
		{"no hole", 4 * unit, []span{{0, 4 * unit}}},
		{"no hole, odd size", unit + 1, []span{{0, unit + 1}}},
		{"all hole", 4 * unit, nil},
		{"all hole, odd size", 4*unit + 1, nil},
		{"all hole, large", 1 << 42, nil},
		{"at begin", 4 * unit, []span{{2 * unit, 4 * unit}}},
		{"in the middle", 4 * unit, []span{{0, unit}, {3 * unit, 4 * unit}}},
		{"at end", 4 * unit, []span{{0, unit}}},
		{"at end, odd size", 4*unit + 1, []span{{0, unit}}},
		{"everywhere", 9*unit + 1, []span{{unit, 2 * unit}, {3 * unit, 5 * unit}, {8 * unit, 9*unit + 1}}},
	}
	for fs, dir := range testFolders(t) {
		for _, tt := range tests {
			t.Run(fs+" "+tt.name, func(t *testing.T) {
				r := Ref{Root: dir, Rel: tt.name}
				sparse(t, r.Path(), tt.size, tt.data...)
				f, err := Open(r, lstat(t, r).Identity)
				must(t, err)
				defer f.Close()
				offs := []int64{0, 1, tt.size / 2, tt.size - 1, tt.size, tt.size + 1}
				for _, s := range tt.data {
					offs = append(offs, s.start-1, s.start, s.start+1, s.end-1, s.end)
				}
				for _, off := range offs {
					if off < 0 {
						continue
					}
					want := span{tt.size, tt.size}
					if i := slices.IndexFunc(tt.data, func(s span) bool { return off < s.end }); i >= 0 {
						want = span{max(off, tt.data[i].start), tt.data[i].end}
					}
					start, end, err := f.NextData(off)
					if got := (span{start, end}); err != nil || got != want {
						t.Errorf("from %d: got %v and error %v, want %v", off, got, err, want)
					}
				}
			})
		}
	}
}

// Data past the size that was scanned is none of the file's.
func TestNextDataOfGrownFile(t *testing.T) {
	t.Parallel()
	r := Ref{Root: t.TempDir(), Rel: "file"}
	sparse(t, r.Path(), 4*unit, span{0, unit})
	f, err := Open(r, lstat(t, r).Identity)
	must(t, err)
	defer f.Close()
	for _, added := range []span{{8 * unit, 9 * unit}, {2 * unit, 9 * unit}} {
		sparse(t, r.Path(), 9*unit, span{0, unit}, added)
		want := span{min(added.start, 4*unit), 4 * unit}
		start, end, err := f.NextData(unit)
		if got := (span{start, end}); err != nil || got != want {
			t.Errorf("data at %v added: got %v and error %v, want %v", added, got, err, want)
		}
	}
}

// Where a file system does not tell holes all is data.
func TestNextDataWithoutHoles(t *testing.T) {
	t.Parallel()
	r := Ref{Root: "/proc", Rel: "self/status"}
	r.Follow = true
	f, err := Open(r, lstat(t, r).Identity)
	must(t, err)
	defer f.Close()
	f.size = 100
	start, end, err := f.NextData(7)
	if got, want := (span{start, end}), (span{7, 100}); err != nil || got != want {
		t.Errorf("got %v and error %v, want %v", got, err, want)
	}
}

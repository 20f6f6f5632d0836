package zipgen

import "testing"

// constant is content that takes no work and no memory.
type constant struct{}

func (constant) CRC32(int) (uint32, error)            { return 0x12345678, nil }
func (constant) ReadEntryAt(int, []byte, int64) error { return nil }

// Reading allocates nothing, whatever it reads. Not parallel: AllocsPerRun
// counts the whole process.
func TestReadAtAllocs(t *testing.T) {
	entries := append(entriesOf(kinds()), Entry{Name: "zip64", Mode: mode0644, Size: 1 << 33, ModTime: leapDay}, Entry{Name: "zip64 too", Mode: mode0644, Size: 99, ModTime: -1})
	a, err := New(entries, Options{Comment: "end", Owners: true, NTFSTimes: true})
	if err != nil {
		t.Fatal(err)
	}
	r := a.NewReader(constant{})
	directory, _ := a.Directory()
	zip64, _ := a.Find("zip64")
	for _, test := range []struct {
		name   string
		off, n int64
	}{
		{"local header", a.HeaderOffset(zip64), 40},
		{"within a local header", a.HeaderOffset(zip64) + 7, 9},
		{"data", a.DataOffset(zip64) + 1<<32, 4096},
		{"first entries", 0, a.HeaderOffset(zip64)},
		{"central header", directory + 3, 20},
		{"directory and end", directory, a.Size() - directory},
		{"data and directory", directory - 200, 500},
		{"end", a.Size() - 25, 25},
	} {
		buf := make([]byte, test.n)
		if got := testing.AllocsPerRun(100, func() {
			if _, err := r.ReadAt(buf, test.off); err != nil {
				t.Error(err)
			}
		}); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", test.name, got)
		}
	}
	if got := testing.AllocsPerRun(100, func() {
		for x := range a.Extents(0, a.Size()) {
			_ = a.Extent(x.Offset)
		}
		a.Find("d/link")
	}); got != 0 {
		t.Errorf("Extents, Extent and Find: got %v allocations, want 0", got)
	}
}

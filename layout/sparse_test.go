package layout

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"vzip/internal/source"
)

// Sparse entries are those that save a block, and the bytes that they save add up to
// those of any volumes.
func TestSparse(t *testing.T) {
	t.Parallel()
	const n = 6000 // more than a run
	rnd := rand.New(rand.NewPCG(3, 4))
	var items []item
	var want []uint32
	var total int64
	for i := range n {
		it := item{rel: fmt.Sprintf("%06d", i)}
		it.name = "src/" + it.rel
		it.stat = source.Stat{Mode: unix.S_IFREG | 0o644, Nlink: 1, Dev: 1}
		it.stat.Size = rnd.Int64N(1 << rnd.IntN(44))
		it.stat.Blocks = uint64(it.stat.Size/512) + 8
		switch rnd.IntN(4) {
		case 0:
			it.stat.Blocks = rnd.Uint64N(it.stat.Blocks)
		case 1:
			it.stat.Blocks = 0
		case 2:
			it.stat.Blocks = 1 << 63
		}
		switch rnd.IntN(20) {
		case 0: // what it is not says nothing of holes
			it.stat.Mode, it.target = unix.S_IFLNK|0o777, "x"
		default:
			if saved := it.stat.Size - int64(min(it.stat.Blocks, 1<<50))*512; saved >= 128<<10 {
				want = append(want, uint32(i))
				total += saved
			}
		}
		items = append(items, it)
	}
	p := collected(t, n, slices.Values(items))
	if !slices.Equal(p.Sparse(), want) || len(want) == 0 {
		t.Fatalf("got %d sparse entries, want %d", len(p.Sparse()), len(want))
	}
	if got := p.Holes(0, p.Size()); got != total {
		t.Errorf("got %d bytes in holes, want %d", got, total)
	}
	for _, split := range []int64{p.Size(), p.Size() - 1, p.Size() / 2, p.Size() / 777} {
		var sum int64
		volumes := int64(0)
		for off := int64(0); off < p.Size(); off += split {
			size := min(split, p.Size()-off)
			got := p.Holes(off, size)
			if got < 0 || got > size {
				t.Errorf("%d bytes from %d on: %d of them in holes", size, off, got)
			}
			sum += got
			volumes++
		}
		if lost := total - sum; lost < 0 || lost > volumes { // each cuts one entry
			t.Errorf("volumes of %d: %d bytes in holes, want %d", split, sum, total)
		}
	}
	for k, entry := range want {
		start := p.DataOffset(int(entry))
		end := start + p.EntrySize(int(entry))
		for off, first := range map[int64]int{start - 30: k, start: k, end - 1: k, end: k + 1} {
			if got := p.FirstSparse(off); got != first {
				t.Fatalf("entry %d, offset %d: got place %d, want %d", entry, off, got, first)
			}
		}
		if p.Holes(end, 1) != 0 || p.Holes(start-1, 1) != 0 {
			t.Fatalf("entry %d: headers have holes", entry)
		}
	}
}

// A scan finds files with holes, and no others.
func TestSparseScan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/")
	for name, size := range map[string]int64{"small": 100 << 10, "sparse": 1 << 20, "zero": 0} {
		must(t, os.WriteFile(filepath.Join(dir, "src", name), nil, 0o644))
		must(t, os.Truncate(filepath.Join(dir, "src", name), size))
	}
	must(t, os.WriteFile(filepath.Join(dir, "src/dense"), make([]byte, 1<<20), 0o644))
	plans, _ := scanAll(t, load(t, dir, one("directories: false", "source: src")))
	p := plans[0]
	var got []string
	for _, i := range p.Sparse() {
		got = append(got, p.EntryName(int(i)))
	}
	if !slices.Equal(got, []string{"src/sparse"}) || p.Holes(0, p.Size()) != 1<<20 {
		t.Errorf("got %q, %d bytes in holes", got, p.Holes(0, p.Size()))
	}
}

package layout

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
	"vzip/internal/source"
)

// synthetic yields the files of a tree that was unpacked at once: sizes and times of
// their own, inode numbers nearly in order, 1,000 files a folder.
func synthetic(n int) iter.Seq[item] {
	return func(yield func(item) bool) {
		rnd := rand.New(rand.NewPCG(9, 10))
		unpacked := time.Date(2024, 5, 6, 7, 8, 9, 123, time.UTC).UnixNano()
		for i := range n {
			it := item{rel: fmt.Sprintf("folder-%05d/file-%08d.txt", i/1000, i)}
			it.name = "src/" + it.rel
			born := unpacked + int64(i)*20_000 + rnd.Int64N(20_000)
			it.stat = source.Stat{Mode: unix.S_IFREG | 0o644, Nlink: 1, UID: 1000, GID: 1000, Dev: 1, Identity: source.Identity{
				Size: rnd.Int64N(100_000), Ino: 1000 + uint64(i) + rnd.Uint64N(50),
				Btime: born, Ctime: born + rnd.Int64N(100_000), Mtime: unpacked - rnd.Int64N(3e8)*1e9,
			}}
			it.stat.Blocks = uint64(it.stat.Size)/4096*8 + 8
			if !yield(it) {
				return
			}
		}
	}
}

// collected makes a plan of n files that are nowhere.
func collected(t testing.TB, n int, items iter.Seq[item]) *Plan {
	t.Helper()
	dir := t.TempDir()
	tree(t, dir, "src/")
	l := load(t, dir, one("directories: false", "source: src"))
	s := &scan{layout: l, a: &l.Archives[0], problems: &Problems{}, warn: func(f string, args ...any) { t.Errorf(f, args...) }}
	p := s.collect(items)
	if err := s.problems.orNil(); err != nil || p.Len() != n {
		t.Fatalf("got %d entries, error %v", p.Len(), err)
	}
	return p
}

// What a plan takes, its names and the archive's layout included. Not parallel: what
// others allocate would count.
func TestMemory(t *testing.T) {
	const most = 42 // bytes an entry; 17 of them a name's own part
	n := figure.N(200_000, 10_000_000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p := collected(t, n, synthetic(n))
	runtime.GC()
	runtime.ReadMemStats(&after)
	got := (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / float64(n)
	if got > most {
		t.Errorf("got %.1f bytes an entry, want at most %d", got, most)
	}
	figure.Print(t, "a plan of %d files: %.1f bytes each, of them 17 its name's own", n, got)
	runtime.KeepAlive(p)
}

// What a plan tells of sources is what was put into it, whatever the numbers are.
func TestPlanSources(t *testing.T) {
	t.Parallel()
	const n = 5000 // more than a run
	items := func(yield func(item) bool) {
		i := 0
		for it := range synthetic(n) {
			switch i++; {
			case i%5 == 0:
				it.stat.Btime = 0 // the file system has none
			case i%7 == 0:
				it.stat.Mtime = math.MinInt64
			case i%11 == 0:
				it.stat.Ctime, it.stat.Ino = math.MaxInt64, math.MaxUint64
			}
			if !yield(it) {
				return
			}
		}
	}
	p := collected(t, n, items)
	i := 0
	for it := range items {
		ref, _ := p.Source(i)
		if got := p.Identity(i); got != it.stat.Identity || ref.Rel != it.rel || p.Device(i) != 1 || p.OriginInode(i) != it.stat.Ino || !p.IsFile(i) || p.HardLinked(i) {
			t.Fatalf("entry %d: got %+v, %q on %d, want %+v, %q", i, got, ref.Rel, p.Device(i), it.stat.Identity, it.rel)
		}
		i++
	}
}

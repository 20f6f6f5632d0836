package zipgen

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// The content does nothing here: what is measured is the layout alone.

// numbered returns n entries of size bytes each.
func numbered(n int, size int64) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = Entry{Name: fmt.Sprintf("dir %04d/file %08d", i/1000, i), Mode: mode0644, Size: size, ModTime: leapDay}
	}
	return entries
}

func benchReader(b *testing.B, entries []Entry) *Reader {
	b.Helper()
	a, err := New(entries, Options{})
	if err != nil {
		b.Fatal(err)
	}
	return a.NewReader(constant{})
}

var layouts = []struct {
	name  string
	count int
	size  int64
}{
	{"100,000 of 1 KiB", 100_000, 1 << 10},
	{"100,000 empty", 100_000, 0},
	{"1 of 1 TiB", 1, 1 << 40},
}

// BenchmarkReadAt reads 1 MiB after the other.
func BenchmarkReadAt(b *testing.B) {
	for _, l := range layouts {
		b.Run(l.name, func(b *testing.B) {
			r := benchReader(b, numbered(l.count, l.size))
			buf := make([]byte, 1<<20)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			off := int64(0)
			for b.Loop() {
				if _, err := r.ReadAt(buf, off); err != nil {
					b.Fatal(err)
				}
				if off += int64(len(buf)); off+int64(len(buf)) > r.Size() {
					off = 0
				}
			}
		})
	}
}

// BenchmarkReadAtRandom4K reads 4 KiB anywhere.
func BenchmarkReadAtRandom4K(b *testing.B) {
	for _, l := range layouts {
		b.Run(l.name, func(b *testing.B) {
			r := benchReader(b, numbered(l.count, l.size))
			rnd := rand.New(rand.NewPCG(1, 2))
			buf := make([]byte, 4<<10)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.ReadAt(buf, rnd.Int64N(r.Size()-int64(len(buf)))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBuild lays out a million entries, and tells what one takes in time
// and memory, its name included.
func BenchmarkBuild(b *testing.B) {
	entries := numbered(1_000_000, 1000)
	var before, after runtime.MemStats
	var a *Archive
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		var builder Builder
		for _, e := range entries {
			if err := builder.Add(e); err != nil {
				b.Fatal(err)
			}
		}
		var err error
		if a, err = builder.Archive(); err != nil {
			b.Fatal(err)
		}
	}
	elapsed := b.Elapsed()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(a.Len()), "B/entry")
	b.ReportMetric(float64(elapsed.Nanoseconds())/float64(b.N)/float64(a.Len()), "ns/entry")
	runtime.KeepAlive(entries)
	runtime.KeepAlive(a)
}

// BenchmarkGrowth reads 128 KiB at random of archives with ever more entries of 4 KiB,
// finds entries by name, and tells what each entry takes.
func BenchmarkGrowth(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000, 10_000_000} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var builder Builder
		for i := range n {
			e := Entry{Name: fmt.Sprintf("dir %05d/file %08d", i/1000, i), Mode: mode0644, Size: 4 << 10, ModTime: leapDay}
			if err := builder.Add(e); err != nil {
				b.Fatal(err)
			}
		}
		a, err := builder.Archive()
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		perEntry := float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
		r, rnd, buf := a.NewReader(constant{}), rand.New(rand.NewPCG(1, 2)), make([]byte, 128<<10)
		b.Run(fmt.Sprintf("ReadAt/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := r.ReadAt(buf, rnd.Int64N(r.Size()-int64(len(buf)))); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(perEntry, "B/entry")
		})
		b.Run(fmt.Sprintf("Extent/%d", n), func(b *testing.B) {
			for b.Loop() {
				a.Extent(rnd.Int64N(a.Size()))
			}
		})
		b.Run(fmt.Sprintf("Find/%d", n), func(b *testing.B) {
			names := make([]string, 1000)
			for i := range names {
				names[i] = a.EntryName(rnd.IntN(n))
			}
			for i := 0; b.Loop(); i++ {
				if _, ok := a.Find(names[i%len(names)]); !ok {
					b.Fatal(names[i%len(names)])
				}
			}
		})
	}
}

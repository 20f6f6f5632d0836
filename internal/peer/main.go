// Command peer measures package zipgen beside the way in which other Go libraries
// give a ZIP file's bytes at any offset: with every header in memory. The library
// that it stands for is github.com/martin-sucha/zipserve; what is measured is a model
// of it that does what it does with each entry, but renders simpler headers: without
// DOS times, zones and a look at the name's encoding.
//
// It prints a table, compares with the aims, and exits with 1 where one is missed.
package main

import (
	"archive/zip"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vzip/zipgen"
)

const (
	entrySize = 4 << 10
	readSize  = 128 << 10
	rounds    = 3
	reads     = 5000 // a round
)

var modified = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// contents are all entries' data, in both libraries: copied, or, to measure what is
// theirs alone, left as it is.
type contents struct {
	data []byte
	copy bool
}

func (c *contents) ReadAt(p []byte, off int64) (int, error) {
	if c.copy {
		copy(p, c.data[off:])
	}
	return len(p), nil
}

// crcs are what zipgen asks its user for.
type crcs struct {
	*contents
	sums []uint32
}

func (c *crcs) CRC32(i int) (uint32, error) { return c.sums[i], nil }

func (c *crcs) ReadEntryAt(_ int, p []byte, off int64) error {
	_, err := c.ReadAt(p, off)
	return err
}

// figures are of one library.
type figures struct{ build, kept, read, copied []float64 }

// archive is what either library makes.
type archive struct {
	io.ReaderAt
	size int64
}

// input is what both libraries build from.
type input struct {
	names []string
	data  *contents
}

// builder prepares the entries as a library wants them; build is what is measured.
type builder func(in *input) (build func() archive)

// byModel builds with every header in memory.
func byModel(in *input) func() archive {
	sources := sourcesOf(in)
	return func() archive {
		m := newModel(sources, false)
		return archive{m, m.size}
	}
}

func sourcesOf(in *input) []source {
	sources := make([]source, len(in.names))
	for i, name := range in.names {
		sources[i] = source{&zip.FileHeader{Name: name, Modified: modified, CRC32: uint32(i), CompressedSize64: entrySize, UncompressedSize64: entrySize}, in.data}
	}
	return sources
}

// wholeModel returns the CPU seconds that the model takes with its ETag.
func wholeModel(in *input) float64 {
	sources := sourcesOf(in)
	used := cpu()
	newModel(sources, true)
	return cpu() - used
}

// byZipgen builds with zipgen.
func byZipgen(in *input) func() archive {
	c := &crcs{in.data, make([]uint32, len(in.names))}
	for i := range c.sums {
		c.sums[i] = uint32(i)
	}
	return func() archive {
		var b zipgen.Builder
		for _, name := range in.names {
			if err := b.Add(zipgen.Entry{Name: name, Mode: zipgen.TypeFile | 0o644, Size: entrySize, ModTime: modified.Unix()}); err != nil {
				panic(err)
			}
		}
		a, err := b.Archive()
		if err != nil {
			panic(err)
		}
		return archive{a.NewReader(c), a.Size()}
	}
}

// cpu returns the CPU seconds of the process, what others do on the machine left out.
func cpu() float64 { return used(syscall.RUSAGE_SELF) }

func used(who int) float64 {
	var r syscall.Rusage
	_ = syscall.Getrusage(who, &r)
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// measure builds an archive and reads of it.
func (f *figures) measure(in *input, prepare builder) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := heap()
	build := prepare(in)
	runtime.GC()
	begin := cpu()
	a := build()
	f.build = append(f.build, cpu()-begin)
	build = nil
	f.kept = append(f.kept, (heap()-before)/float64(len(in.names)))
	for _, in.data.copy = range []bool{false, true} {
		rnd, buf := rand.New(rand.NewPCG(1, 2)), make([]byte, readSize)
		begin := used(unix.RUSAGE_THREAD)
		for range reads {
			if _, err := a.ReadAt(buf, rnd.Int64N(a.size-readSize)); err != nil {
				return err
			}
		}
		took := (used(unix.RUSAGE_THREAD) - begin) * 1e6 / reads
		if in.data.copy {
			f.copied = append(f.copied, took)
		} else {
			f.read = append(f.read, took)
		}
	}
	runtime.KeepAlive(a)
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func run(n int) (missed bool, err error) {
	in := &input{data: &contents{data: make([]byte, entrySize)}}
	for i := range n {
		in.names = append(in.names, fmt.Sprintf("folder-%04d/file-%07d.txt", i/1000, i))
	}
	var peer, own figures
	for range rounds {
		if err := peer.measure(in, byModel); err != nil {
			return false, err
		}
		if err := own.measure(in, byZipgen); err != nil {
			return false, err
		}
	}
	fmt.Printf("%d entries of %d bytes, medians of %d rounds\n\n", n, entrySize, rounds)
	fmt.Println("| | headers in memory | zipgen | ratio | aim |\n| --- | --- | --- | --- | --- |")
	for _, row := range []struct {
		what      string
		peer, own []float64
		aim       float64 // times less
	}{
		{"build, CPU s", []float64{wholeModel(in)}, own.build, 5},
		{"build, without its ETag, CPU s", peer.build, own.build, 0},
		{"memory kept, bytes an entry", peer.kept, own.kept, 4},
		{"ReadAt of 128 KiB, without the data, CPU µs", peer.read, own.read, 3},
		{"ReadAt of 128 KiB, data copied, CPU µs", peer.copied, own.copied, 0},
	} {
		ratio, held := median(row.peer)/median(row.own), "-"
		if row.aim > 0 {
			held = fmt.Sprintf("%g or more: HOLDS", row.aim)
			if ratio < row.aim {
				held, missed = fmt.Sprintf("%g or more: MISSED", row.aim), true
			}
		}
		fmt.Printf("| %s | %.2f | %.2f | %.1f | %s |\n", row.what, median(row.peer), median(row.own), ratio, held)
	}
	return missed, nil
}

func main() {
	n := flag.Int("n", 1_000_000, "entries")
	flag.Parse()
	missed, err := run(*n)
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
	}
	if missed || err != nil {
		os.Exit(1)
	}
}

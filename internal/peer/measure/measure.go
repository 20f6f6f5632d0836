// Package measure measures package zipgen beside another library that gives a ZIP
// file's bytes at any offset. It prints a table of ratios, with the aims beside them.
package measure

import (
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
	EntrySize = 4 << 10 // bytes
	readSize  = 128 << 10
	rounds    = 3
	reads     = 5000 // a round
)

// Modified is the time of every entry.
var Modified = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

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

// Archive is what either library makes.
type Archive struct {
	io.ReaderAt
	Size int64 // bytes
}

// Input is what both libraries build from.
type Input struct {
	Names []string
	data  *contents
}

// Data returns what all entries hold: EntrySize bytes.
func (in *Input) Data() io.ReaderAt { return in.data }

// Builder prepares the entries as a library wants them; build is what is measured.
type Builder func(in *Input) (build func() Archive)

// Peer is a library that zipgen is measured beside.
type Peer struct {
	Name  string
	Build Builder
	// Whole returns the CPU seconds that a build takes with what Build leaves out, nil
	// if it leaves nothing out.
	Whole func(in *Input) float64
}

// byZipgen builds with zipgen.
func byZipgen(in *Input) func() Archive {
	c := &crcs{in.data, make([]uint32, len(in.Names))}
	for i := range c.sums {
		c.sums[i] = uint32(i)
	}
	return func() Archive {
		var b zipgen.Builder
		for _, name := range in.Names {
			if err := b.Add(zipgen.Entry{Name: name, Mode: zipgen.TypeFile | 0o644, Size: EntrySize, ModTime: Modified.Unix()}); err != nil {
				panic(err)
			}
		}
		a, err := b.Archive()
		if err != nil {
			panic(err)
		}
		return Archive{a.NewReader(c), a.Size()}
	}
}

// CPU returns the CPU seconds of the process, what others do on the machine left out.
func CPU() float64 { return used(syscall.RUSAGE_SELF) }

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
func (f *figures) measure(in *Input, prepare Builder) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := heap()
	build := prepare(in)
	runtime.GC()
	begin := CPU()
	a := build()
	f.build = append(f.build, CPU()-begin)
	build = nil
	f.kept = append(f.kept, (heap()-before)/float64(len(in.Names)))
	for _, in.data.copy = range []bool{false, true} {
		rnd, buf := rand.New(rand.NewPCG(1, 2)), make([]byte, readSize)
		begin := used(unix.RUSAGE_THREAD)
		for range reads {
			if _, err := a.ReadAt(buf, rnd.Int64N(a.Size-readSize)); err != nil {
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

// row is a line of the table.
type row struct {
	what      string
	peer, own []float64
	aim       float64 // times less, 0 for none
}

func run(n int, p Peer) (missed bool, err error) {
	in := &Input{data: &contents{data: make([]byte, EntrySize)}}
	for i := range n {
		in.Names = append(in.Names, fmt.Sprintf("folder-%04d/file-%07d.txt", i/1000, i))
	}
	var peer, own figures
	for range rounds {
		if err := peer.measure(in, p.Build); err != nil {
			return false, err
		}
		if err := own.measure(in, byZipgen); err != nil {
			return false, err
		}
	}
	rows := []row{
		{"build, CPU s", peer.build, own.build, 5},
		{"memory kept, bytes an entry", peer.kept, own.kept, 4},
		{"ReadAt of 128 KiB, without the data, CPU µs", peer.read, own.read, 3},
		{"ReadAt of 128 KiB, data copied, CPU µs", peer.copied, own.copied, 0},
	}
	if p.Whole != nil {
		rows[0] = row{"build, without its ETag, CPU s", peer.build, own.build, 0}
		rows = slices.Insert(rows, 0, row{"build, CPU s", []float64{p.Whole(in)}, own.build, 5})
	}
	fmt.Printf("%d entries of %d bytes, medians of %d rounds\n\n", n, EntrySize, rounds)
	fmt.Printf("| | %s | zipgen | ratio | aim |\n| --- | --- | --- | --- | --- |\n", p.Name)
	for _, row := range rows {
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

// Main is the main function of a command that measures beside p. It exits with 1 where
// an aim is missed.
func Main(p Peer) {
	n := flag.Int("n", 1_000_000, "entries")
	flag.Parse()
	missed, err := run(*n, p)
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
	}
	if missed || err != nil {
		os.Exit(1)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// latencies are of reads, in microseconds.
type latencies struct {
	P50, P99 float64
	Rate     float64 // reads a second, of all readers
}

// random reads blocks at random places of an archive, in fresh mounts.
func random(b *bench) error {
	d, err := b.makeHashed("random", files{b.scaled(100000), 16 * kib})
	if err != nil {
		return err
	}
	if err := b.makeZIP(d); err != nil {
		return err
	}
	peers := []peer{b.vzipPeer(vzipCRC), b.loopbacks()[0], b.loopbacks()[1], b.shipped(), zipPeer()}
	t := table{
		title:  fmt.Sprintf("pread(2) at random places of an archive of %d files of 16 KiB, microseconds", len(d.files)),
		header: []string{"", "p50", "p99", "reads a second", "CPU µs a read", "p50 to the loopback", "p99 to it"},
	}
	for _, c := range randomCases {
		var rows []row
		count := max(c.readers*20, b.scaled(c.count))
		for _, p := range peers {
			rows = append(rows, row{p.name, func() (sample, error) {
				return b.with(p, d, func(path string, _ *mount) (sample, error) {
					return b.readRandom("-size", strconv.Itoa(c.size), "-readers", strconv.Itoa(c.readers), "-count", strconv.Itoa(count), path)
				})
			}})
		}
		results, err := b.measure(c.String(), b.rounds, rows)
		if err != nil {
			return err
		}
		b.recordAll(c.String(), 0, results)
		base := find(results, shippedServed)
		for _, r := range results {
			t.add(c.String()+": "+r.name, number(r.extra["p50"]), number(r.extra["p99"]), number(r.extra["rate"]), number(r.cpu()/float64(count)*1e6),
				ratio(r.extra["p50"], base.extra["p50"]), ratio(r.extra["p99"], base.extra["p99"]))
		}
	}
	t.print(b.stdout)
	return nil
}

// randomCase is how large the reads are, and how many at once.
type randomCase struct{ size, readers, count int }

func (c randomCase) String() string {
	return fmt.Sprintf("%d KiB, %d at once", c.size/kib, c.readers)
}

var randomCases = []randomCase{
	{4 * kib, 1, 20000}, {4 * kib, 8, 40000},
	{128 * kib, 1, 4000}, {128 * kib, 8, 8000},
}

// readRandom runs the child that reads at random, and takes its figures.
func (b *bench) readRandom(args ...string) (sample, error) {
	return b.latenciesOf(b.asChild("random", args...))
}

// latenciesOf runs a child that prints latencies, and takes them.
func (b *bench) latenciesOf(c command) (sample, error) {
	c.out = &bytes.Buffer{}
	s, err := b.run(c)
	if err != nil {
		return s, err
	}
	var l latencies
	if err := json.Unmarshal(c.out.Bytes(), &l); err != nil {
		return s, err
	}
	s.extra = map[string]float64{"p50": l.P50, "p99": l.P99, "rate": l.Rate}
	return s, nil
}

// randomChild reads blocks at random places of a file, and prints the latencies. A
// thread reads by system calls that Go's scheduler does not see, for it would be a
// part of what is measured.
func randomChild(args []string) error {
	fs := flag.NewFlagSet("random", flag.ContinueOnError)
	size := fs.Int("size", 4*kib, "of a block")
	readers := fs.Int("readers", 1, "at once")
	count := fs.Int("count", 1000, "of blocks, all readers")
	span := fs.Int64("span", 0, "the first bytes of the file, where to read; 0: all")
	direct := fs.Bool("direct", false, "O_DIRECT: past the kernel's cache")
	if err := fs.Parse(args); err != nil || fs.NArg() != 1 {
		return errors.Join(err, errors.New("the word is FILE"))
	}
	flags := unix.O_RDONLY | unix.O_CLOEXEC
	if *direct {
		flags |= unix.O_DIRECT
	}
	fd, err := unix.Open(fs.Arg(0), flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if *span == 0 || *span > st.Size {
		*span = st.Size
	}
	if *span < int64(*size) {
		return errors.New("the file is too small")
	}
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(*readers + 1) // what a thread has while it reads
	return printLatencies(*readers, func(i int) ([]int64, error) {
		runtime.LockOSThread()
		return readBlocks(fd, *size, *count / *readers, *span, uint64(i))
	})
}

// printLatencies prints the latencies of so many readers at once; read does what one of
// them does, and returns the nanoseconds of each read.
func printLatencies(readers int, read func(i int) ([]int64, error)) error {
	took, failures := make([][]int64, readers), make([]error, readers)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range readers {
		all.Go(func() { took[i], failures[i] = read(i) })
	}
	all.Wait()
	elapsed := time.Since(begin)
	if err := errors.Join(failures...); err != nil {
		return err
	}
	sorted := slices.Concat(took...)
	slices.Sort(sorted)
	return json.NewEncoder(os.Stdout).Encode(latencies{
		P50: quantile(sorted, 0.5) / 1e3, P99: quantile(sorted, 0.99) / 1e3,
		Rate: float64(len(sorted)) / elapsed.Seconds(),
	})
}

// readBlocks returns the nanoseconds of each read, of blocks that stand at multiples
// of 4 KiB.
func readBlocks(fd, size, count int, span int64, seed uint64) ([]int64, error) {
	buffer, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Munmap(buffer) }()
	rnd := rand.New(rand.NewPCG(seed, 1))
	took := make([]int64, count)
	places := (span-int64(size))/4096 + 1
	for i := range took {
		offset := rnd.Int64N(places) * 4096
		begin := time.Now()
		n, _, errno := unix.RawSyscall6(unix.SYS_PREAD64, uintptr(fd), uintptr(unsafe.Pointer(&buffer[0])), uintptr(size), uintptr(offset), 0, 0)
		took[i] = int64(time.Since(begin))
		if errno != 0 || int(n) != size {
			return nil, fmt.Errorf("at %d: %d bytes of %d, %w", offset, int(n), size, errno)
		}
	}
	return took, nil
}

package vfs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// children are what the test program does in another process: one that serves a
// mount and reads it too may wait for itself.
var children = map[string]func(args []string) error{
	"read":    readMain,
	"seek":    seekMain,
	"serve":   serveMain,
	"follow":  followMain,
	"storm":   stormMain,
	"crowd":   crowdMain,
	"latency": latencyMain,
}

// readMain reads parts of a file, written as OFFSET:LENGTH, in one way, and writes
// for each the error number, the number of bytes and the bytes.
func readMain(args []string) error {
	signal.Notify(make(chan os.Signal, 100), unix.SIGUSR1)
	flags := unix.O_RDONLY
	if args[0] == "direct" {
		flags |= unix.O_DIRECT
	}
	fd, err := unix.Open(args[1], flags, 0)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, arg := range args[2:] {
		var p part
		if _, err := fmt.Sscanf(arg, "%d:%d", &p.off, &p.n); err != nil {
			return err
		}
		data, err := readWays[args[0]](fd, p)
		var errno unix.Errno
		if err != nil && !errors.As(err, &errno) {
			return err
		}
		fmt.Fprintf(out, "%d %d\n%s", errno, len(data), data)
	}
	return out.Flush()
}

// seekMain does an lseek(2) for each OFFSET:WHENCE in a file, and writes the error number
// and the offset.
func seekMain(args []string) error {
	fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	for _, arg := range args[1:] {
		var off int64
		var whence int
		if _, err := fmt.Sscanf(arg, "%d:%d", &off, &whence); err != nil {
			return err
		}
		at, err := unix.Seek(fd, off, whence)
		var errno unix.Errno
		errors.As(err, &errno)
		fmt.Println(int(errno), at)
	}
	return nil
}

// readWays are the ways to read one part of a file. copy_file_range(2) is none: from
// one file system to another it gives EXDEV, and programs take another way.
var readWays = map[string]func(fd int, p part) ([]byte, error){
	"pread":  preadPart,
	"direct": preadPart,
	"readv": func(fd int, p part) ([]byte, error) {
		data := make([]byte, p.n)
		a, b := p.n/3, p.n/3*2
		n, err := unix.Preadv(fd, [][]byte{data[:a], data[a:b], data[b:]}, p.off)
		return data[:max(n, 0)], err
	},
	"mmap": func(fd int, p part) (data []byte, err error) {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, err
		}
		page := int64(os.Getpagesize())
		from, end := p.off/page*page, min(p.off+int64(p.n), st.Size)
		if end <= p.off {
			return nil, nil
		}
		m, err := unix.Mmap(fd, from, int(end-from), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return nil, err
		}
		defer unix.Munmap(m)
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() {
			if recover() != nil { // SIGBUS
				data, err = nil, unix.EIO
			}
		}()
		return append([]byte{}, m[p.off-from:]...), nil
	},
	"sendfile": func(fd int, p part) ([]byte, error) {
		return through(p, func(to int, off *int64, n int) (int, error) { return unix.Sendfile(to, fd, off, n) })
	},
	"splice": func(fd int, p part) ([]byte, error) {
		var pipe [2]int
		if err := unix.Pipe(pipe[:]); err != nil {
			return nil, err
		}
		defer unix.Close(pipe[0])
		defer unix.Close(pipe[1])
		return through(p, func(to int, off *int64, n int) (int, error) {
			n64, err := unix.Splice(fd, off, pipe[1], nil, min(n, 65536), 0)
			for left := n64; err == nil && left > 0; {
				var k int64
				k, err = unix.Splice(pipe[0], nil, to, nil, int(left), 0)
				left -= k
			}
			return int(n64), err
		})
	},
}

func preadPart(fd int, p part) ([]byte, error) {
	// O_DIRECT wants an aligned buffer.
	m, err := unix.Mmap(-1, 0, p.n+1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	n, err := unix.Pread(fd, m[:p.n], p.off)
	return m[:max(n, 0)], err
}

// through copies a part into a file and returns what is in it then.
func through(p part, copyTo func(to int, off *int64, n int) (int, error)) ([]byte, error) {
	f, err := os.CreateTemp("", "vfs")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	os.Remove(f.Name())
	for off := p.off; off < p.off+int64(p.n); {
		from := off
		n, err := copyTo(int(f.Fd()), &off, int(p.off+int64(p.n)-off))
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		off = from + int64(n)
	}
	return os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

// serveMain mounts at a folder, vzip's or another file system, until it is killed.
func serveMain(args []string) error {
	var err error
	if args[0] == "vzip" {
		_, err = Mount(args[1], names("f"), Options{})
	} else {
		_, err = fs.Mount(args[1], &fs.Inode{}, &fs.Options{MountOptions: fuse.MountOptions{Name: args[0], DirectMountStrict: true}})
	}
	if err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}

// followMain opens a file and maps it; for each line of its input it reads at
// random places in all ways, judges that all of it is of one generation, and writes
// that one's number.
func followMain(args []string) error {
	fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	m, err := unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	first := true
	var number uint32
	one := func(data []byte, off int64) error {
		got, err := judge(data, off)
		if err == nil && !first && got != number {
			err = fmt.Errorf("at %d: generation %d in one of generation %d", off, got, number)
		}
		first, number = false, got
		return err
	}
	buf := make([]byte, 64<<10)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		for range 4 {
			off := rand.Int64N(st.Size/8-1) * 8
			p := buf[:min(st.Size-off, int64(8+rand.IntN(len(buf)/8)*8), int64(len(buf)))]
			if n, err := unix.Pread(fd, p, off); err != nil || n != len(p) {
				return fmt.Errorf("pread of %d at %d: %d bytes and error %v", len(p), off, n, err)
			}
			if err := one(p, off); err != nil {
				return err
			}
			off = rand.Int64N(st.Size/8-1) * 8
			if err := one(m[off:min(st.Size, off+32<<10)], off); err != nil {
				return fmt.Errorf("mapped: %w", err)
			}
		}
		if _, err := fmt.Println(number); err != nil {
			return err
		}
	}
	return nil
}

// crowdMain reads so many bytes of a file in each of N threads at once, each at a place
// of its own, and writes how many reads failed.
func crowdMain(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var failed atomic.Int64
	for i := range int64(n) {
		wg.Go(func() {
			if _, err := unix.Pread(fd, make([]byte, size), i<<26); err != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	_, err = fmt.Println(failed.Load())
	return err
}

// latencyMain reads 128 KiB at N random places of a file, one after the other, and
// writes how long the median, the 99th percentile and the slowest took, in µs.
func latencyMain(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	fd, err := unix.Open(args[0], unix.O_RDONLY, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	took := make([]time.Duration, n)
	buf, want := make([]byte, 128<<10), make([]byte, 128<<10)
	for i := range took {
		off := rand.Int64N(st.Size-int64(len(buf))) &^ (pageSize - 1)
		began := time.Now()
		if k, err := unix.Pread(fd, buf, off); k != len(buf) {
			return fmt.Errorf("pread: %d bytes and error %v", k, err)
		}
		took[i] = time.Since(began)
		if _, err := (numbered{}).ReadAt(want, off); err != nil || !bytes.Equal(buf, want) {
			return fmt.Errorf("pread at %d: wrong bytes", off)
		}
	}
	slices.Sort(took)
	_, err = fmt.Println(took[n/2].Microseconds(), took[n*99/100].Microseconds(), took[n-1].Microseconds())
	return err
}

// stormMain opens and reads a file again and again until its input ends, and writes
// how often it opened, how often it read, and how often something was wrong.
func stormMain(args []string) error {
	end := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(end)
	}()
	var opens, reads, bad int
	for {
		select {
		case <-end:
			_, err := fmt.Println(opens, reads, bad)
			return err
		default:
		}
		n, err := stormOnce(args[0])
		opens++
		reads += n
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			bad++
		}
	}
}

func stormOnce(path string) (reads int, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("stat: %w", err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		return 0, fmt.Errorf("readdir: %v and error %w", names, err)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("fstat: %w", err)
	}
	ways := []string{"pread", "readv", "mmap", "sendfile", "splice"}
	for range 1 + rand.IntN(4) {
		off := rand.Int64N(st.Size/8) * 8
		p := part{off, int(min(st.Size-off, 8+8*rand.Int64N(16<<10)))}
		way := ways[rand.IntN(len(ways))]
		data, err := readWays[way](fd, p)
		if err != nil || len(data) != p.n {
			return reads, fmt.Errorf("%s of %+v: %d bytes and error %w", way, p, len(data), err)
		}
		number, err := judge(data, off)
		if err != nil {
			return reads, fmt.Errorf("%s of %+v: %w", way, p, err)
		}
		if st.Ino != 1000+uint64(number) {
			return reads, fmt.Errorf("%s of %+v: generation %d in inode %d", way, p, number, st.Ino)
		}
		reads++
	}
	return reads, nil
}

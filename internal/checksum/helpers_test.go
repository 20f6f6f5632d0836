package checksum

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vzip/internal/source"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	tib = 1 << 40
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file is a file to sum, with random data at some places and holes between.
type file struct {
	name string
	size int64
	data []span
}

type span struct{ off, len int64 }

// folder is a test's files on disk, each with its state before Run.
type folder struct {
	dir   string
	files []file
	refs  []source.Ref
	ids   []source.Identity
	sums  map[int]uint32 // what plainSum has read already
}

func makeFiles(t testing.TB, files []file) *folder {
	t.Helper()
	d := &folder{dir: t.TempDir(), files: files, sums: map[int]uint32{}}
	for i, f := range files {
		r := source.Ref{Root: d.dir, Rel: fmt.Sprint(i)}
		writeSparse(t, r.Path(), f)
		s, err := r.Lstat()
		must(t, err)
		d.refs, d.ids = append(d.refs, r), append(d.ids, s.Identity)
	}
	return d
}

func writeSparse(t testing.TB, path string, f file) {
	t.Helper()
	w, err := os.Create(path)
	must(t, err)
	defer w.Close()
	must(t, w.Truncate(f.size))
	rnd := rand.NewChaCha8([32]byte{byte(f.size), byte(len(f.data))})
	p := make([]byte, mib)
	for _, s := range f.data {
		s.len = min(s.len, f.size-s.off)
		for n := int64(0); n < s.len; {
			p := p[:min(mib, s.len-n)]
			rnd.Read(p)
			_, err := w.WriteAt(p, s.off+n)
			must(t, err)
			n += int64(len(p))
		}
	}
}

// plainSum is the CRC-32 of file i that a plain read gives.
func (d *folder) plainSum(t testing.TB, i int) uint32 {
	t.Helper()
	if sum, ok := d.sums[i]; ok {
		return sum
	}
	f, err := os.Open(d.refs[i].Path())
	must(t, err)
	defer f.Close()
	h := crc32.NewIEEE()
	_, err = io.Copy(struct{ io.Writer }{h}, struct{ io.Reader }{f})
	must(t, err)
	d.sums[i] = h.Sum32()
	return d.sums[i]
}

// sums is what Run said of each file.
type sums struct {
	mu       sync.Mutex
	done     []int // how many times
	crc      []uint32
	err      []error
	open     int // files between Open and Done
	mostOpen int
	progress int64
}

// run is Run over the folder's files. change, if set, can change the Files first.
func (d *folder) run(ctx context.Context, workers int, change func(*Files)) (*sums, error) {
	n := len(d.files)
	s := &sums{done: make([]int, n), crc: make([]uint32, n), err: make([]error, n)}
	opened := make([]bool, n)
	f := Files{
		Len: n,
		Open: func(_ context.Context, i int) (*source.File, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			opened[i] = true
			s.open++
			s.mostOpen = max(s.mostOpen, s.open)
			return source.Open(d.refs[i], d.ids[i])
		},
		Check: func(i int, f *source.File) error { return f.Check(d.ids[i]) },
		Done: func(i int, crc uint32, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.done[i]++
			s.crc[i], s.err[i] = crc, err
			if opened[i] {
				s.open--
			}
		},
		Progress: func(n int64) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.progress += n
		},
	}
	if change != nil {
		change(&f)
	}
	err := Run(ctx, workers, f)
	return s, err
}

// testContext ends long before the test binary's own deadline.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// wantClosed fails the test if this process has a file below dir open.
func wantClosed(t testing.TB, dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	must(t, err)
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, fd := range fds {
		path, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name()))
		if err == nil && strings.HasPrefix(path, dir) {
			t.Errorf("left open: %s", path)
		}
	}
}

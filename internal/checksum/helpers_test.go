package checksum

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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
	sums  map[int]Sum // what plainSum has read already
}

func makeFiles(t testing.TB, files []file) *folder {
	t.Helper()
	d := &folder{dir: t.TempDir(), files: files, sums: map[int]Sum{}}
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

// plainSum is the sum of file i that plain reads and hash/crc32 give.
func (d *folder) plainSum(t testing.TB, i int) Sum {
	t.Helper()
	if sum, ok := d.sums[i]; ok {
		return sum
	}
	f, err := os.Open(d.refs[i].Path())
	must(t, err)
	defer f.Close()
	whole, p := crc32.NewIEEE(), make([]byte, BlockLen)
	var sum Sum
	for {
		n, err := io.ReadFull(f, p)
		if err == io.EOF {
			break
		}
		if err != io.ErrUnexpectedEOF {
			must(t, err)
		}
		whole.Write(p[:n])
		sum.Blocks = append(sum.Blocks, crc32.ChecksumIEEE(p[:n]))
	}
	sum.CRC32 = whole.Sum32()
	if len(sum.Blocks) < 2 {
		sum.Blocks = nil
	}
	d.sums[i] = sum
	return sum
}

// equal compares all that callers can see of two sums.
func equal(a, b Sum) bool {
	return a.CRC32 == b.CRC32 && (a.Blocks == nil) == (b.Blocks == nil) && slices.Equal(a.Blocks, b.Blocks)
}

// brief shows sums that differ.
func brief(got, want Sum) string {
	for i := range min(len(got.Blocks), len(want.Blocks)) {
		if got.Blocks[i] != want.Blocks[i] {
			return fmt.Sprintf("block %d of %d: got %08x, want %08x", i, len(want.Blocks), got.Blocks[i], want.Blocks[i])
		}
	}
	return fmt.Sprintf("got %08x of %d blocks, want %08x of %d", got.CRC32, len(got.Blocks), want.CRC32, len(want.Blocks))
}

// sums is what Run said of each file.
type sums struct {
	mu       sync.Mutex
	done     []int // how many times
	sum      []Sum
	err      []error
	open     int // files between Open and Done
	mostOpen int
	progress int64
}

// run is Run over the folder's files. change, if set, can change the Files first.
func (d *folder) run(ctx context.Context, workers int, change func(*Files)) (*sums, error) {
	n := len(d.files)
	s := &sums{done: make([]int, n), sum: make([]Sum, n), err: make([]error, n)}
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
		Done: func(i int, sum Sum, err error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.done[i]++
			s.sum[i], s.err[i] = sum, err
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

package vfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestVFSRead(t *testing.T) {
	dir := mountDir(t)
	sizes := []int64{0, 1, 4095, 4096, 4097, 128<<10 + 1, 3<<20 + 5, 5<<30 + 1, 1<<62 - 1, 1 << 62}
	var files []File
	for i, size := range sizes {
		files = append(files, File{Path: fmt.Sprint(size), Size: size, Inode: uint64(100 + i), Mode: 0o444, Content: static{pattern{size}}})
	}
	serve(t, dir, files, Options{})
	for _, size := range sizes {
		path := filepath.Join(dir, fmt.Sprint(size))
		var st unix.Stat_t
		must(t, unix.Stat(path, &st))
		if blocks := (size + 511) / 512; st.Size != size || st.Blocks != blocks || st.Mode != unix.S_IFREG|0o444 || st.Nlink != 1 {
			t.Errorf("%d: got %+v, want %d blocks", size, st, blocks)
		}
		parts := []part{{0, 1}, {0, 100_000}, {4090, 20}, {size / 2, 70_000}, {size - 1, 1}, {size - 1, 10}, {size - 5000, 1 << 20}, {size, 1}, {size + 5, 5000}}
		parts = slices.DeleteFunc(parts, func(p part) bool { return p.off < 0 })
		wantPattern(t, path, size, parts...)
	}
}

// Every way to read gives the same bytes.
func TestVFSReadWays(t *testing.T) {
	dir := mountDir(t)
	const size = 3<<20 + 12345
	serve(t, dir, []File{{Path: "f", Size: size, Inode: 2, Mode: 0o444, Content: static{pattern{size}}}}, Options{})
	parts := []part{
		{0, 1}, {0, 4096}, {4095, 2}, {128<<10 - 1, 2}, {1<<20 - 10, 20}, {1 << 20, 1 << 20}, {777, 300_001},
		{size - 4096, 4096}, {size - 1, 1}, {size - 1, 100}, {size - 5000, 1 << 20}, {size, 10}, {0, size}, {0, size + 1},
	}
	for way := range readWays {
		list := parts
		if way == "direct" { // in whole pages only
			list = []part{{0, 4096}, {4096, 8192}, {1<<20 - 4096, 8192}, {1 << 20, 2 << 20}, {size / 4096 * 4096, 4096}, {0, 4 << 20}, {4 << 20, 4096}}
		}
		results := read(t, way, dir+"/f", list...)
		for i, r := range results {
			p := list[i]
			want := make([]byte, p.n)
			n, _ := pattern{size}.ReadAt(want, p.off)
			if r.errno != 0 || !bytes.Equal(r.data, want[:n]) {
				t.Errorf("%s of %+v: got %d bytes and error %v, want %d bytes", way, p, len(r.data), r.errno, n)
			}
		}
		if len(results) != len(list) {
			t.Errorf("%s: got %d results, want %d", way, len(results), len(list))
		}
	}
}

// A read that fails does so in every way to read.
func TestVFSReadWaysFail(t *testing.T) {
	dir := mountDir(t)
	const size = 1 << 20
	serve(t, dir, []File{{Path: "f", Size: size, Inode: 2, Mode: 0o444,
		Content: static{readerFunc(func(p []byte, off int64) (int, error) { return 0, unix.ESTALE })}}}, Options{})
	for way := range readWays {
		want := unix.ESTALE
		if way == "mmap" {
			want = unix.EIO // SIGBUS
		}
		for _, r := range read(t, way, dir+"/f", part{0, 4096}, part{8192, 1 << 18}) {
			if r.errno != want || len(r.data) > 0 {
				t.Errorf("%s: got %d bytes and error %v, want %v", way, len(r.data), r.errno, want)
			}
		}
	}
}

// Many programs at once get the right bytes, whatever the order.
func TestVFSReadAtOnce(t *testing.T) {
	dir := mountDir(t)
	const size = 6<<20 + 77
	serve(t, dir, []File{{Path: "f", Size: size, Inode: 2, Mode: 0o444, Content: static{pattern{size}}}}, Options{})
	want := make([]byte, size)
	pattern{size}.ReadAt(want, 0)
	must(t, os.WriteFile(dir+".want", want, 0o600))
	t.Cleanup(func() { os.Remove(dir + ".want") })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			blockSize := []string{"777", "4k", "65537", "1M", "3M"}[i%5]
			if _, err := run(t, "sh", "-c", `dd if="$1/f" bs=$2 status=none | cmp - "$1.want"`, "-", dir, blockSize); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// What a ReaderAt can't give is an error for who reads, never a short read: that
// would be taken for the end of the file.
func TestVFSReadErrors(t *testing.T) {
	const size, bad = 2 << 20, 1 << 20
	fails := func(n int, err error) io.ReaderAt {
		return readerFunc(func(p []byte, off int64) (int, error) {
			if off+int64(len(p)) <= bad {
				return pattern{size}.ReadAt(p, off)
			}
			return min(n, len(p)), err
		})
	}
	tests := []struct {
		name string
		io.ReaderAt
		want unix.Errno
	}{
		{"stale", fails(0, unix.ESTALE), unix.ESTALE},
		{"wrapped stale", fails(0, fmt.Errorf("f: %w", &fs.PathError{Op: "read", Path: "f", Err: unix.ESTALE})), unix.ESTALE},
		{"joined stale", fails(0, errors.Join(io.EOF, unix.ESTALE)), unix.ESTALE},
		{"stale after some bytes", fails(500, unix.ESTALE), unix.ESTALE},
		{"eio", fails(0, unix.EIO), unix.EIO},
		{"enosys", fails(0, unix.ENOSYS), unix.EIO}, // the kernel would never ask again
		{"enoent", fails(0, fs.ErrNotExist), unix.EIO},
		{"eintr", fails(0, unix.EINTR), unix.EIO},
		{"words", fails(0, errors.New("a\nb")), unix.EIO},
		{"canceled", fails(0, context.Canceled), unix.EIO},
		{"unexpected end", fails(100, io.ErrUnexpectedEOF), unix.EIO},
		{"early end", fails(100, io.EOF), unix.EIO},
		{"end at once", fails(0, io.EOF), unix.EIO},
		{"wrapped end", fails(0, fmt.Errorf("f: %w", io.EOF)), unix.EIO},
		{"short without an error", fails(100, nil), unix.EIO},
		{"nothing without an error", fails(0, nil), unix.EIO},
		{"negative", fails(-1, io.EOF), unix.EIO},
		{"panic", readerFunc(func(p []byte, off int64) (int, error) {
			if off+int64(len(p)) <= bad {
				return pattern{size}.ReadAt(p, off)
			}
			panic("the sky falls")
		}), unix.EIO},
	}
	dir := mountDir(t)
	var w warnings
	var files []File
	for i, tt := range tests {
		files = append(files, File{Path: tt.name, Size: size, Inode: uint64(10 + i), Mode: 0o444, Content: static{tt.ReaderAt}})
	}
	serve(t, dir, files, Options{Warn: w.add})
	for _, tt := range tests {
		path := filepath.Join(dir, tt.name)
		parts := []part{{bad, 1}, {bad + 4096, 4096}, {bad, size}, {size - 1, 1}, {size - 1, 100}}
		for i, r := range pread(t, path, parts...) {
			if r.errno != tt.want {
				t.Errorf("%s: pread of %+v: got %d bytes and error %v, want %v", tt.name, parts[i], len(r.data), r.errno, tt.want)
			}
		}
		// What comes before can be read, and programs notice that it is not all.
		wantPattern(t, path, size, part{0, 4096})
		words := map[unix.Errno]string{unix.EIO: "Input/output error", unix.ESTALE: "Stale file handle"}[tt.want]
		if out, err := run(t, "cat", path); err == nil || len(out) > bad || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: cat: got %d bytes and error %v, want %v", tt.name, len(out), err, tt.want)
		}
	}
	if got := w.all(); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, "the sky falls") }) {
		t.Errorf("got warnings %q, want one of the panic", got)
	}
}

// What failed once is asked for again.
func TestVFSReadRecovers(t *testing.T) {
	dir := mountDir(t)
	const size = 100_000
	var broken atomic.Bool
	broken.Store(true)
	serve(t, dir, []File{{Path: "f", Size: size, Inode: 2, Mode: 0o444, Content: static{readerFunc(func(p []byte, off int64) (int, error) {
		if broken.Load() {
			return 0, unix.EIO
		}
		return pattern{size}.ReadAt(p, off)
	})}}}, Options{})
	for _, r := range pread(t, dir+"/f", part{0, 10}, part{0, 10}, part{5000, 1}) {
		if r.errno != unix.EIO {
			t.Errorf("got error %v, want %v", r.errno, unix.EIO)
		}
	}
	broken.Store(false)
	wantPattern(t, dir+"/f", size, part{0, size})
}

// A reader can be killed while a source does not answer, and others go on.
func TestVFSReadHangs(t *testing.T) {
	dir := mountDir(t)
	const size = 100_000
	asked, answer := make(chan struct{}, 100), make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(answer) }) }
	defer release()
	var w warnings // go-fuse warns of answers that nobody waits for any more
	m := serve(t, dir, []File{
		{Path: "hangs", Size: size, Inode: 2, Mode: 0o444, Content: static{readerFunc(func(p []byte, off int64) (int, error) {
			asked <- struct{}{}
			<-answer
			return pattern{size}.ReadAt(p, off)
		})}},
		{Path: "fine", Size: size, Inode: 3, Mode: 0o444, Content: static{pattern{size}}},
	}, Options{Warn: w.add, IO: IOCached}) // direct reads wait for a content that does not end with its context
	cmd := exec.Command("cat", filepath.Join(dir, "hangs"))
	must(t, cmd.Start())
	<-asked
	wantPattern(t, dir+"/fine", size, part{0, size})
	if err := m.Unmount(false); !errors.Is(err, unix.EBUSY) {
		t.Errorf("Unmount in use: got error %v, want %v", err, unix.EBUSY)
	}
	must(t, cmd.Process.Kill())
	if err := cmd.Wait(); err == nil {
		t.Error("cat: got no error")
	}
	wantPattern(t, dir+"/fine", size, part{5, 5})
	release()
}

package vfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/require"
	"vzip/internal/rig"
)

// patience is how long a test waits for what should happen at once.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && children[os.Args[1]] != nil {
		if err := children[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(require.NoMounts(m))
}

// part is a part of a file.
type part struct {
	off int64
	n   int
}

// result is what one pread(2) of a part gave.
type result struct {
	data  []byte
	errno unix.Errno
}

// pread does a pread(2) for each part in another process.
func pread(t *testing.T, path string, parts ...part) []result {
	t.Helper()
	return read(t, "pread", path, parts...)
}

// read reads each part in another process, in one of the ways of readMain.
func read(t *testing.T, way, path string, parts ...part) (results []result) {
	t.Helper()
	args := []string{"read", way, path}
	for _, p := range parts {
		args = append(args, fmt.Sprintf("%d:%d", p.off, p.n))
	}
	out, err := run(t, "/proc/self/exe", args...)
	must(t, err)
	for in := bytes.NewReader(out); in.Len() > 0; {
		var errno, n int
		_, err := fmt.Fscanf(in, "%d %d\n", &errno, &n)
		must(t, err)
		data := make([]byte, n)
		_, err = io.ReadFull(in, data)
		must(t, err)
		results = append(results, result{data, unix.Errno(errno)})
	}
	return results
}

// run runs a program and returns what it writes to standard output.
func run(t *testing.T, name string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "GORACE=atexit_sleep_ms=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, err
}

func mustRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := run(t, name, args...)
	must(t, err)
	return strings.TrimSpace(string(out))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// warnings collects what is warned of.
type warnings struct {
	mu   sync.Mutex
	list []string
}

func (w *warnings) add(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, s)
}

func (w *warnings) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.list)
}

// mountDir makes a folder to mount at.
func mountDir(t *testing.T) string {
	t.Helper()
	require.Needs(t, "fuse")
	dir, _, err := CheckDir(t.TempDir())
	must(t, err)
	return dir
}

// serve mounts files at dir until the test ends, which has to leave nothing
// behind: no mount, no descriptor.
func serve(t *testing.T, dir string, files []File, o Options) *Mounted {
	t.Helper()
	if o.Warn == nil {
		w := &warnings{}
		o.Warn = w.add
		t.Cleanup(func() {
			if got := w.all(); len(got) > 0 {
				t.Errorf("got warnings %q", got)
			}
		})
	}
	before := descriptors(t)
	m, err := Mount(dir, files, o)
	must(t, err)
	t.Cleanup(func() {
		if mounted, err := IsMounted(dir); err != nil || mounted {
			if err = errors.Join(err, unmountIdle(dir)); err != nil {
				t.Errorf("unmounting: %v", err)
				_ = Unmount(dir, true)
			}
		}
		waitGone(t, m)
		eventually(t, "descriptors to be closed", func() bool { return len(descriptors(t)) <= len(before) })
		if after := descriptors(t); len(after) > len(before) {
			t.Errorf("open before the mount: %q, after it: %q", before, after)
		}
	})
	return m
}

// unmountIdle unmounts; a reader that has just ended may still hold a file.
func unmountIdle(dir string) error {
	return rig.Idle(func() error { return Unmount(dir, false) })
}

// waitGone waits until a mount that is unmounted has ended. A mount namespace that
// somebody else made meanwhile has a copy of it, for as long as that lives.
func waitGone(t *testing.T, m *Mounted) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		select {
		case <-m.gone:
			return
		case <-time.After(time.Second):
		}
		if copied(m.Dir) {
			must(t, m.Abort())
		} else if time.Now().After(end) {
			t.Fatal("the mount does not end")
		}
	}
}

// copied tells whether a process of another mount namespace sees a mount that this
// one doesn't.
func copied(dir string) bool {
	tables, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	for _, table := range tables {
		text, err := os.ReadFile(table)
		if err == nil && strings.Contains(string(text), " "+dir+" ") {
			return true
		}
	}
	return false
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("waited in vain: %s", what)
			return
		}
	}
}

// descriptors returns what this process has open, but for what the Go runtime
// opens for itself.
func descriptors(t *testing.T) (open []string) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, fd := range fds {
		target, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && !strings.Contains(target, "event") && !strings.HasPrefix(target, "/proc/") {
			open = append(open, target)
		}
	}
	return open
}

func mountsBelow(dir string) (points []string) {
	text, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[2] == fsType && strings.HasPrefix(f[1], dir+"/") {
			points = append(points, f[1])
		}
	}
	return points
}

// pattern is a file of any size whose bytes tell their offset.
type pattern struct{ size int64 }

func patternAt(off int64) byte { return byte(off ^ off>>8 ^ off>>16*7 ^ off>>32) }

func (f pattern) ReadAt(p []byte, off int64) (int, error) {
	n := int(max(0, min(int64(len(p)), f.size-off)))
	for i := range n {
		p[i] = patternAt(off + int64(i))
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// wantPattern reads parts of a pattern and compares them.
func wantPattern(t *testing.T, path string, size int64, parts ...part) {
	t.Helper()
	for i, r := range pread(t, path, parts...) {
		p := parts[i]
		want := make([]byte, p.n)
		k, _ := pattern{size}.ReadAt(want, p.off)
		if r.errno != 0 || !bytes.Equal(r.data, want[:k]) {
			t.Errorf("%s: pread of %d at %d: got %d bytes and error %v, want %d bytes", path, p.n, p.off, len(r.data), r.errno, k)
		}
	}
}

// readerFunc is an io.ReaderAt.
type readerFunc func(p []byte, off int64) (int, error)

func (f readerFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// static is the content of a file that is opened without anything to do.
type static struct{ io.ReaderAt }

func (c static) Open(bool) (Handle, error) { return c, nil }

func (c static) Read(_ context.Context, off int64, n int) (Data, error) {
	return buffer(n, func(p []byte) (int, error) {
		return c.ReaderAt.ReadAt(p, off)
	})
}

func (c static) Seek(_ context.Context, off int64, whence int) (int64, error) {
	return c.ReaderAt.(seeker).seek(off, whence)
}

// seeker is an io.ReaderAt that tells of holes.
type seeker interface {
	seek(off int64, whence int) (int64, error)
}

func (c static) Close() {}

// inMemory are bytes that are wrong once they were released.
type inMemory []byte

func (d inMemory) Slices() [][]byte { // two, so that their order matters
	return [][]byte{d[:len(d)/3], d[len(d)/3:]}
}

func (d inMemory) Len() int { return len(d) }

func (d inMemory) Release() {
	for i := range d {
		d[i] = ^d[i]
	}
}

// buffer makes a Handle's answer of what an io.ReaderAt gives.
func buffer(n int, read func(p []byte) (int, error)) (Data, error) {
	p := make([]byte, n)
	n, err := read(p)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return inMemory(p[:max(n, 0)]), nil
}

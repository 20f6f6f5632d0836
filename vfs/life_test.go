package vfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/require"
)

// dieAt mounts at dir, a process a file system of the given type, the last one on
// top, and kills them all.
func dieAt(t *testing.T, dir string, kinds ...string) {
	t.Helper()
	var programs []*exec.Cmd
	for _, kind := range kinds {
		cmd := exec.Command("/proc/self/exe", "serve", kind, dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		programs = append(programs, cmd)
		line, err := bufio.NewReader(out).ReadString('\n')
		if line != "ready\n" || err != nil {
			t.Errorf("got %q and error %v", line, err)
		}
	}
	for _, cmd := range programs {
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	eventually(t, "the mount to be dead", func() bool { return isDead(unix.Statfs(dir, new(unix.Statfs_t))) })
}

// Mounts of vzip whose program was killed are replaced, others' are left alone.
func TestVFSDeadMount(t *testing.T) {
	require.Needs(t, "root")
	top := t.TempDir()
	dir := filepath.Join(top, "mnt")
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.Symlink("mnt", top+"/link"))
	t.Cleanup(func() {
		for unix.Unmount(dir, unix.MNT_DETACH) == nil {
		}
	})
	mounts := func() int {
		t.Helper()
		list, err := mountsAt(dir)
		must(t, err)
		return len(list)
	}
	check := func(at, note, fails string) {
		t.Helper()
		real, got, err := CheckDir(at)
		if fails == "" && (err != nil || real != dir) || fails != "" && (err == nil || !strings.Contains(err.Error(), fails)) {
			t.Errorf("%s: got %q and error %v, want %q", at, real, err, fails)
		}
		if (note == "") != (got == "") || !strings.Contains(got, note) {
			t.Errorf("%s: got note %q, want %q", at, got, note)
		}
	}
	for i, at := range []string{dir, top + "/link"} {
		dieAt(t, dir, "vzip")
		check(at, "whose program died was still there: it is taken away", "")
		if mounts() != 0 {
			t.Errorf("%d mounts are left", mounts())
		}
		check(at, "", "")
		m := serve(t, dir, names(fmt.Sprint("f", i)), Options{})
		if got := mustRun(t, "ls", dir); got != fmt.Sprint("f", i) {
			t.Errorf("got %s", got)
		}
		check(at, "", "shows archives already")
		must(t, unmountIdle(dir))
		waitGone(t, m)
	}
	// Several of them on top of each other, and over a mount that lives.
	m := serve(t, dir, names("lives"), Options{})
	dieAt(t, dir, "vzip", "vzip", "vzip")
	check(dir, "it is taken away", "shows archives already")
	if got := mustRun(t, "ls", dir); got != "lives" || mounts() != 1 {
		t.Errorf("got %s and %d mounts", got, mounts())
	}
	must(t, unmountIdle(dir))
	waitGone(t, m)
	// Somebody else's.
	dieAt(t, dir, "other")
	check(dir, "", "a mount of another program, which died, is still there: run umount --lazy")
	check(dir+"/sub", "", "a folder above it is a mount whose program died")
	must(t, unix.Unmount(dir, unix.MNT_DETACH))
	dieAt(t, dir, "other", "vzip")
	check(dir, "it is taken away", "a mount of another program")
	if mounts() != 1 {
		t.Errorf("got %d mounts, want that of another program", mounts())
	}
}

// Abort ends a mount under readers who wait for a source that does not answer.
func TestVFSAbort(t *testing.T) {
	for _, detached := range []bool{false, true} {
		t.Run(fmt.Sprint("detached=", detached), func(t *testing.T) {
			dir := mountDir(t)
			w := newWaiting()
			var closed atomic.Int64
			m := serve(t, dir, []File{{Path: "f", Size: 1 << 20, Inode: 2, Mode: 0o444, Content: closing{w, &closed}}}, Options{})
			var readers []*exec.Cmd
			for range 5 {
				for _, way := range []string{"pread", "direct", "mmap"} {
					cmd := exec.Command("/proc/self/exe", "read", way, dir+"/f", "0:4096")
					cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=1")
					must(t, cmd.Start())
					readers = append(readers, cmd)
				}
			}
			eventually(t, "files to be open", func() bool { return m.OpenHandles() == int64(len(readers)) })
			<-w.asked
			if detached {
				must(t, m.Detach())
				if is, err := IsMounted(dir); is || err != nil {
					t.Errorf("detached: got %v and error %v", is, err)
				}
			}
			began := time.Now()
			if err := m.Abort(); err != nil {
				t.Fatalf("Abort: %v", err)
			}
			for _, cmd := range readers {
				_ = cmd.Wait()
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("readers waited for %v", took)
			}
			must(t, m.Detach())
			// Contents are told that nobody waits, and all that was open is closed.
			waitGone(t, m)
			if n := closed.Load(); n != int64(len(readers)) || m.OpenHandles() != 0 {
				t.Errorf("%d of %d handles were closed, %d are open", n, len(readers), m.OpenHandles())
			}
			must(t, m.Abort()) // once more is fine
		})
	}
}

// closing counts how often a handle is closed.
type closing struct {
	*waiting
	n *atomic.Int64
}

func (c closing) Open(bool) (Handle, error) { return c, nil }
func (c closing) Close()                    { c.n.Add(1) }

// faulty fails in the way it is told to.
type faulty struct {
	opens, reads, closes func()
	err                  error
}

func (f *faulty) Open(bool) (Handle, error) {
	f.opens()
	return f, f.err
}

func (f *faulty) Read(_ context.Context, off int64, n int) (Data, error) {
	return buffer(n, func(p []byte) (int, error) {
		f.reads()
		return pattern{1 << 20}.ReadAt(p, off)
	})
}

func (f *faulty) Seek(_ context.Context, off int64, _ int) (int64, error) {
	f.reads()
	return off, nil
}

func (f *faulty) Close() { f.closes() }

// nothing is a content whose Open gives neither a handle nor an error.
type nothing struct{}

func (nothing) Open(bool) (Handle, error) { return nil, nil }

// A panic is an error for who asked, and a line in the log.
func TestVFSPanics(t *testing.T) {
	dir := mountDir(t)
	fine := func() {}
	falls := func() { panic("the sky\nfalls") }
	var none *faulty
	file := func(path string, ino uint64, c Content) File {
		return File{Path: path, Size: 1 << 20, Inode: ino, Mode: 0o444, Content: c}
	}
	var w warnings
	m := serve(t, dir, []File{
		file("open", 10, &faulty{falls, fine, fine, nil}),
		file("read", 11, &faulty{fine, falls, fine, nil}),
		file("close", 12, &faulty{fine, fine, falls, nil}),
		file("nothing", 13, nothing{}),
		file("no content", 14, nil),
		file("nil", 15, none),
		file("fine", 16, &faulty{fine, fine, fine, nil}),
	}, Options{Warn: w.add})
	for _, tt := range []struct {
		name, warning string
		opens, reads  bool
	}{
		{"open", "a defect in vzip made opening open fail: the sky\\nfalls", false, false},
		{"read", "a defect in vzip made reading read fail: the sky\\nfalls", true, false},
		{"close", "a defect in vzip made closing close fail: the sky\\nfalls", true, true},
		{"nothing", "opening nothing fail: BUG", false, false},
		{"no content", "opening no content fail", false, false},
		{"nil", "opening nil fail", false, false},
		{"fine", "", true, true},
	} {
		for range 3 {
			path := filepath.Join(dir, tt.name)
			out, err := run(t, "/proc/self/exe", "read", "pread", path, "0:100")
			switch {
			case !tt.opens && (err == nil || !strings.Contains(err.Error(), unix.EIO.Error())):
				t.Errorf("%s: got error %v, want one of opening", tt.name, err)
			case tt.opens && err != nil:
				t.Errorf("%s: got error %v", tt.name, err)
			case tt.opens && strings.HasPrefix(string(out), "0 100\n") != tt.reads:
				t.Errorf("%s: got %.20q", tt.name, out)
			case tt.opens && mustRun(t, "/proc/self/exe", "seek", path, fmt.Sprintf("5:%d", unix.SEEK_DATA)) != map[bool]string{true: "0 5", false: fmt.Sprintf("%d -1", unix.EIO)}[tt.reads]:
				t.Errorf("%s: lseek does not do as read does", tt.name)
			case tt.opens && !tt.reads && string(out) != fmt.Sprintf("%d 0\n", unix.EIO):
				t.Errorf("%s: got %.20q, want %v", tt.name, out, unix.EIO)
			}
		}
		if tt.warning != "" {
			eventually(t, "a warning: "+tt.warning, func() bool {
				return slices.ContainsFunc(w.all(), func(s string) bool { return strings.Contains(s, tt.warning) })
			})
		}
	}
	eventually(t, "handles to be closed", func() bool { return m.OpenHandles() == 0 })
	for _, s := range w.all() {
		if strings.Contains(s, "\n") {
			t.Errorf("got a warning of several lines: %q", s)
		}
	}
}

// What Open says reaches who opens: ESTALE as such, all else as EIO.
func TestVFSOpenErrors(t *testing.T) {
	dir := mountDir(t)
	fine := func() {}
	var files []File
	errs := []error{unix.ESTALE, fmt.Errorf("f: %w", unix.ESTALE), unix.ENOENT, errors.New("words"), unix.EINTR, unix.ENOSYS, context.Canceled}
	for i, err := range errs {
		files = append(files, File{Path: fmt.Sprint(i), Size: 1, Inode: uint64(10 + i), Mode: 0o444, Content: &faulty{fine, fine, fine, err}})
	}
	m := serve(t, dir, files, Options{})
	for i, err := range errs {
		want := unix.EIO
		if errors.Is(err, unix.ESTALE) {
			want = unix.ESTALE
		}
		fd, got := unix.Open(fmt.Sprint(dir, "/", i), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if got != want {
			t.Errorf("%v: got error %v, want %v", err, got, want)
			_ = unix.Close(fd)
		}
	}
	if n := m.OpenHandles(); n != 0 {
		t.Errorf("got %d open handles", n)
	}
}

// The kernel checks modes and owners, for each of three kinds of user.
func TestVFSPermissions(t *testing.T) {
	require.Needs(t, "root", "setpriv")
	dir := mountDir(t)
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o755))
	var files []File
	modes := []uint32{0o444, 0o440, 0o400, 0o404, 0o004, 0o040, 0, 0o666}
	for i, mode := range modes {
		files = append(files, File{Path: fmt.Sprintf("d/%03o", mode), Size: 1, Inode: uint64(10 + i), Mode: mode, UID: 1001, GID: 1002,
			Content: static{strings.NewReader("x")}})
	}
	m := serve(t, dir, files, Options{AllowOther: true})
	want := func(fileMode uint32, shift int) bool { return fileMode>>shift&4 != 0 }
	for _, user := range []struct {
		name  string
		args  []string
		shift int
	}{
		{"owner", []string{"--reuid=1001", "--regid=1001"}, 6},
		{"group", []string{"--reuid=1003", "--regid=1002"}, 3},
		{"other", []string{"--reuid=1003", "--regid=1003"}, 0},
	} {
		for _, mode := range modes {
			path := fmt.Sprintf("%s/d/%03o", dir, mode)
			_, err := run(t, "setpriv", append(user.args, "--clear-groups", "cat", path)...)
			if got := err == nil; got != want(mode, user.shift) || !got && !strings.Contains(err.Error(), "Permission denied") {
				t.Errorf("%s of mode %03o: got error %v", user.name, mode, err)
			}
		}
	}
	for _, mode := range modes { // root may read all of them
		if got := mustRun(t, "stat", "-c", "%a %u %g", fmt.Sprintf("%s/d/%03o", dir, mode)); got != fmt.Sprintf("%o 1001 1002", mode) {
			t.Errorf("mode %03o: got %s", mode, got)
		}
		mustRun(t, "cat", fmt.Sprintf("%s/d/%03o", dir, mode))
	}
	// What is taken away is taken away at once.
	other := func() error {
		_, err := run(t, "setpriv", "--reuid=1003", "--regid=1003", "--clear-groups", "cat", dir+"/d/444")
		return err
	}
	must(t, other())
	files[0].Mode = 0o440
	must(t, m.Publish(files))
	if err := other(); err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("got error %v", err)
	}
	files[0].Mode = 0o444
	must(t, m.Publish(files))
	must(t, other())
}

package faultfs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/require"
)

// TestMain is the file system and its reader as well: they have to be processes
// of their own.
func TestMain(m *testing.M) {
	switch {
	case Asked():
		os.Exit(Main(os.Args[1:]))
	case os.Getenv("FAULTFS_READER") != "":
		readerMain()
		os.Exit(0)
	}
	os.Setenv("GORACE", "atexit_sleep_ms=1") // for the processes that tests start
	os.Exit(require.NoMounts(m))
}

// answered is what a system call of the reader gave: an error number and text.
type answered struct {
	errno unix.Errno
	text  string
}

// readerMain does what lines of standard input say, and answers each with a line.
func readerMain() {
	fd := -1
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var err error
		var text string
		command, arg, _ := strings.Cut(in.Text(), " ")
		switch command {
		case "open":
			unix.Close(fd)
			fd, err = unix.Open(arg, unix.O_RDONLY, 0)
		case "pread": // OFFSET LENGTH
			var off int64
			var n int
			fmt.Sscan(arg, &off, &n)
			p := make([]byte, n)
			n, err = unix.Pread(fd, p, off)
			text = fmt.Sprintf("%q", p[:max(n, 0)])
		case "stat", "fstat":
			var st unix.Stat_t
			if command == "stat" {
				err = unix.Stat(arg, &st)
			} else {
				err = unix.Fstat(fd, &st)
			}
			text = fmt.Sprintf("%d %d %d.%09d %d.%09d", st.Ino, st.Size, st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec)
		case "statfs":
			err = unix.Statfs(arg, new(unix.Statfs_t))
		case "list":
			var list []os.DirEntry
			list, err = os.ReadDir(arg)
			for _, e := range list {
				text += e.Name() + " "
			}
		case "readlink":
			text, err = os.Readlink(arg)
		}
		var errno unix.Errno
		if err != nil && !errors.As(err, &errno) {
			errno = unix.EPROTO
		}
		fmt.Printf("%d %s\n", errno, text)
	}
}

// reader is a process that reads.
type reader struct {
	t   *testing.T
	cmd *exec.Cmd
	in  *os.File
	out chan string
}

func newReader(t *testing.T) *reader {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "FAULTFS_READER=1")
	r, w, err := os.Pipe()
	must(t, err)
	cmd.Stdin = r
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	r.Close()
	lines := make(chan string, 1000)
	go func() {
		for in := bufio.NewScanner(out); in.Scan(); {
			lines <- in.Text()
		}
		close(lines)
	}()
	t.Cleanup(func() {
		w.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &reader{t, cmd, w, lines}
}

// ask lets the reader do something without waiting for the answer.
func (r *reader) ask(format string, args ...any) {
	r.t.Helper()
	_, err := fmt.Fprintf(r.in, format+"\n", args...)
	must(r.t, err)
}

func (r *reader) answer() answered {
	r.t.Helper()
	select {
	case line, ok := <-r.out:
		if !ok {
			r.t.Fatal("the reader has ended")
		}
		var a answered
		_, err := fmt.Sscan(line, &a.errno)
		must(r.t, err)
		_, a.text, _ = strings.Cut(line, " ")
		return a
	case <-time.After(patience):
		r.t.Fatal("the reader does not answer")
		return answered{}
	}
}

func (r *reader) do(format string, args ...any) answered {
	r.t.Helper()
	r.ask(format, args...)
	return r.answer()
}

// waits tells whether the answer takes longer than a moment.
func (r *reader) waits() bool {
	select {
	case line := <-r.out:
		r.t.Logf("got %q", line)
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}

// want does something that has to be answered like that.
func (r *reader) want(errno unix.Errno, text, format string, args ...any) {
	r.t.Helper()
	if got := r.do(format, args...); got.errno != errno || got.text != text {
		r.t.Errorf(format+": got %q and error %v, want %q and %v", append(args, got.text, got.errno, text, errno)...)
	}
}

// content is that of the file "a".
var content = bytes.Repeat([]byte("0123456789"), 1000)

// start shows a folder with the files "a" and "sub/b" until the test ends.
func start(t *testing.T, cache time.Duration) (m *Mount, dir string) {
	t.Helper()
	require.Needs(t, "fuse")
	dir = t.TempDir()
	mnt := t.TempDir()
	must(t, os.WriteFile(dir+"/a", content, 0o644))
	must(t, os.Mkdir(dir+"/sub", 0o755))
	must(t, os.WriteFile(dir+"/sub/b", []byte("bbbb"), 0o644))
	must(t, os.Symlink("a", dir+"/link"))
	m, err := Start([]string{"/proc/self/exe"}, dir, mnt, cache)
	must(t, err)
	t.Cleanup(func() {
		must(t, m.Close())
		names, err := os.ReadDir(mnt)
		if err != nil || len(names) > 0 {
			t.Errorf("after unmounting: got %v and error %v, want nothing", names, err)
		}
		if _, err := os.Stat(filepath.Dir(m.Socket)); err == nil {
			t.Error("the socket's folder is left behind")
		}
	})
	return m, dir
}

func add(t *testing.T, m *Mount, r Rule) int {
	t.Helper()
	id, err := m.Add(r)
	must(t, err)
	return id
}

func state(t *testing.T, m *Mount) State {
	t.Helper()
	s, err := m.State()
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

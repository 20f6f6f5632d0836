package source

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testFolders are folders of file systems that work differently: the one of
// temporary files, and one in memory.
func testFolders(t *testing.T) map[string]string {
	t.Helper()
	shm, err := os.MkdirTemp("/dev/shm", "source-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(shm) })
	return map[string]string{"disk": t.TempDir(), "memory": shm}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

// settle waits until a change gets another time stamp than what was before:
// kernels before 6.13 stamp with the time of the last clock tick.
func settle() { time.Sleep(25 * time.Millisecond) }

func lstat(t *testing.T, r Ref) Stat {
	t.Helper()
	s, err := r.Lstat()
	must(t, err)
	return s
}

// within fails the test if f takes longer than a minute.
func within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("hangs")
	}
}

// wantChanged fails the test unless err is a ChangedError of r that unwraps to
// ESTALE and says what.
func wantChanged(t *testing.T, err error, r Ref, what string) {
	t.Helper()
	var changed *ChangedError
	switch {
	case !errors.As(err, &changed):
		t.Errorf("got error %v, want a ChangedError", err)
	case !errors.Is(err, unix.ESTALE):
		t.Errorf("%v: does not unwrap to ESTALE", err)
	case changed.Path != r.Path():
		t.Errorf("got path %q, want %q", changed.Path, r.Path())
	case !strings.Contains(changed.What, what):
		t.Errorf("got %q, want it to say %q", changed.What, what)
	case !strings.Contains(err.Error(), changed.What) || !strings.Contains(err.Error(), r.Path()):
		t.Errorf("message %q lacks the path or the change", err)
	}
}

// content opens r and reads all of it.
func content(r Ref, id Identity) (string, error) {
	f, err := Open(r, id)
	if err != nil {
		return "", err
	}
	defer f.Close()
	p := make([]byte, f.Size())
	err = f.ReadFull(p, 0)
	return string(p), err
}

// openBelowDir returns the files and folders at or below dir that this process
// has open.
func openBelowDir(t *testing.T, dir string) []string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	must(t, err)
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	var open []string
	for _, fd := range fds {
		path, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && (path == dir || strings.HasPrefix(path, dir+"/")) {
			open = append(open, strings.TrimPrefix(path, dir))
		}
	}
	return open
}

func wantClosed(t *testing.T, dir string) {
	t.Helper()
	if open := openBelowDir(t, dir); len(open) > 0 {
		t.Errorf("left open: %q", open)
	}
}

const childVar = "VZIP_SOURCE_TEST_CHILD"

// isChild tells whether this is the process that runAgain started.
func isChild() bool { return os.Getenv(childVar) != "" }

// runAgain runs the calling test in a process of its own, where isChild.
func runAgain(t *testing.T, attr *syscall.SysProcAttr) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// The test binary's folder may be closed to the user that attr names.
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.SysProcAttr = "/", attr
	cmd.Env = append([]string{"GORACE=atexit_sleep_ms=0"}, os.Environ()...)
	cmd.Env = append(cmd.Env, childVar+"=1", "TMPDIR=/tmp")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
}

// readFull reads from a set as a server does: the identity is checked after the
// bytes were taken.
func readFull(s *Set, x Index, key uint64, id Identity, p []byte, off int64) error {
	e, err := s.Acquire(x, key)
	if err != nil {
		return err
	}
	defer s.Release(e)
	err = e.ReadFull(p, off)
	if err == nil || errors.As(err, new(*ChangedError)) {
		if e := e.Check(id); e != nil {
			err = e
		}
	}
	return err
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/vfs"
)

// served is "vzip mount", running.
type served struct {
	t    *testing.T
	f    *faulty
	mnt  string
	log  string // the file of its messages
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error
	held map[string]int // archives that the test has open
}

// run starts "vzip mount" and does not wait for anything.
func (f *faulty) run(layout string, flags ...string) *served {
	f.t.Helper()
	mnt, err := os.MkdirTemp(f.dir, "mnt")
	must(f.t, err)
	d := &served{t: f.t, f: f, mnt: mnt, log: mnt + ".log", done: make(chan struct{}), held: map[string]int{}}
	log, err := os.Create(d.log)
	must(f.t, err)
	defer log.Close()
	if !slices.Contains(flags, "--cache") {
		flags = append(flags, "--no-cache")
	}
	d.cmd = exec.Command("vzip", slices.Concat([]string{"mount"}, flags, []string{layout, mnt})...)
	d.cmd.Stderr = log
	must(f.t, d.cmd.Start())
	go func() {
		d.err = d.cmd.Wait()
		close(d.done)
	}()
	// What hangs for good would hang the test's own reads, too.
	watchdog := time.AfterFunc(3*patience, func() {
		_ = f.fs.Clear()
		_ = d.cmd.Process.Kill()
		_ = vfs.Unmount(mnt, true)
	})
	f.t.Cleanup(func() {
		watchdog.Stop()
		_ = f.fs.Clear()
		d.stop()
	})
	return d
}

// mount starts "vzip mount" and waits until its archives are there.
func (f *faulty) mount(layout string, flags ...string) *served {
	f.t.Helper()
	d := f.run(layout, flags...)
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		mounted, err := vfs.IsMounted(d.mnt)
		must(f.t, err)
		if mounted {
			return d
		}
		if d.ended(0) || time.Now().After(end) {
			f.t.Fatalf("vzip mount %s: %v: %s", flags, d.err, d.text())
		}
	}
}

// ended tells whether the program ends in that time.
func (d *served) ended(within time.Duration) bool {
	select {
	case <-d.done:
		return true
	default:
	}
	select {
	case <-d.done:
		return true
	case <-time.After(within):
		return false
	}
}

// hold opens an archive for all reads of it to come: one that is known to be stale
// can't be opened any more.
func (d *served) hold(archive string) {
	d.t.Helper()
	fd, err := unix.Open(d.mnt+"/"+archive, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	must(d.t, err)
	d.held[archive] = fd
}

// letGo closes what hold opened.
func (d *served) letGo() {
	for _, fd := range d.held {
		unix.Close(fd)
	}
	clear(d.held)
}

// stop unmounts and waits for the end.
func (d *served) stop() {
	d.t.Helper()
	d.letGo()
	var err error
	for end := time.Now().Add(2 * patience); !d.ended(0) && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		// Another test's mount namespace may have a copy of the mount, which a signal ends.
		if err = vfs.Unmount(d.mnt, false); err == nil && !d.ended(slack) {
			_ = d.cmd.Process.Signal(syscall.SIGTERM)
			d.ended(slack)
		}
	}
	if !d.ended(0) {
		d.t.Errorf("vzip does not end after unmounting: the last error was %v, it is used by %q", err, vfs.Holders(d.mnt))
		_ = d.cmd.Process.Signal(syscall.SIGABRT) // it shows where it hangs
		d.ended(slack)
		_ = d.cmd.Process.Kill()
		_ = vfs.Unmount(d.mnt, true)
		<-d.done
		d.t.Error(d.text())
	}
	if mounted, err := vfs.IsMounted(d.mnt); mounted || err != nil {
		d.t.Errorf("%s is left mounted; error %v", d.mnt, err)
		_ = vfs.Unmount(d.mnt, true)
	}
}

// text is what the program has said.
func (d *served) text() string {
	text, _ := os.ReadFile(d.log)
	return string(text)
}

// lines are the messages that have all these words.
func (d *served) lines(words ...string) (found []string) {
	for line := range strings.Lines(d.text()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			found = append(found, line)
		}
	}
	return found
}

// wantLines fails unless there are that many messages with all these words.
func (d *served) wantLines(n int, words ...string) {
	d.t.Helper()
	if got := d.lines(words...); len(got) != n {
		d.t.Errorf("%d messages have the words %q, want %d; all messages: %s", len(got), words, n, d.text())
	}
}

// threads is how many threads the program has.
func (d *served) threads() int {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", d.cmd.Process.Pid))
	return len(tasks)
}

// pread reads a part of an archive with one pread(2). Never from the kernel's
// memory, so that the daemon has to answer.
func (d *served) pread(archive string, off int64, n int) ([]byte, error) {
	fd, held := d.held[archive]
	if !held {
		var err error
		if fd, err = unix.Open(d.mnt+"/"+archive, unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0); err != nil {
			return nil, err
		}
		defer unix.Close(fd)
	}
	return preadOnce(fd, off, n)
}

func preadOnce(fd int, off int64, n int) ([]byte, error) {
	p := make([]byte, n)
	for {
		n, err := unix.Pread(fd, p, off)
		if err != unix.EINTR { // which only the runtime's own signals give
			return p[:max(n, 0)], err
		}
	}
}

// preadFull reads until it has n bytes, or an error, which is io.EOF at an end.
func preadFull(fd int, off int64, n int) (data []byte, err error) {
	for len(data) < n {
		p, err := preadOnce(fd, off+int64(len(data)), n-len(data))
		if err == nil && len(p) == 0 {
			err = io.EOF
		}
		if data = append(data, p...); err != nil {
			return data, err
		}
	}
	return data, nil
}

// check reads a part of an archive and fails if that gives other bytes, or less
// of them. It returns the error of the read.
func (d *served) check(archive string, want []byte, off int64, n int) error {
	d.t.Helper()
	want = want[off:min(off+int64(n), int64(len(want)))]
	got, err := d.pread(archive, off, n)
	switch {
	case err != nil:
	case len(got) != len(want):
		d.t.Errorf("%s: pread of %d at %d gives %d bytes, want %d", archive, n, off, len(got), len(want))
	case !bytes.Equal(got, want):
		i := 0
		for got[i] == want[i] {
			i++
		}
		d.t.Errorf("%s: pread of %d at %d gives wrong bytes from %d on: %x, want %x", archive, n, off, i, got[i:min(i+32, n)], want[i:min(i+32, n)])
	}
	return err
}

// checkAll reads an archive from end to end, and returns how many of its parts
// were right and how many gave which error.
func (d *served) checkAll(archive string, want []byte) (right int, errs map[error]int) {
	d.t.Helper()
	errs = map[error]int{}
	for off := int64(0); off < int64(len(want)); off += block {
		if err := d.check(archive, want, off, block); err != nil {
			errs[err]++
		} else {
			right++
		}
	}
	return right, errs
}

// wantAll fails unless an archive has these bytes.
func (d *served) wantAll(archive string, want []byte) {
	d.t.Helper()
	if _, errs := d.checkAll(archive, want); len(errs) > 0 {
		d.t.Errorf("%s: got errors %v, want none; messages: %s", archive, errs, d.text())
	}
}

// wantSoon reads a part again and again until it can be read, and returns how
// long that took.
func (d *served) wantSoon(archive string, want []byte, off int64, n int, within time.Duration) time.Duration {
	d.t.Helper()
	begin := time.Now()
	for {
		err := d.check(archive, want, off, n)
		took := time.Since(begin)
		switch {
		case took > within:
			d.t.Errorf("%s: a read at %d gave error %v after %v, want its bytes within %v; messages: %s", archive, off, err, took, within, d.text())
			return took
		case err == nil:
			return took
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// wantErrno fails unless an error is one of these.
func wantErrno(t *testing.T, what string, err error, want ...unix.Errno) {
	t.Helper()
	if !slices.ContainsFunc(want, func(w unix.Errno) bool { return err == w }) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

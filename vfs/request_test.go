package vfs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// waiting is a file whose reads wait until they are let go, or until nobody waits
// for them.
type waiting struct {
	asked, answer chan struct{}
	ended         chan error // why a read was given up
}

func newWaiting() *waiting {
	return &waiting{make(chan struct{}, 2000), make(chan struct{}), make(chan error, 2000)}
}

func (w *waiting) Open(bool) (Handle, error) { return w, nil }
func (w *waiting) Close()                    {}

// Read takes no memory while it waits.
func (w *waiting) Read(ctx context.Context, off int64, n int) (Data, error) {
	w.asked <- struct{}{}
	select {
	case <-w.answer:
		return buffer(n, func(p []byte) (int, error) { return numbered{}.ReadAt(p, off) })
	case <-ctx.Done():
		w.ended <- ctx.Err()
		return nil, ctx.Err()
	}
}

func (w *waiting) Seek(ctx context.Context, off int64, _ int) (int64, error) {
	_, err := w.Read(ctx, off, 1)
	return off, err
}

// A killed reader gives its place free at once; a signal that a reader handles does
// not make it fail.
func TestVFSInterrupt(t *testing.T) {
	dir := mountDir(t)
	w := newWaiting()
	serve(t, dir, []File{{Path: "f", Size: 1 << 20, Inode: 2, Mode: 0o444, Content: w}}, Options{})
	path := filepath.Join(dir, "f")

	start := func(args ...string) *exec.Cmd {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=1")
		must(t, cmd.Start())
		<-w.asked
		return cmd
	}
	handles := []string{"/proc/self/exe", "read", "direct", path, "0:4096"}
	cmd := start(handles...)
	threads := func() (list []string) {
		entries, err := os.ReadDir("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/task")
		must(t, err)
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	for range 5 {
		for _, thread := range threads() {
			tid, err := strconv.Atoi(thread)
			must(t, err)
			must(t, unix.Tgkill(cmd.Process.Pid, tid, unix.SIGUSR1))
		}
		time.Sleep(3 * callerPoll)
	}
	select {
	case err := <-w.ended:
		t.Errorf("a signal that the reader handles ended its read: %v", err)
	default:
	}
	interrupted := time.Now()
	must(t, cmd.Process.Kill()) // the kernel says nothing of this second signal
	if err := cmd.Wait(); err == nil {
		t.Error("a killed reader ended well")
	}
	if err := <-w.ended; err != context.Canceled || time.Since(interrupted) > 5*time.Second {
		t.Errorf("killed: got error %v after %v", err, time.Since(interrupted))
	}

	// No program in Go: its runtime handles SIGTERM, in the very thread that reads perhaps.
	cmd = start("dd", "if="+path, "of=/dev/null", "bs=4096", "count=1", "iflag=direct")
	must(t, cmd.Process.Signal(unix.SIGTERM))
	if err := cmd.Wait(); err == nil {
		t.Error("a reader that was ended ended well")
	}
	if err := <-w.ended; err != context.Canceled {
		t.Errorf("ended: got error %v", err)
	}

	cmd = start("/proc/self/exe", "seek", path, fmt.Sprintf("0:%d", unix.SEEK_HOLE))
	must(t, cmd.Process.Kill())
	if err := cmd.Wait(); err == nil {
		t.Error("who was killed while it looked for holes ended well")
	}
	if err := <-w.ended; err != context.Canceled {
		t.Errorf("lseek: got error %v", err)
	}

	cmd = start(handles...)
	must(t, cmd.Process.Signal(unix.SIGUSR1))
	time.Sleep(callerPoll)
	close(w.answer)
	if err := cmd.Wait(); err != nil {
		t.Errorf("a reader that was let go: %v", err)
	}
}

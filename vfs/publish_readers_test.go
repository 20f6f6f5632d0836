package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
)

// holder is another process that has a file open, and mapped.
type holder struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
}

func hold(t *testing.T, path string) *holder {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "follow", path)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	h := &holder{cmd, in, out}
	h.next(t)
	return h
}

// next makes it read once more, and returns the generation.
func (h *holder) next(t *testing.T) (number uint32) {
	t.Helper()
	_, err := io.WriteString(h.in, "\n")
	must(t, err)
	_, err = fmt.Fscanln(h.out, &number)
	must(t, err)
	return number
}

func (h *holder) close(t *testing.T) {
	t.Helper()
	h.in.Close()
	must(t, h.cmd.Wait())
}

// Whoever reads, in whatever way and while others are published, gets one generation:
// the one that was opened; and each name is always there.
func TestVFSPublishUnderReaders(t *testing.T) {
	publishes := uint32(figure.N(50, 5000))
	dir := mountDir(t)
	path := dir + "/d/f"
	m := serve(t, dir, []File{of("d/f", 1)}, Options{})
	var storms []*exec.Cmd
	var ends []io.Closer
	var outs []*bytes.Buffer
	for range 3 {
		cmd := exec.Command("/proc/self/exe", "storm", path)
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=1")
		in, err := cmd.StdinPipe()
		must(t, err)
		out := &bytes.Buffer{}
		cmd.Stdout, cmd.Stderr = out, os.Stderr
		must(t, cmd.Start())
		storms, ends, outs = append(storms, cmd), append(ends, in), append(outs, out)
	}
	type pin struct {
		*holder
		number uint32
	}
	var pins []pin
	pinned := 0
	now, newest := uint32(1), uint32(1)
	for i := range publishes {
		if i%3 == 0 {
			pins = append(pins, pin{hold(t, path), now})
		}
		if len(pins) > 6 {
			pins[0].close(t)
			pins = pins[1:]
		}
		if i%2 == 0 {
			newest++
			now = newest
		} else { // back to an older content, which may still be open
			now = max(1, newest-rand.Uint32N(min(newest, 10)))
		}
		must(t, m.Publish([]File{of("d/f", now)}))
		for _, p := range pins {
			pinned++
			if got := p.next(t); got != p.number {
				t.Fatalf("publish %d: got generation %d from a handle of generation %d", i, got, p.number)
			}
		}
		if st := stat(t, path); st.Ino != 1000+uint64(now) {
			t.Fatalf("publish %d: got inode %d, want generation %d", i, st.Ino, now)
		}
	}
	for _, p := range pins {
		p.close(t)
	}
	var opens, reads, bad int
	for i, cmd := range storms {
		ends[i].Close()
		must(t, cmd.Wait())
		var o, r, b int
		_, err := fmt.Fscan(outs[i], &o, &r, &b)
		must(t, err)
		opens, reads, bad = opens+o, reads+r, bad+b
	}
	if bad > 0 || opens < 10 {
		t.Errorf("got %d opens and %d failures", opens, bad)
	}
	eventually(t, "handles to be closed", func() bool { return m.OpenHandles() == 0 })
	figure.Print(t, "%d publishes (half of them back to an older content) under 3 readers that open (%d opens, %d reads) and 6 that hold on (%d rounds of pread and mmap): %d mixed generations, errors or missing names",
		publishes, opens, reads, pinned, bad)
}

// Contents that were replaced are let go of, though somebody has the file open.
func TestVFSPublishLetsGo(t *testing.T) {
	dir := mountDir(t)
	m := serve(t, dir, []File{of("f", 1)}, Options{})
	old := hold(t, dir+"/f")
	n := m.tree.current.Load().dirs["."].entries["f"].node.(*file)
	must(t, m.Publish([]File{of("f", 2)}))
	eventually(t, "the content to be let go of", func() bool { return n.state.Load().Content == Content(stale{}) })
	// Who has it open can't open it once more.
	reopen := fmt.Sprintf("/proc/%d/fd", old.cmd.Process.Pid)
	fds, err := os.ReadDir(reopen)
	must(t, err)
	for _, fd := range fds {
		if target, _ := os.Readlink(reopen + "/" + fd.Name()); strings.HasPrefix(target, dir) {
			if _, err := os.ReadFile(reopen + "/" + fd.Name()); !errors.Is(err, unix.ESTALE) {
				t.Errorf("opening %s again: got error %v, want %v", target, err, unix.ESTALE)
			}
		}
	}
	if got := old.next(t); got != 1 {
		t.Errorf("got generation %d, want 1", got)
	}
	old.close(t)
	if got := cat(t, dir+"/f"); got != 2 {
		t.Errorf("got generation %d, want 2", got)
	}
}

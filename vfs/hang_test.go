package vfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vzip/internal/figure"
)

// ownStatus returns a number of /proc/self/status.
func ownStatus(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	must(t, err)
	var n int
	_, err = fmt.Sscan(field(string(text), name), &n)
	must(t, err)
	return n
}

// numbered is a file of zeros, but that each page begins with its number.
type numbered struct{}

func (numbered) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	for i := -off & (pageSize - 1); i+8 <= int64(len(p)); i += pageSize {
		binary.LittleEndian.PutUint64(p[i:], uint64((off+i)/pageSize))
	}
	return len(p), nil
}

const pageSize = 4096

// Readers of a good file, and those who only look, don't notice that a thousand
// others wait for a source that does not answer.
func TestVFSHangCrowd(t *testing.T) {
	const crowd, size = 1000, 1 << 40
	dir := mountDir(t)
	w := newWaiting()
	serve(t, dir, []File{
		{Path: "bad", Size: size, Inode: 2, Mode: 0o444, Content: w},
		{Path: "good", Size: size, Inode: 3, Mode: 0o444, Content: static{numbered{}}},
	}, Options{})
	latency := func() (median, p99, slowest int) {
		out := mustRun(t, "/proc/self/exe", "latency", dir+"/good", strconv.Itoa(figure.N(300, 3000)))
		_, err := fmt.Sscan(out, &median, &p99, &slowest)
		must(t, err)
		return median, p99, slowest
	}
	_, before, _ := latency()
	rss := ownStatus(t, "VmRSS")
	cmd := exec.Command("/proc/self/exe", "crowd", dir+"/bad", strconv.Itoa(crowd), strconv.Itoa(figure.N(64<<10, 1<<20)))
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	must(t, cmd.Start())
	release := sync.OnceFunc(func() { close(w.answer) })
	defer release()
	eventually(t, "readers to wait", func() bool { return len(w.asked) >= crowd })
	median, p99, slowest := latency()
	began := time.Now()
	mustRun(t, "sh", "-c", `df "$1" && ls -l "$1"`, "-", dir)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("df and ls took %v", took)
	}
	if p99 > 1_000_000 {
		t.Errorf("99 %% of reads took up to %d µs", p99)
	}
	threads, grown := ownStatus(t, "Threads"), ownStatus(t, "VmRSS")-rss
	if threads >= 200 || grown > 512<<10 {
		t.Errorf("got %d threads and %d KiB more memory", threads, grown)
	}
	figure.Print(t, "%d readers wait for a source that hangs: reads of another file take %d µs (median), %d µs (p99; %d before), %d µs (slowest); %d threads, %d MiB more resident memory",
		crowd, median, p99, before, slowest, threads, grown>>10)
	// Once it answers, all of them get what they asked for.
	release()
	must(t, cmd.Wait())
	if got := strings.TrimSpace(out.String()); got != "0" {
		t.Errorf("%s reads failed", got)
	}
}

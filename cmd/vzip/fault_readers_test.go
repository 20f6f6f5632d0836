package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// readersVariable in the environment makes this binary a process of readers, and
// holds a readers as JSON.
const readersVariable = "VZIP_FAULT_READERS"

// readers are threads that read an archive.
type readers struct {
	Path, Oracle string // the archive, and a file with its bytes
	Threads      int
	Reads        int  // of each thread; 0 for as many as there is time for, until standard input ends
	Length       int  // of each read
	Buffered     bool // every other thread reads through the kernel's memory
}

// outcome is what a read gave.
type outcome struct {
	At    time.Duration // since the first read of them all
	Took  time.Duration
	Errno unix.Errno
	Wrong bool
}

// readersMain reads, says "reading" when all threads are about to, and at the end
// prints a list of outcomes.
func readersMain() error {
	var r readers
	if err := json.Unmarshal([]byte(os.Getenv(readersVariable)), &r); err != nil {
		return err
	}
	want, err := os.ReadFile(r.Oracle)
	if err != nil {
		return err
	}
	fds := make([]int, r.Threads)
	for i := range fds {
		flags := unix.O_RDONLY
		if !r.Buffered || i%2 == 0 {
			flags |= unix.O_DIRECT
		}
		if fds[i], err = unix.Open(r.Path, flags|unix.O_CLOEXEC, 0); err != nil {
			return fmt.Errorf("%s: %w", r.Path, err)
		}
		_ = unix.Fadvise(fds[i], 0, 0, unix.FADV_RANDOM)
	}
	stop := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(stop) }()
	results := make([][]outcome, r.Threads)
	done := make(chan int)
	first := time.Now()
	for i, fd := range fds {
		go func() {
			results[i] = r.read(fd, i, want, first, stop)
			done <- i
		}()
	}
	fmt.Println("reading")
	for range fds {
		<-done
	}
	return json.NewEncoder(os.Stdout).Encode(slices.Concat(results...))
}

// read is thread i of r: no two threads that read once read the same pages.
func (r *readers) read(fd, i int, want []byte, first time.Time, stop chan struct{}) (all []outcome) {
	rnd := rand.New(rand.NewPCG(1, uint64(i)))
	for n := 0; r.Reads == 0 || n < r.Reads; n++ {
		select {
		case <-stop:
			return all
		default:
		}
		places := (len(want) - r.Length) / 8192
		off := i % places * 8192
		if n > 0 || r.Reads == 0 {
			off = rnd.IntN(places) * 8192
			time.Sleep(time.Millisecond)                                          // what is measured is no throughput
			_ = unix.Fadvise(fd, int64(off), int64(r.Length), unix.FADV_DONTNEED) // the daemon has to answer
		}
		begin := time.Now()
		got, err := preadOnce(fd, int64(off), r.Length)
		o := outcome{At: begin.Sub(first), Took: time.Since(begin)}
		o.Errno, _ = err.(unix.Errno)
		o.Wrong = err == nil && !bytes.Equal(got, want[off:off+r.Length])
		all = append(all, o)
	}
	return all
}

// crowd is a process of readers.
type crowd struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.Closer
	out  bytes.Buffer
	done chan error
}

// read starts a process that reads an archive whose bytes are want.
func (d *served) read(archive string, want []byte, r readers) *crowd {
	d.t.Helper()
	r.Path, r.Oracle = d.mnt+"/"+archive, filepath.Join(d.f.dir, archive+".oracle")
	must(d.t, os.WriteFile(r.Oracle, want, 0o644))
	job, err := json.Marshal(r)
	must(d.t, err)
	self, err := os.Executable()
	must(d.t, err)
	c := &crowd{t: d.t, cmd: exec.Command(self), done: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), readersVariable+"="+string(job))
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Stderr = os.Stderr
	c.in, err = c.cmd.StdinPipe()
	must(d.t, err)
	stdout, err := c.cmd.StdoutPipe()
	must(d.t, err)
	must(d.t, c.cmd.Start())
	d.t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	begun := make([]byte, len("reading\n"))
	if _, err := io.ReadFull(stdout, begun); err != nil {
		d.t.Fatalf("readers of %s: %v", archive, errors.Join(err, c.cmd.Wait()))
	}
	go func() {
		_, err := io.Copy(&c.out, stdout)
		c.done <- errors.Join(err, c.cmd.Wait())
	}()
	return c
}

// outcomes lets readers stop, and returns what each of their reads gave.
func (c *crowd) outcomes() (all []outcome) {
	c.t.Helper()
	c.in.Close()
	select {
	case err := <-c.done:
		must(c.t, err)
	case <-time.After(2 * patience):
		c.t.Fatal("the readers do not end")
	}
	must(c.t, json.Unmarshal(c.out.Bytes(), &all))
	return all
}

// times are how long reads took: the middle, 99 of 100, and the longest.
type times struct{ p50, p99, most time.Duration }

func (s times) String() string {
	return fmt.Sprintf("p50 %v, p99 %v, most %v", round(s.p50), round(s.p99), round(s.most))
}

func round(d time.Duration) time.Duration {
	if d > 100*time.Millisecond {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}

// timesOf fails the test unless all reads were right.
func timesOf(t *testing.T, what string, all []outcome) times {
	t.Helper()
	var took []time.Duration
	for _, o := range all {
		if o.Errno != 0 || o.Wrong {
			t.Errorf("%s: a read gave error %v, wrong bytes: %v", what, o.Errno, o.Wrong)
			break
		}
		took = append(took, o.Took)
	}
	return timesOfAll(took)
}

func timesOfAll(took []time.Duration) times {
	if len(took) == 0 {
		return times{}
	}
	slices.Sort(took)
	return times{took[len(took)/2], took[len(took)*99/100], took[len(took)-1]}
}

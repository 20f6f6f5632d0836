package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childVariable names the child that this program is to be: readers and peers run
// in processes of their own.
const childVariable = "VZIP_BENCH_CHILD"

// children are what this program can be besides itself. They get the words behind
// the program's name.
var children map[string]func(args []string) error

// child runs as a child if that was asked for.
func child() (code int, done bool) {
	name := os.Getenv(childVariable)
	if name == "" {
		return 0, false
	}
	f, ok := children[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "%s=%s: there is no such child\n", childVariable, name)
		return 2, true
	}
	if err := f(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1, true
	}
	return 0, true
}

// command is a program to run and measure. Its output is thrown away unless asked for.
type command struct {
	dir   string
	env   []string
	words []string
	out   *bytes.Buffer // standard output; nil: thrown away
}

// run runs it to its end.
func (b *bench) run(c command) (s sample, err error) {
	cmd := b.cmd(c)
	var stderr bytes.Buffer
	cmd.Stderr = &tail{to: &stderr}
	if c.out != nil {
		cmd.Stdout = c.out
	}
	begin := time.Now()
	if err := launch(cmd); err != nil {
		return s, err
	}
	err = cmd.Wait()
	s.time = time.Since(begin)
	if err != nil {
		return s, fmt.Errorf("%s: %w: %s", strings.Join(c.words[:min(len(c.words), 4)], " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	s.reader = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		// Counted when pages become dirty, in blocks of 512 bytes (getrusage(2)).
		s.extra = map[string]float64{"written": float64(r.Oublock) * 512}
	}
	return s, nil
}

// launch starts a command. That there is no such program is errUnavailable.
func launch(cmd *exec.Cmd) error {
	err := cmd.Start()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w: %w", errUnavailable, err)
	}
	return err
}

// do runs words, of which nothing is measured.
func (b *bench) do(words ...string) error {
	_, err := b.run(command{words: words})
	return err
}

// cmd makes a command whose descendants end with it when the run is broken off.
func (b *bench) cmd(c command) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, c.words[0], c.words[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(append(os.Environ(), "XDG_CACHE_HOME="+b.path("cache"), "LC_ALL=C.UTF-8"), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// asChild makes a command of a child of this program.
func (b *bench) asChild(name string, args ...string) command {
	return command{words: append([]string{b.self}, args...), env: []string{childVariable + "=" + name}}
}

// tail keeps the first KiB of what is written: the cause of a failure.
type tail struct{ to *bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.to.Write(p[:min(len(p), max(0, 1024-t.to.Len()))])
	return len(p), nil
}

// cpuTime is the CPU time that a process has used, all of its threads, to the
// nanosecond: its CPU clock (clock_getcpuclockid(3)).
func cpuTime(pid int) (time.Duration, error) {
	const cpuClockSched = 2 // user and system time
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuClockSched), &t); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

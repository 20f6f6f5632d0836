package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Program is a vzip to be tested.
type Program struct {
	Path string
	Env  []string // beside this process's
}

// Build builds vzip into the folder dir. VZIP in the environment names a program
// to use instead, VZIP_TAGS build tags, as those of seeded bugs.
func Build(ctx context.Context, dir string) (*Program, error) {
	if path := os.Getenv("VZIP"); path != "" {
		path, err := exec.LookPath(path)
		return &Program{Path: path}, err
	}
	path := filepath.Join(dir, "vzip")
	args := []string{"build", "-o", path}
	if raceEnabled {
		args = append(args, "-race", "-gcflags=github.com/klauspost/compress/...=-race=false") // as in the Makefile
	}
	if tags := os.Getenv("VZIP_TAGS"); tags != "" {
		args = append(args, "-tags", tags)
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "vzip/cmd/vzip")...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("building vzip: %w: %s", err, out)
	}
	return &Program{Path: path}, nil
}

// With returns the program with more in its environment.
func (p *Program) With(env ...string) *Program {
	return &Program{Path: p.Path, Env: append(p.Env[:len(p.Env):len(p.Env)], env...)}
}

// Command prepares a run of vzip, which ends with this process.
func (p *Program) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Path, args...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// ExitError is a run of vzip that failed.
type ExitError struct {
	Args   []string
	Code   int    // exit code; -1 after a signal
	Stderr string // what it said
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("vzip %s: exit code %d: %s", strings.Join(e.Args, " "), e.Code, strings.TrimSpace(e.Stderr))
}

// crashes are the words of a Go program that ends by a bug.
var crashes = []string{"panic:", "fatal error:", "WARNING: DATA RACE", "goroutine "}

// crashed says whether a text shows a crash or a data race.
func crashed(text string) bool {
	for _, word := range crashes {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// ErrCrash: vzip panicked, or the race detector spoke.
var ErrCrash = errors.New("vzip crashed")

// Run runs vzip and returns its standard output. The error is an *ExitError where
// vzip failed, and wraps ErrCrash where it should not have.
func (p *Program) Run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := p.Command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if crashed(stderr.String()) {
		return nil, fmt.Errorf("%w: vzip %s: %s", ErrCrash, strings.Join(args, " "), stderr.String())
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("vzip %s: %w: %s", strings.Join(args, " "), ctx.Err(), stderr.String())
	case errors.As(err, &exit):
		return stdout.Bytes(), &ExitError{args, exit.ExitCode(), stderr.String()}
	}
	return stdout.Bytes(), err
}

// ExitCode returns the exit code that an error of Run tells, 0 for nil, or -1.
func ExitCode(err error) int {
	var exit *ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	}
	return -1
}

// Can says whether this vzip has a command or a flag of mount.
func (p *Program) Can(word string) bool {
	args := []string{"help"}
	if strings.HasPrefix(word, "-") {
		args = append(args, "mount")
	}
	out, err := p.Command(context.Background(), args...).CombinedOutput()
	for _, w := range strings.Fields(string(out)) {
		if err == nil && w == word {
			return true
		}
	}
	return false
}

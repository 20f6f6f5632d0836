package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// workplace is where readers run: folders, and the environment that they get.
type workplace struct {
	dir      string // for all that is made
	extracts string // for what readers extract
	adapters string // where adapters' sources are
	out      string // where adapters were built
	vzip     string // the program under test
	prepared map[string]*prepared
}

// environ is that of every program: nothing of it shows in the table.
func (w *workplace) environ() []string {
	return append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8", "LANG=C.UTF-8", "ADAPTERS="+w.adapters, "OUT="+w.out, "TMPDIR="+w.dir, "UNZIP=", "ZIPOPT=")
}

// scratch makes an empty folder; the caller calls done when it is not needed any
// more.
func (w *workplace) scratch() (dir string, done func(), err error) {
	dir, err = os.MkdirTemp(w.extracts, "x")
	return dir, func() { removeAll(dir) }, err
}

// removeAll is os.RemoveAll for trees whose folders may not be entered.
func removeAll(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}

// output runs a program and returns what it prints.
func (w *workplace) output(ctx context.Context, words ...string) (string, error) {
	dir, done, err := w.scratch()
	if err != nil {
		return "", err
	}
	defer done()
	return w.run(ctx, dir, nil, nil, words...)
}

// run runs a program in a folder, with a file as its standard input, and returns
// what it prints, unless that goes to a writer.
func (w *workplace) run(ctx context.Context, dir string, stdin *os.File, to io.Writer, words ...string) (string, error) {
	cmd := w.command(ctx, dir, words...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if to != nil {
		cmd.Stdout = to
	}
	err := cmd.Start()
	if err != nil {
		return "", &difference{notInstalled, w.plain(err.Error())}
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		said := firstLine(stderr.String())
		if said == "" {
			said = firstLine(stdout.String())
		}
		return stdout.String(), &exitError{err, clip(w.plain(said))}
	}
	return stdout.String(), nil
}

// command is a program that ends with what it starts.
func (w *workplace) command(ctx context.Context, dir string, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = dir
	cmd.Env = w.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// serve runs a program that mounts something at a folder, and returns when it is
// there. The function that it returns takes the mount away and ends the program.
func (w *workplace) serve(ctx context.Context, dir string, words ...string) (unmount func(), err error) {
	before, err := device(dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := w.run(ctx, w.dir, nil, nil, words...)
		ended <- err
	}()
	unmount = func() {
		if unix.Unmount(dir, 0) != nil {
			_ = unix.Unmount(dir, unix.MNT_DETACH)
		}
		if now, err := device(dir); err != nil || now != before {
			panic("interop: " + dir + " can't be unmounted, and what is mounted there must not be removed")
		}
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			cancel()
			<-ended
		}
		cancel()
	}
	for {
		select {
		case err := <-ended:
			cancel()
			_ = unix.Unmount(dir, unix.MNT_DETACH) // it may have mounted before it failed
			if err == nil {
				err = errors.New("it ended, and nothing is mounted")
			}
			return nil, err
		case <-time.After(10 * time.Millisecond):
		}
		if now, err := device(dir); err == nil && now != before {
			return unmount, nil
		}
	}
}

// device returns the file system that a path is on.
func device(path string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	return st.Dev, err
}

// exitError is the failure of a program, with what it said of it.
type exitError struct {
	err  error
	said string
}

func (e *exitError) Error() string {
	if e.said == "" {
		return e.err.Error()
	}
	return e.said + " (" + e.err.Error() + ")"
}

func (e *exitError) Unwrap() error { return e.err }

var spaces = regexp.MustCompile(`\s+`)

// firstLine returns the first line that says something.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(spaces.ReplaceAllString(line, " ")); len(line) > 3 {
			return line
		}
	}
	return ""
}

func clip(s string) string {
	if len(s) > 160 {
		s = strings.ToValidUTF8(s[:160], "") + "…"
	}
	return s
}

// plain takes this run's own paths out of a message.
func (w *workplace) plain(s string) string {
	for _, dir := range []string{w.dir, w.extracts} {
		s = regexp.MustCompile(`/?`+regexp.QuoteMeta(strings.TrimPrefix(dir, "/"))+`(/x\d+|/mnt|/peer)?/?`).ReplaceAllString(s, "")
	}
	s = strings.ReplaceAll(s, w.adapters+"/", "")
	return strings.ReplaceAll(s, w.out+"/", "")
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"vzip/layout"
	"vzip/vfs"
)

// Exit codes of a shell for a command that can't be run.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
	exitSignal        = 128 // plus the signal's number
)

// execGrace is how long processes that CMD left behind may go on reading.
const execGrace = 10 * time.Second

func (a *app) execCommand() *cobra.Command {
	var f readFlags
	var start startFlags
	cmd := &cobra.Command{
		Use:                   "exec LAYOUT -- CMD [ARG...]",
		DisableFlagsInUseLine: true,
		Short:                 "Run CMD with the archives mounted at $VZIP_MOUNT",
		Long: "exec mounts the archives at a private place, runs CMD with VZIP_MOUNT set to it,\n" +
			"unmounts, and ends with CMD's exit code. CMD starts when the sources are scanned;\n" +
			"files are hashed when it reads them, and ahead of that.",
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at != 1 || len(args) < 2 {
				return usageError("exec takes a layout, two dashes and a command: vzip %s", cmd.Use)
			}
			return nil
		},
		ValidArgsFunction: completeLayout(nil),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := errors.Join(f.check(), start.check()); err != nil {
				return err
			}
			return a.exec(args[0], args[1:], &f, start.early())
		},
	}
	f.add(cmd.Flags())
	start.add(cmd.Flags(), "scan")
	return cmd
}

func (a *app) exec(file string, argv []string, f *readFlags, early bool) (err error) {
	ctx, stop := untilSignal()
	defer stop()
	l, err := a.load(ctx, file, f.timeout)
	if err != nil {
		return err
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		code := exitNotExecutable
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			code = exitNotFound
		}
		return &exitError{code, err}
	}
	if err := vfs.CheckDevice(); err != nil {
		return withoutFUSE(mountError(err), l)
	}
	dir, err := tempDir(l)
	if err != nil {
		return mountError(err)
	}
	defer os.Remove(dir)
	s, err := a.serve(ctx, l, dir, vfs.Options{}, f, early)
	if err != nil {
		return withoutFUSE(interrupted(err), l)
	}
	defer s.close()
	defer s.boundMemory()()
	signals := make(chan os.Signal, 8)
	notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	gone := waitGone(s.mounted)
	if err := ctx.Err(); err != nil {
		a.drain(s.mounted, gone, signals, 0)
		return interrupted(err)
	}

	cmd := exec.Command(program, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Env = append(os.Environ(), "VZIP_MOUNT="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr
	grace, err := runCommand(cmd, signals)
	s.stopHashing()
	// What the command left behind may finish reading, unless a signal ended it.
	a.drain(s.mounted, gone, signals, grace)
	if exitCode(err) == exitOK && s.counters.failures() > 0 {
		a.log.Warn(fmt.Sprintf("%s ended with exit code 0 though archives could not be read (see above): what it made of them may be wrong", argv[0]))
	}
	return err
}

// tempDir makes a folder for the mount, outside of all sources: nothing is
// written into those.
func tempDir(l *layout.Layout) (string, error) {
	parent, err := filepath.Abs(os.TempDir())
	if err == nil {
		parent, err = filepath.EvalSymlinks(parent)
	}
	if err != nil {
		return "", fmt.Errorf("the folder for temporary files: %w: set TMPDIR", err)
	}
	inside := func(dir string) error {
		if s, overlaps := vfs.Overlap(dir, l.Sources()); overlaps {
			return fmt.Errorf("the source %s holds the folder for temporary files: set TMPDIR to one outside of it", s)
		}
		return nil
	}
	if err := inside(filepath.Join(parent, "vzip-new")); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(parent, "vzip-")
	if err != nil {
		return "", err
	}
	// Only a folder that is there tells of bind mounts.
	if err := inside(dir); err != nil {
		os.Remove(dir)
		return "", err
	}
	return dir, nil
}

// runCommand runs a command, passes signals on to it, and turns its end into an
// exit code. What it left behind may go on for the returned time.
func runCommand(cmd *exec.Cmd, signals <-chan os.Signal) (time.Duration, error) {
	if err := cmd.Start(); err != nil {
		return 0, &exitError{exitNotExecutable, err}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	// A terminal sends its signals to the command as well.
	terminal := term.IsTerminal(int(os.Stdin.Fd()))
	grace := execGrace
	for {
		select {
		case s := <-signals:
			if s != syscall.SIGUSR1 && s != syscall.SIGUSR2 {
				grace = 0
			}
			if !terminal || s != syscall.SIGINT && s != syscall.SIGQUIT {
				_ = cmd.Process.Signal(s)
			}
		case err := <-ended:
			return grace, commandError(err)
		}
	}
}

// commandError is the exit code of a command that ended with err.
func commandError(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	status := exit.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return &exitError{code: exitSignal + int(status.Signal())}
	}
	return &exitError{code: status.ExitStatus()}
}

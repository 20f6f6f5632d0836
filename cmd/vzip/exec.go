package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

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
	return &cobra.Command{
		Use:   "exec LAYOUT -- CMD [ARG...]",
		Short: "Run CMD with the archives mounted at $VZIP_MOUNT",
		Long: "exec mounts the archives at a private place, runs CMD with VZIP_MOUNT set to it,\n" +
			"unmounts, and ends with CMD's exit code.",
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at != 1 || len(args) < 2 {
				return usageError("exec takes a layout, two dashes and a command: vzip %s", cmd.Use)
			}
			return nil
		},
		ValidArgsFunction: completeLayout(nil),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.exec(args[0], args[1:])
		},
	}
}

func (a *app) exec(file string, argv []string) (err error) {
	ctx, stop := untilSignal()
	defer stop()
	l, err := a.load(file)
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
	dir, err := os.MkdirTemp("", "vzip-")
	if err != nil {
		return mountError(err)
	}
	defer os.Remove(dir)
	if dir, err = vfs.CheckDir(dir); err != nil {
		return mountError(err)
	}
	if s, overlaps := vfs.Overlap(dir, l.Sources()); overlaps {
		return mountError(fmt.Errorf("the source %s holds the folder for temporary files: set TMPDIR to one outside of it", s))
	}
	g, m, err := a.serve(ctx, l, dir, vfs.Options{})
	if err != nil {
		return interrupted(err)
	}
	defer g.Close()
	defer a.unmountExec(m)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	if err := ctx.Err(); err != nil {
		return interrupted(err)
	}

	cmd := exec.Command(program, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Env = append(os.Environ(), "VZIP_MOUNT="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr
	return runCommand(cmd, signals)
}

// runCommand runs a command, passes signals on to it, and turns its end into an
// exit code.
func runCommand(cmd *exec.Cmd, signals <-chan os.Signal) error {
	if err := cmd.Start(); err != nil {
		return &exitError{exitNotExecutable, err}
	}
	// A terminal sends its signals to the command as well.
	terminal := term.IsTerminal(int(os.Stdin.Fd()))
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case s := <-signals:
				if !terminal || s != syscall.SIGINT && s != syscall.SIGQUIT {
					_ = cmd.Process.Signal(s)
				}
			case <-ended:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(ended)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status := exit.Sys().(syscall.WaitStatus)
		if status.Signaled() {
			return &exitError{code: exitSignal + int(status.Signal())}
		}
		return &exitError{code: status.ExitStatus()}
	}
	return err
}

// unmountExec unmounts after the command. What it left behind may finish for a
// while.
func (a *app) unmountExec(m *vfs.Mounted) {
	for end := time.Now().Add(execGrace); ; time.Sleep(busyPoll) {
		if a.unmountIdle(m.Dir, false) {
			break
		}
		if time.Now().After(end) {
			a.log.Warn(fmt.Sprintf("%s is still in use by %s: taking it away", m.Dir, holders(m.Dir)))
			if err := vfs.Unmount(m.Dir, true); err != nil {
				a.log.Error(fmt.Sprintf("unmounting %s: %v", m.Dir, err))
			}
			return
		}
	}
	m.Wait()
}

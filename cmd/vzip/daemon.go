package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A daemon is the same program started again in a session of its own. It tells
// its parent through a pipe that the archives are visible; when it ends before,
// the parent ends with its exit code. Until then its messages go where the
// parent's go.

// readyVariable names the file descriptor of that pipe in the daemon.
const readyVariable = "VZIP_READY_FD"

func isDaemon() bool { return os.Getenv(readyVariable) != "" }

// startDaemon starts this program again and returns when it is ready.
func (a *app) startDaemon() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(os.Environ(), readyVariable+"=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return fmt.Errorf("starting the daemon: %w", err)
	}
	w.Close()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	if n, _ := r.Read(make([]byte, 1)); n == 1 {
		return cmd.Process.Release()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		return &exitError{code: exit.ExitCode()} // it has said why
	case err == nil: // stopped by a signal right when it was ready
		return &exitError{exitFailure, errors.New("the daemon ended at once")}
	}
	return fmt.Errorf("the daemon ended: %w", err)
}

// detach leaves the parent's terminal and folder, and tells it that all is ready.
func (a *app) detach(log slog.Handler) error {
	fd, err := strconv.Atoi(os.Getenv(readyVariable))
	if err != nil {
		return fmt.Errorf("%s: %w", readyVariable, err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	a.handler.swap(log)
	if err := os.Chdir("/"); err != nil {
		return err
	}
	for std := range 3 {
		if err := unix.Dup3(int(null.Fd()), std, 0); err != nil {
			return err
		}
	}
	ready := os.NewFile(uintptr(fd), "ready")
	defer ready.Close()
	_, err = ready.Write([]byte{1})
	return err
}

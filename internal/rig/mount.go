package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long what should happen at once may take on a busy machine.
const Patience = 60 * time.Second

// Mount is a mount that a vzip serves as a child of this process.
type Mount struct {
	Dir string
	Pid int

	program *Program
	cmd     *exec.Cmd
	log     string
	ended   chan struct{}
	err     error // of the process, once ended
}

// Mount starts "vzip mount flags... layout dir" and waits until it says
// that it is ready. What it says is kept in dir + ".log". An *ExitError tells that vzip
// refused.
func (p *Program) Mount(ctx context.Context, layout, dir string, flags ...string) (*Mount, error) {
	log, err := os.OpenFile(dir+".log", os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := append(append([]string{"mount"}, flags...), layout, dir)
	m := &Mount{Dir: dir, program: p, log: log.Name(), ended: make(chan struct{})}
	// Not the caller's context: the mount outlives it until Close.
	m.cmd = p.Command(context.Background(), args...)
	m.cmd.Stdout, m.cmd.Stderr = log, log
	notify, err := listenReady()
	if err != nil {
		return nil, err
	}
	m.cmd.Env = append(m.cmd.Env, notify.env)
	if err := m.cmd.Start(); err != nil {
		notify.close()
		return nil, err
	}
	m.Pid = m.cmd.Process.Pid
	go func() {
		m.err = m.cmd.Wait()
		notify.close()
		close(m.ended)
	}()
	select {
	case <-notify.ready:
		return m, nil
	case <-m.ended:
		text := m.Log()
		if crashed(text) {
			return nil, fmt.Errorf("%w: %s", ErrCrash, text)
		}
		return nil, &ExitError{args, m.cmd.ProcessState.ExitCode(), text}
	case <-ctx.Done():
		m.Kill()
		return nil, fmt.Errorf("vzip mount does not get ready: %w: %s", ctx.Err(), m.Log())
	}
}

// Log returns what vzip said.
func (m *Mount) Log() string {
	text, _ := os.ReadFile(m.log)
	return string(text)
}

// Path returns the path of an archive.
func (m *Mount) Path(archive string) string { return filepath.Join(m.Dir, archive) }

// Reload runs "vzip reload".
func (m *Mount) Reload(ctx context.Context) error {
	_, err := m.program.Run(ctx, "reload", m.Dir)
	return err
}

// Kill ends the program as the kernel does when memory is short. Its mount stays,
// dead.
func (m *Mount) Kill() {
	_ = m.cmd.Process.Kill()
	<-m.ended
}

// Detach takes the mount out of sight, whoever holds it.
func Detach(dir string) error {
	if err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmounting %s: %w", dir, err)
	}
	return nil
}

// Close unmounts, and fails if the program does not end, ends with an error, or
// crashed at any time. All files of the mount have to be closed before.
func (m *Mount) Close() error {
	select {
	case <-m.ended:
	default:
		if Idle(func() error { return unmount(m.Dir) }) != nil {
			_ = Detach(m.Dir)
		}
	}
	select {
	case <-m.ended:
	case <-time.After(Patience):
		_ = m.cmd.Process.Signal(syscall.SIGQUIT) // it shows what it waits for
		time.Sleep(time.Second)
		m.Kill()
		return fmt.Errorf("vzip does not end after its mount %s is gone: %s", m.Dir, m.Log())
	}
	text := m.Log()
	switch {
	case crashed(text):
		return fmt.Errorf("%w: %s", ErrCrash, text)
	case m.err != nil:
		return fmt.Errorf("vzip mount %s: %w: %s", m.Dir, m.err, text)
	}
	return nil
}

func unmount(dir string) error {
	err := unix.Unmount(dir, unix.UMOUNT_NOFOLLOW)
	if err == unix.EPERM { // not root
		if exec.Command("fusermount3", "-u", "--", dir).Run() == nil {
			return nil
		}
		return unix.EBUSY
	}
	return err
}

// Idle unmounts, and tries again while the mount is busy: a reader that has just ended may
// still hold a file, and so may a program that is being started, until its exec(2).
func Idle(unmount func() error) error {
	for end := time.Now().Add(Patience); ; time.Sleep(2 * time.Millisecond) {
		if err := unmount(); !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return err
		}
	}
}

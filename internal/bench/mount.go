package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// server is how to serve a file system.
type server struct {
	command        // "{}" in its words is the mountpoint
	readAhead int  // of the mount, in KiB; 0: as it is
	metrics   bool // the daemon is told "{metrics}", an address to answer at
}

// mount is a file system that is being served.
type mount struct {
	dir     string
	cmd     *exec.Cmd
	stderr  bytes.Buffer
	done    chan struct{} // closed when the process has ended
	err     error         // of the process, then
	started time.Time
	ready   time.Duration // from the start until it was visible
	metrics string        // where the daemon answers; "": it does not
	closed  bool
}

// mount serves a file system until close.
func (b *bench) mount(s server) (*mount, error) {
	dir, err := os.MkdirTemp(b.dir, "mount-")
	if err != nil {
		return nil, err
	}
	m := &mount{dir: dir, done: make(chan struct{})}
	if s.metrics {
		if m.metrics, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	c := s.command
	c.words = slices.Clone(c.words)
	for i, word := range c.words {
		c.words[i] = strings.NewReplacer("{}", dir, "{metrics}", m.metrics).Replace(word)
	}
	m.cmd = b.cmd(c)
	m.cmd.Stderr = &tail{to: &m.stderr}
	m.started = time.Now()
	if err := launch(m.cmd); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	go func() {
		m.err = m.cmd.Wait()
		close(m.done)
	}()
	b.mounts = append(b.mounts, m)
	if err := m.await(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", c.words[0], err), m.close())
	}
	if s.readAhead > 0 {
		if err := setReadAhead(dir, s.readAhead); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	return m, nil
}

// await returns once something is mounted. Asking the mount itself would send it a
// request.
func (m *mount) await() error {
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
		if found, err := mountinfo.Mounted(m.dir); err != nil {
			return err
		} else if found {
			m.ready = time.Since(m.started)
			return nil
		}
		select {
		case <-m.done:
			return fmt.Errorf("it ended: %v: %s", m.err, bytes.TrimSpace(m.stderr.Bytes()))
		case <-time.After(2 * time.Millisecond):
		}
	}
	return errors.New("nothing is mounted after 10 minutes")
}

// close unmounts, waits for the process, and removes the mountpoint.
func (m *mount) close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Unmount(m.dir, 0)
		if err == nil || errors.Is(err, unix.EINVAL) { // or nothing is mounted
			break
		}
		if time.Now().After(end) {
			_ = unix.Unmount(m.dir, unix.MNT_DETACH)
			break
		}
	}
	select {
	case <-m.done:
	case <-time.After(10 * time.Second):
		_ = m.cmd.Process.Signal(syscall.SIGKILL)
		<-m.done
	}
	return os.Remove(m.dir)
}

// during measures f, and adds what the daemon used meanwhile.
func (m *mount) during(ctx context.Context, f func() (sample, error)) (sample, error) {
	counted, err := m.counters(ctx)
	if err != nil {
		return sample{}, err
	}
	before, err := cpuTime(m.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	s, err := f()
	if err != nil {
		return s, err
	}
	after, err := cpuTime(m.cmd.Process.Pid)
	if err != nil {
		return s, err
	}
	s.daemon = after - before
	now, err := m.counters(ctx)
	if err != nil {
		return s, err
	}
	s.grown(counted, now)
	s.extra["VmHWM"], err = memoryOf(m.cmd.Process.Pid, "VmHWM")
	return s, err
}

// setReadAhead sets how many KiB the kernel reads ahead in a mount.
func setReadAhead(dir string, kib int) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return err
	}
	file := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
	return os.WriteFile(file, fmt.Append(nil, kib), 0)
}

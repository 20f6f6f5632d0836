package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attempt is one client in one scenario, with a disk and a daemon of its own.
type attempt struct {
	b           *bench
	image       string // of the disk with the gated source
	layout, mnt string
	cell        string       // name of the folders for what the client makes
	umount      func() error // the disk
	gate        *gate
	daemon      *exec.Cmd
	daemonEnded chan struct{}
	log         bytes.Buffer
}

func (a *attempt) archive() string { return filepath.Join(a.mnt, archiveName) }

func (a *attempt) gated() string { return a.b.path("disk", "gated.bin") }

// outcome is what a client did.
type outcome struct {
	exit   int
	said   string // its messages
	hung   bool   // it was killed
	target string // folder with what it made, or a server got from it
}

// clientTime is how long a client may take for a cell.
const clientTime = 90 * time.Second

// try runs a client in a scenario. The error is that the cell could not be tried.
func (b *bench) try(ctx context.Context, c client, s scenario, cell string) (out outcome, err error) {
	a := &attempt{b: b, image: b.path("disk.img"), layout: b.path("layout.yaml"), mnt: b.path("mnt"), cell: cell, daemonEnded: make(chan struct{})}
	if err := a.start(ctx); err != nil {
		return out, errors.Join(err, a.end())
	}
	defer func() {
		if e := a.end(); e != nil && err == nil {
			err = e
		}
		if err != nil {
			err = fmt.Errorf("%w; vzip said: %s", err, strings.TrimSpace(a.log.String()))
		}
	}()
	if s.before != nil {
		if err := s.before(ctx, a); err != nil {
			return out, err
		}
	}
	if s.during != nil {
		a.gate.shut(a.daemon.Process.Pid)
	}
	ended := make(chan struct{})
	var failed error
	go func() {
		defer close(ended)
		out, failed = a.runClient(ctx, c)
	}()
	if s.during != nil {
		select {
		case <-a.gate.reached:
			err = s.during(ctx, a)
		case <-ended:
			err = errors.New("the client did not come as far as the second entry: " + out.said)
		}
	}
	a.gate.open()
	<-ended
	return out, errors.Join(err, failed)
}

// start mounts the disk and the archive.
func (a *attempt) start(ctx context.Context) error {
	image, err := os.ReadFile(a.b.image)
	if err != nil {
		return err
	}
	_ = os.Remove(a.image)
	if err := os.WriteFile(a.image, image, 0o600); err != nil {
		return err
	}
	if a.umount, err = a.b.mountImage(ctx, a.image); err != nil {
		return err
	}
	if err := a.b.writeLayout(a.layout, false); err != nil {
		return err
	}
	if a.gate, err = newGate(a.gated()); err != nil {
		return err
	}
	a.daemon = exec.Command(a.b.vzip, "mount", "--quiet", "--cache", a.b.path("cache"), a.layout, a.mnt)
	a.daemon.Stderr = &a.log
	if err := a.daemon.Start(); err != nil {
		return err
	}
	go func() {
		defer close(a.daemonEnded)
		_ = a.daemon.Wait()
	}()
	for {
		if _, err := os.Stat(a.archive()); err == nil {
			return nil
		}
		select {
		case <-a.daemonEnded:
			return fmt.Errorf("vzip mount: %s", strings.TrimSpace(a.log.String()))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// end takes the mounts away. They must be gone, or all that follows would be about
// something else.
func (a *attempt) end() error {
	if a.daemon != nil && a.daemon.Process != nil {
		for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			_ = a.daemon.Process.Signal(sig)
			select {
			case <-a.daemonEnded:
			case <-time.After(5 * time.Second):
				continue
			}
			break
		}
	}
	_ = unix.Unmount(a.mnt, unix.MNT_DETACH) // what SIGKILL left
	if a.gate != nil {
		a.gate.close()
	}
	if list, err := os.ReadDir(a.mnt); err != nil || len(list) > 0 {
		return fmt.Errorf("%s is still mounted: %w", a.mnt, err)
	}
	if a.umount != nil {
		return a.umount()
	}
	return nil
}

// runClient runs a client's shell words.
func (a *attempt) runClient(ctx context.Context, c client) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", c.words)
	cmd.Dir = a.b.place(nowhere, a.cell)
	// All that a client obeys is here. Programs are Debian's, also where others stand before them.
	cmd.Env = []string{
		"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + a.b.path("home"), "LC_ALL=C.UTF-8", "TZ=UTC", "TMPDIR=" + a.b.dir,
		"ARCHIVE=" + a.archive(), "MNT=" + a.mnt, "NAME=" + archiveName,
		"HTTP=" + a.b.sinkURL + "/" + a.cell,
	}
	if s := a.b.servers[c.server]; s != nil {
		cmd.Env = append(cmd.Env, s.Env(a.cell)...)
	}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	out := outcome{exit: cmd.ProcessState.ExitCode(), said: a.b.plain(said.String()), hung: errors.Is(ctx.Err(), context.DeadlineExceeded), target: a.b.place(c.server, a.cell)}
	if _, ok := errors.AsType[*exec.ExitError](err); ok || out.hung {
		err = nil
	}
	return out, err
}

var (
	ownPlaces = regexp.MustCompile(`(\.\./)*mnt/|target/cell-\d+/`)
	ownBucket = regexp.MustCompile(`cell-\d+`)
)

// plain takes this run's own paths and addresses out of a message.
func (b *bench) plain(s string) string {
	if b.sinkURL != "" {
		s = strings.ReplaceAll(s, b.sinkURL, "http://sink")
	}
	for kind, of := range b.servers {
		s = strings.ReplaceAll(s, of.Address, map[server]string{nginx: "nginx", s3Gateway: "s3", rsyncDaemon: "rsyncd", sshd: "sshd"}[kind])
	}
	s = strings.ReplaceAll(s, b.path()+"/", "")
	return ownBucket.ReplaceAllString(ownPlaces.ReplaceAllString(s, ""), "bucket")
}

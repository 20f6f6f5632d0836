package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vzip/internal/generation"
	"vzip/layout"
	"vzip/vfs"
)

// mountFlags are the flags of "vzip mount".
type mountFlags struct {
	options    []string // of -o, as given
	allowOther bool
	daemon     bool
	logFile    string
}

func (a *app) mountCommand() *cobra.Command {
	var f mountFlags
	cmd := &cobra.Command{
		Use:   "mount LAYOUT MOUNTPOINT",
		Short: "Show a layout's archives at MOUNTPOINT until they are unmounted",
		Long: "mount works out what is in every archive, then shows the archives at MOUNTPOINT\n" +
			"until it is unmounted, or gets SIGINT or SIGTERM. A mount that is in use is\n" +
			"waited for; a second signal takes it away at once.",
		Args:              exactArgs("LAYOUT", "MOUNTPOINT"),
		ValidArgsFunction: completeLayout(func(string) ([]string, cobra.ShellCompDirective) { return nil, cobra.ShellCompDirectiveFilterDirs }),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.mountOptions(cmd, &f)
			if err != nil {
				return err
			}
			if f.daemon && !isDaemon() {
				return a.startDaemon()
			}
			return a.mount(args[0], args[1], &f, o)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.options, "options", "o", nil, "mount options as mount(8) takes them, parted by commas")
	flags.BoolVar(&f.allowOther, "allow-other", false, "let other users read the archives too")
	flags.BoolVar(&f.daemon, "daemon", false, "go on in the background once the archives are visible")
	flags.StringVar(&f.logFile, "log-file", "", "with --daemon: append messages to this file, not to the system's log")
	return cmd
}

// mount serves a layout until it is unmounted.
func (a *app) mount(file, dir string, f *mountFlags, o vfs.Options) error {
	ctx, stop := untilSignal()
	defer stop()
	dir, note, err := vfs.CheckDir(dir)
	if note != "" {
		a.log.Warn(note)
	}
	if err != nil {
		return mountError(err)
	}
	if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
		a.log.Warn(fmt.Sprintf("mountpoint %s is not empty: what is in it can't be seen until it is unmounted", dir))
	}
	l, err := a.load(file)
	if err != nil {
		return err
	}
	if s, overlaps := vfs.Overlap(dir, l.Sources()); overlaps {
		return mountError(fmt.Errorf("the mountpoint %s and the source %s lie in each other: choose a mountpoint outside of all sources", dir, s))
	}
	log, err := a.daemonLog(f) // before the long part, so that a bad file is known early
	if err != nil {
		return err
	}
	g, m, err := a.serve(ctx, l, dir, o)
	if err != nil {
		return interrupted(err)
	}
	defer g.Close()
	a.log.Info(fmt.Sprintf("%d archives at %s", len(g.Archives), dir))

	signals := make(chan os.Signal, 2)
	notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	if f.daemon {
		signal.Ignore(syscall.SIGHUP)
	} else {
		notify(signals, syscall.SIGHUP)
	}
	early := ctx.Err() != nil // a signal that came just before
	stop()                    // from here on a signal means: unmount
	if f.daemon {
		if err := a.detach(log); err != nil {
			_ = m.Unmount(true)
			return err
		}
	}
	gone := waitGone(m)
	if !early {
		select {
		case <-gone:
			return nil
		case <-signals:
		}
	}
	if !a.takeDown(m, takeDown{gone: gone, again: signals, until: "a second signal takes it away at once"}) {
		return &exitError{code: exitFailure} // its readers got errors
	}
	return nil
}

// serve builds a layout's generation and mounts it at dir.
func (a *app) serve(ctx context.Context, l *layout.Layout, dir string, o vfs.Options) (*generation.Generation, *vfs.Mounted, error) {
	// A log whose reader is gone must not end the mount. (Ignored, the signal
	// would be ignored by what exec runs, too.)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	g, err := a.build(ctx, l, building{report: func(err error) { a.log.Error(err.Error()) }})
	if err != nil {
		return nil, nil, err
	}
	files := make([]vfs.File, len(g.Archives))
	for i, archive := range g.Archives {
		ino, err := archive.Inode()
		if err != nil {
			g.Close()
			return nil, nil, err
		}
		files[i] = vfs.File{Path: archive.Name, Size: archive.Size(), ModTime: archive.ModTime, Inode: ino,
			Mode: 0o444, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Content: content{archive}}
	}
	if o.Source == "" {
		if o.Source, err = filepath.Abs(l.File); err != nil {
			o.Source = l.File
		}
	}
	o.Warn = a.warn
	o.Debug = func(s string) { a.log.Debug(s) }
	m, err := vfs.Mount(dir, files, o)
	if err != nil {
		g.Close()
		return nil, nil, mountError(err)
	}
	return g, m, nil
}

// content is an archive as a mount shows it.
type content struct{ io.ReaderAt }

func (c content) Open() (vfs.Handle, error) { return c, nil }

func (c content) ReadAt(_ context.Context, p []byte, off int64) (int, error) {
	return c.ReaderAt.ReadAt(p, off)
}

func (c content) Close() {}

const (
	// busyPoll is how often a busy mount is tried again.
	busyPoll = 200 * time.Millisecond
	// goneGrace is how long an unmounted file system may take to end.
	goneGrace = 2 * time.Second
)

// waitGone returns a channel that is closed when the mount has ended.
func waitGone(m *vfs.Mounted) <-chan struct{} {
	gone := make(chan struct{})
	go func() {
		m.Wait()
		close(gone)
	}()
	return gone
}

// takeDown says how long a mount that is in use may live.
type takeDown struct {
	gone  <-chan struct{}  // the mount has ended
	again <-chan os.Signal // take it away under its readers
	grace <-chan time.Time // the same
	until string           // what is waited for, in words
}

// takeDown unmounts as soon as nobody uses the mount, and returns in any case
// when the mount is out of sight: false if that was under its readers.
func (a *app) takeDown(m *vfs.Mounted, t takeDown) (idle bool) {
	poll := time.NewTicker(busyPoll)
	defer poll.Stop()
	for try := 1; ; try++ {
		err := m.Unmount(false)
		if err == nil {
			break
		}
		switch {
		case try != 2: // a program that is just ending is not worth a word
		case errors.Is(err, unix.EBUSY):
			a.log.Warn(fmt.Sprintf("%s is in use by %s: waiting until that ends; %s", m.Dir, holders(m.Dir), t.until))
		default:
			a.log.Warn(fmt.Sprintf("unmounting %s: %v; trying again until that is possible; %s", m.Dir, err, t.until))
		}
		force := false
		select {
		case <-t.gone:
			return true
		case <-poll.C:
		case <-t.again:
			force = true
		case <-t.grace:
			force = true
		}
		if force {
			a.log.Warn(fmt.Sprintf("%s is taken away while %s still uses it: readers get errors", m.Dir, holders(m.Dir)))
			if err := m.Unmount(true); err != nil {
				a.log.Error(fmt.Sprintf("unmounting %s: %v", m.Dir, err))
			}
			return false
		}
	}
	// Out of sight here, it lives on while another mount namespace has a copy.
	select {
	case <-t.gone:
	case <-t.again:
	case <-time.After(goneGrace):
		a.log.Warn(fmt.Sprintf("%s is unmounted; a copy in another mount namespace ends with errors", m.Dir))
	}
	return true
}

// holders names the processes that keep a mount busy.
func holders(dir string) string {
	if h := vfs.Holders(dir); len(h) > 0 {
		return strings.Join(h, ", ")
	}
	return "a process that can't be seen from here, or another mount below it"
}

// daemonLog opens where a daemon's messages go once it is in the background.
func (a *app) daemonLog(f *mountFlags) (slog.Handler, error) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(a.logLevel)) // checked before
	switch {
	case !f.daemon && f.logFile != "":
		return nil, usageError("--log-file is for --daemon: redirect standard error instead")
	case !f.daemon:
		return nil, nil
	case f.logFile != "":
		w, err := os.OpenFile(f.logFile, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return nil, usageError("--log-file: %w: name a file in a folder that is there", err)
		}
		if a.logFormat == "json" {
			return newHandler("json", w, level)
		}
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}), nil // with time and level
	}
	h, err := newSyslogHandler(level)
	if err != nil {
		a.log.Warn(fmt.Sprintf("there is no system log (%v): messages of the daemon are lost; use --log-file", err))
		return slog.DiscardHandler, nil
	}
	return h, nil
}

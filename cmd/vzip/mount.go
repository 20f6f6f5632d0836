package main

import (
	"context"
	"errors"
	"fmt"
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
	dir, err := vfs.CheckDir(dir)
	if err != nil {
		return mountError(err)
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
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if ctx.Err() != nil && len(signals) == 0 { // a signal that came just before
		signals <- syscall.SIGTERM
	}
	stop() // from here on a signal means: unmount
	if f.daemon {
		if err := a.detach(log); err != nil {
			_ = vfs.Unmount(dir, true)
			return err
		}
	}
	a.waitUnmounted(m, signals, f.daemon)
	return nil
}

// serve builds a layout's generation and mounts it at dir.
func (a *app) serve(ctx context.Context, l *layout.Layout, dir string, o vfs.Options) (*generation.Generation, *vfs.Mounted, error) {
	g, err := a.build(ctx, l, "", func(err error) { a.log.Error(err.Error()) })
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
		files[i] = vfs.File{Path: archive.Name, Size: archive.Size(), ModTime: archive.ModTime, Inode: ino, ReaderAt: archive}
	}
	if o.Source == "" {
		if o.Source, err = filepath.Abs(l.File); err != nil {
			o.Source = l.File
		}
	}
	o.Warn = func(s string) { a.log.Warn(s) }
	m, err := vfs.Mount(dir, files, o)
	if err != nil {
		g.Close()
		return nil, nil, mountError(err)
	}
	return g, m, nil
}

// busyPoll is how often a busy mount is tried again.
const busyPoll = 200 * time.Millisecond

// waitUnmounted returns when the mount is gone, by itself or after a signal.
func (a *app) waitUnmounted(m *vfs.Mounted, signals <-chan os.Signal, daemon bool) {
	gone := make(chan struct{})
	go func() {
		m.Wait()
		close(gone)
	}()
	var retry <-chan time.Time
	stopping := false
	for {
		select {
		case <-gone:
			return
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP && daemon:
				continue
			case stopping:
				a.log.Warn("taking the mount away while it is in use: its readers get errors")
				if err := vfs.Unmount(m.Dir, true); err != nil {
					a.log.Error(fmt.Sprintf("unmounting %s: %v", m.Dir, err))
				}
				return
			}
			stopping = true
			if a.unmountIdle(m.Dir, true) {
				<-gone
				return
			}
			retry = time.After(busyPoll)
		case <-retry:
			if a.unmountIdle(m.Dir, false) {
				<-gone
				return
			}
			retry = time.After(busyPoll)
		}
	}
}

// unmountIdle unmounts what is not in use, and says who uses it otherwise.
func (a *app) unmountIdle(dir string, tell bool) bool {
	err := vfs.Unmount(dir, false)
	switch {
	case err == nil:
		return true
	case !tell:
	case errors.Is(err, unix.EBUSY):
		a.log.Warn(fmt.Sprintf("%s is in use by %s: waiting until that ends; a second signal takes it away at once", dir, holders(dir)))
	default:
		a.log.Error(fmt.Sprintf("unmounting %s: %v", dir, err))
	}
	return false
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
			return nil, err
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

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"vzip/vfs"
)

// mountFlags are the flags of "vzip mount".
type mountFlags struct {
	options    []string // of -o, as given
	allowOther bool
	daemon     bool
	logFile    string
	read       readFlags
	start      startFlags
	drain      time.Duration
	watch      bool
	sweep      time.Duration
	pprof      string // an address for developers; "": none
}

func (a *app) mountCommand() *cobra.Command {
	var f mountFlags
	cmd := &cobra.Command{
		Use:   "mount LAYOUT MOUNTPOINT",
		Short: "Show a layout's archives at MOUNTPOINT until they are unmounted",
		Long: "mount works out what is in every archive, then shows the archives at MOUNTPOINT\n" +
			"until it is unmounted, or gets SIGINT or SIGTERM: then the mount disappears at once,\n" +
			"and files that are open can be read on for the time that --drain gives; a second\n" +
			"signal ends it at once. SIGHUP is vzip reload.",
		Args:              exactArgs("LAYOUT", "MOUNTPOINT"),
		ValidArgsFunction: completeLayout(func(string) ([]string, cobra.ShellCompDirective) { return nil, cobra.ShellCompDirectiveFilterDirs }),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.mountOptions(cmd, &f)
			if err != nil {
				return err
			}
			if err := f.check(); err != nil {
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
	f.read.add(flags)
	f.start.add(flags, "hashed")
	flags.DurationVar(&f.drain, "drain", 30*time.Second, "how long files that are open may be read on after SIGTERM or SIGINT")
	flags.BoolVar(&f.watch, "watch", false, "notice changes of sources and layout, and show the new state")
	flags.DurationVar(&f.sweep, "sweep", 10*time.Minute, "with --watch: how often all sources are looked at, for changes that the kernel did not tell")
	flags.StringVar(&f.logFile, "log-file", "", "with --daemon: append messages to this file, not to the system's log")
	flags.StringVar(&f.pprof, "pprof", "", "answer net/http/pprof's requests at this address, for developers")
	_ = flags.MarkHidden("pprof") // it is there
	return cmd
}

func (f *mountFlags) check() error {
	switch {
	case f.drain < 0:
		return usageError("--drain %v makes no sense: use 0s or more", f.drain)
	case f.sweep < time.Second:
		return usageError("--sweep %v makes no sense: use 1s or more", f.sweep)
	}
	if err := f.start.check(); err != nil {
		return err
	}
	return f.read.check()
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
	l, err := a.load(ctx, file, f.read.timeout)
	if err != nil {
		return err
	}
	if err := checkOverlap(ctx, dir, l, f.read.timeout); err != nil {
		return err
	}
	log, err := a.daemonLog(f) // before the long part, so that a bad file is known early
	if err != nil {
		return err
	}
	// A log whose reader is gone must not end the mount.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if f.pprof != "" {
		stop, err := servePprof(f.pprof)
		if err != nil {
			return err
		}
		defer stop()
	}
	s := a.newServer(l, dir, &f.read)
	s.early = f.start.early()
	s.progress.background, s.progress.status = f.daemon, a.status
	var w *watcher
	if f.watch {
		w = s.newWatcher(f.sweep)
	}
	started := a.whileStarting()
	err = s.start(ctx, l, o)
	started()
	if err != nil {
		return interrupted(err)
	}
	defer s.tellErrors()
	defer s.close()
	visible := fmt.Sprintf("%d archives at %s", len(s.generation().Archives), dir)
	a.log.Info(visible + s.unhashed())

	signals := make(chan os.Signal, 2)
	notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	hangups := make(chan os.Signal, 1)
	notify(hangups, syscall.SIGHUP)
	early := ctx.Err() != nil // a signal that came just before
	stop()                    // from here on a signal means: unmount
	gone := waitGone(s.mounted)
	defer s.answerControl()()
	if f.daemon {
		if err := a.detach(log); err != nil {
			_ = s.mounted.Unmount(true)
			return err
		}
	}
	a.notifyReady()
	s.progress.tell(visible)
	defer s.watchdog()()
	defer s.boundMemory()()
	if !early && !s.untilUnmounted(w, gone, signals, hangups) {
		return nil
	}
	s.draining.Store(true)
	a.notifyService(sd.SdNotifyStopping)
	s.stopHashing()
	if !a.drain(s.mounted, gone, signals, f.drain) {
		return &exitError{code: exitFailure} // its readers got errors
	}
	return nil
}

// untilUnmounted serves until the mount is gone or, when it returns true, a signal
// asks for its end.
func (s *server) untilUnmounted(w *watcher, gone <-chan struct{}, signals, hangups <-chan os.Signal) (asked bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if w != nil {
		go w.run(ctx)
	}
	terminal := hasTerminal()
	reloads := make(chan struct{}, 1) // those that come while one waits are that one
	go func() {
		for range reloads {
			_, _ = s.reloadNow(ctx, "reload", slog.LevelInfo) // tells the log
		}
	}()
	defer close(reloads)
	for {
		select {
		case <-gone:
			return false
		case <-signals:
			return true
		case <-hangups:
			if terminal && !hasTerminal() {
				return true // what SIGHUP says where somebody closes a window
			}
			select {
			case reloads <- struct{}{}:
			default:
			}
		}
	}
}

// hasTerminal tells whether the process is one of a terminal that is still there.
func hasTerminal() bool {
	f, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	f.Close()
	return true
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

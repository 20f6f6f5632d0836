package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/pflag"

	"vzip/layout"
	"vzip/vfs"
)

// serviceFlags are the flags of commands that serve until they are told to end.
type serviceFlags struct {
	read  readFlags
	start startFlags
	drain time.Duration
	watch bool
	sweep time.Duration
	pprof string // an address for developers; "": none
}

func (f *serviceFlags) add(flags *pflag.FlagSet, ready string) {
	f.read.add(flags)
	f.start.add(flags, ready)
	flags.DurationVar(&f.drain, "drain", 30*time.Second, "how long what is open may be read on after SIGTERM or SIGINT")
	flags.BoolVar(&f.watch, "watch", false, "notice changes of sources and layout, and show the new state")
	flags.DurationVar(&f.sweep, "sweep", 10*time.Minute, "with --watch: how often all sources are looked at, for changes that the kernel did not tell")
	flags.StringVar(&f.pprof, "pprof", "", "answer net/http/pprof's requests at this address, for developers")
	_ = flags.MarkHidden("pprof") // it is there
}

func (f *serviceFlags) check() error {
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

// service is how a command serves a layout: at a mountpoint, over HTTP, or both.
type service struct {
	file    string // the layout
	flags   *serviceFlags
	dir     string // the mountpoint; "": none
	mount   vfs.Options
	web     *webFlags // nil: not over HTTP
	daemon  bool
	logFile string // of a daemon
}

// serveUntilEnd serves a layout until the mount is gone, or a signal comes.
func (a *app) serveUntilEnd(v service) error {
	ctx, stop := untilSignal()
	defer stop()
	if v.dir != "" {
		dir, err := a.checkDir(v.dir)
		if err != nil {
			return err
		}
		v.dir = dir
	}
	l, err := a.load(ctx, v.file, v.flags.read.timeout)
	if err != nil {
		return err
	}
	if v.dir != "" {
		if err := checkOverlap(ctx, v.dir, l, v.flags.read.timeout); err != nil {
			return err
		}
	}
	log, err := a.daemonLog(v.daemon, v.logFile) // before the long part, so that a bad file is known early
	if err != nil {
		return err
	}
	// A log whose reader is gone must not end the service.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if v.flags.pprof != "" {
		stop, err := servePprof(v.flags.pprof)
		if err != nil {
			return err
		}
		defer stop()
	}
	s := a.newServer(l, v.dir, &v.flags.read)
	s.early = v.flags.start.early()
	s.progress.background, s.progress.status = v.daemon, a.status
	if v.web != nil {
		if err := s.listen(l, v.web); err != nil {
			return err
		}
		defer s.web.close()
	}
	var w *watcher
	if v.flags.watch {
		w = s.newWatcher(v.flags.sweep)
	}
	started := a.whileStarting()
	err = s.start(ctx, l, v.mount)
	started()
	if err != nil {
		return interrupted(err)
	}
	defer s.tellErrors()
	defer s.close()
	visible := s.where()
	if s.web == nil {
		a.log.Info(visible + s.unhashed())
	} else { // the address ends the line, so that programs find it
		a.log.Info(visible)
		if text, ok := strings.CutPrefix(s.unhashed(), "; "); ok {
			a.log.Info(text)
		}
		s.tellOpen()
	}

	signals := make(chan os.Signal, 2)
	notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	hangups := make(chan os.Signal, 1)
	notify(hangups, syscall.SIGHUP)
	early := ctx.Err() != nil // a signal that came just before
	stop()                    // from here on a signal means: end
	var gone <-chan struct{}  // never, without a mount
	if s.mounted != nil {
		gone = waitGone(s.mounted)
		defer s.answerControl()()
	}
	if v.daemon {
		if err := a.detach(log); err != nil {
			_ = s.mounted.Unmount(true)
			return err
		}
	}
	a.notifyReady()
	s.progress.tell(visible)
	defer s.watchdog()()
	defer s.boundMemory()()
	if !early && !s.untilUnmounted(w, gone, signals, hangups) && s.web == nil {
		return nil
	}
	a.notifyService(sd.SdNotifyStopping)
	s.stopHashing()
	broken := s.web != nil && s.web.broken.Load()
	if !s.finish(gone, signals, v.flags.drain) || broken {
		return &exitError{code: exitFailure} // its readers got errors
	}
	return nil
}

// checkDir returns a mountpoint's absolute path if it can be one.
func (a *app) checkDir(dir string) (string, error) {
	dir, note, err := vfs.CheckDir(dir)
	if note != "" {
		a.log.Warn(note)
	}
	if err != nil {
		return "", mountError(err)
	}
	if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
		a.log.Warn(fmt.Sprintf("mountpoint %s is not empty: what is in it can't be seen until it is unmounted", dir))
	}
	return dir, nil
}

// where says what is served, and where.
func (s *server) where() string {
	n := len(s.generation().Archives)
	switch {
	case s.web == nil:
		return fmt.Sprintf("%d archives at %s", n, s.dir)
	case s.dir == "":
		return fmt.Sprintf("serving %d archives at %s", n, s.web.url)
	}
	return fmt.Sprintf("serving %d archives at %s and at %s", n, s.web.url, s.dir)
}

// check refuses layouts that can't be served so.
func (s *server) check(ctx context.Context, l *layout.Layout) error {
	if s.web != nil {
		if err := checkNames(l); err != nil {
			return err
		}
	}
	if s.dir != "" {
		return checkOverlap(ctx, s.dir, l, s.reader.Timeout)
	}
	return nil
}

// finish ends what is served: nothing new begins, and who reads may go on for the time
// of grace, or until a signal. It returns whether all could read to the end.
func (s *server) finish(gone <-chan struct{}, signals <-chan os.Signal, grace time.Duration) bool {
	if s.web == nil {
		return s.drain(s.mounted, gone, signals, grace)
	}
	again := make(chan os.Signal, 1)
	cut := make(chan struct{})
	go func() {
		again <- <-signals
		close(cut)
	}()
	finished := make(chan bool, 1)
	go func() { finished <- s.web.drain(s.app, cut, grace) }()
	read := true
	select {
	case <-gone: // nobody reads there any more
	default:
		if s.mounted != nil {
			read = s.drain(s.mounted, gone, again, grace)
		}
	}
	return <-finished && read
}

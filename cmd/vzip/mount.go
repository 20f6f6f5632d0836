package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

// mountFlags are the flags of "vzip mount".
type mountFlags struct {
	serviceFlags
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
			return a.serveUntilEnd(service{file: args[0], flags: &f.serviceFlags, dir: args[1], mount: o, daemon: f.daemon, logFile: f.logFile})
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.options, "options", "o", nil, "mount options as mount(8) takes them, parted by commas")
	flags.BoolVar(&f.allowOther, "allow-other", false, "let other users read the archives too")
	flags.BoolVar(&f.daemon, "daemon", false, "go on in the background once the archives are visible")
	f.add(flags, "hashed")
	flags.StringVar(&f.logFile, "log-file", "", "with --daemon: append messages to this file, not to the system's log")
	return cmd
}

// untilUnmounted serves until the mount is gone or, when it returns true, a signal
// asks for its end.
func (s *server) untilUnmounted(w *watcher, gone <-chan struct{}, signals, hangups <-chan os.Signal) (asked bool) {
	var broken <-chan struct{} // never, without HTTP
	if s.web != nil {
		broken = s.web.ended
	}
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
		case <-broken: // the log says why
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
func (a *app) daemonLog(daemon bool, file string) (slog.Handler, error) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(a.logLevel)) // checked before
	switch {
	case !daemon && file != "":
		return nil, usageError("--log-file is for --daemon: redirect standard error instead")
	case !daemon:
		return nil, nil
	case file != "":
		w, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
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

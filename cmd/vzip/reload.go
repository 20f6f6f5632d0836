package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"vzip/internal/control"
	"vzip/vfs"
)

func (a *app) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload MOUNTPOINT",
		Short: "Show the state that layout and sources have now",
		Long: "reload makes the vzip that serves MOUNTPOINT read its layout and look at all\n" +
			"sources again, read what changed, and show the new archives, all at once. Who has an\n" +
			"archive open reads on in the old one. Where the new state can't be shown the old one\n" +
			"stays, and reload says why.",
		Args:              exactArgs("MOUNTPOINT"),
		ValidArgsFunction: completeMountpoint,
		RunE: func(_ *cobra.Command, args []string) error {
			answer, err := ask(args[0], "reload")
			if err != nil {
				return err
			}
			if answer.ExitCode != exitOK {
				return &exitError{answer.ExitCode, fmt.Errorf("%s", answer.Message)}
			}
			_, err = fmt.Fprintln(a.stdout, answer.Message)
			return err
		},
	}
}

// ask asks the vzip that serves a mountpoint for something.
func ask(mountpoint, name string) (control.Answer, error) {
	ctx, stop := untilSignal()
	defer stop()
	dir, err := mountedPath(mountpoint)
	if err != nil {
		return control.Answer{}, err
	}
	if mounted, err := vfs.IsMounted(dir); err != nil {
		return control.Answer{}, err
	} else if !mounted {
		return control.Answer{}, fmt.Errorf("%s: vzip has nothing mounted there", dir)
	}
	answer, err := control.Ask(ctx, dir, name)
	if err != nil && errors.Is(unix.Statfs(dir, new(unix.Statfs_t)), unix.ENOTCONN) {
		err = fmt.Errorf("%s: the vzip that served it died: mount it again, or run vzip umount", dir)
	}
	return answer, err
}

// completeMountpoint completes a folder.
func completeMountpoint(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// answerControl lets "vzip reload" and "vzip status" reach the server, until the
// returned function is called.
func (s *server) answerControl() (stop func()) {
	major, minor := s.mounted.Device()
	c, err := control.Serve(major, minor, map[string]func(context.Context) control.Answer{
		"reload": func(ctx context.Context) control.Answer { return s.answer(s.reloadNow(ctx, "reload", slog.LevelInfo)) },
		"status": func(context.Context) control.Answer { return control.Answer{Data: s.renderStatus()} },
	})
	if err != nil {
		s.log.Warn(fmt.Sprintf("vzip reload and vzip status can't reach this mount: %v; use SIGHUP, and read %s", err, statusFile))
		return func() {}
	}
	return func() { _ = c.Close() }
}

func (s *server) answer(message string, err error) control.Answer {
	if err != nil {
		return control.Answer{Message: err.Error(), ExitCode: exitCode(err)}
	}
	return control.Answer{Message: message}
}

// reloadNow reloads and tells the log how that ended: at level same if nothing
// changed, or it failed as the last time. Nothing that goes wrong ends the mount.
func (s *server) reloadNow(ctx context.Context, why string, same slog.Level) (message string, err error) {
	changed := false
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("a defect in vzip made it fail: %v", v)
		}
		s.last.Store(newLastReload(message, err))
		if err != nil {
			level := slog.LevelError
			if was := s.failure.Swap(err.Error()); was == err.Error() && same < slog.LevelInfo {
				level = same
			}
			s.log.Log(ctx, level, fmt.Sprintf("%s failed, the old generation stays: %v", why, err))
			s.status(fmt.Sprintf("%s failed, generation %d stays", why, s.number.Load()))
			return
		}
		s.failure.Store("")
		level := slog.LevelInfo
		if !changed {
			level = same
		}
		s.log.Log(ctx, level, why+": "+message)
		s.status(message)
	}()
	s.notifyReloading()
	defer s.notifyReady()
	message, changed, err = s.reload(ctx)
	return message, err
}

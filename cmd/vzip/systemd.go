package main

import (
	"context"
	"fmt"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// notifyService tells the service manager (sd_notify(3)) something, where there is
// one that listens.
func (a *app) notifyService(state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		a.log.Debug("telling the service manager: " + err.Error())
	}
}

func (a *app) status(text string) { a.notifyService("STATUS=" + text) }

func (a *app) notifyReady() { a.notifyService(sd.SdNotifyReady) }

func (a *app) notifyReloading() {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	a.notifyService(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", sd.SdNotifyReloading, t.Nano()/1000))
}

// whileStarting keeps the service manager from giving up on a start that takes
// its time, until the returned function is called.
func (a *app) whileStarting() (stop func()) {
	const every = 10 * time.Second
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			a.notifyService(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", 3*every.Microseconds()))
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return cancel
}

// watchdog tells the service manager that all is well, for as long as archives can
// be read, until the returned function is called. Where it isn't asked for it does
// nothing.
func (s *server) watchdog() (stop func()) {
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		tick := time.NewTicker(interval / 2)
		defer tick.Stop()
		said := "" // the same is told once
		for {
			text := ""
			if err := s.probe(ctx, interval/4); err == nil {
				s.notifyService(sd.SdNotifyWatchdog)
			} else if text = err.Error(); text != said {
				s.log.Error("the service manager is not told that all is well: " + text)
			}
			said = text
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return cancel
}

// probe reads the end of every archive, as a mount does.
func (s *server) probe(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, archive := range s.generation().Archives {
		const end = 22 // the last record without a comment (4.3.16)
		d, err := archive.Read(ctx, archive.Size()-end, end)
		if err != nil {
			return fmt.Errorf("archive %s: %w", archive.Name, err)
		}
		d.Release()
	}
	return nil
}

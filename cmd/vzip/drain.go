package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"vzip/vfs"
)

const (
	// detachPoll is how often a mount is tried again that can't be taken out of sight.
	detachPoll = 200 * time.Millisecond
	// goneGrace is how long a mount that nobody reads may take to end.
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

// drain takes a mount out of sight at once, and returns when nobody reads its files
// any more; after the grace, or at a signal, those who still do get errors, and
// finished is false.
func (a *app) drain(m *vfs.Mounted, gone <-chan struct{}, again <-chan os.Signal, grace time.Duration) (finished bool) {
	a.giveReserve()
	end := time.After(grace)
	poll := time.NewTicker(detachPoll)
	defer poll.Stop()
	detached, told, held := false, false, false
	var idle time.Time // since when nobody reads
	for {
		if !detached {
			err := m.Detach()
			detached = err == nil
			if err != nil && !told {
				told = true
				a.log.Warn(fmt.Sprintf("unmounting %s: %v; trying again for %v; a second signal ends it now", m.Dir, err, grace))
			}
		}
		if detached {
			switch n := m.OpenHandles(); {
			case n > 0 && held && !told && grace > 0: // the kernel tells of a close a moment later
				told = true
				a.log.Info(fmt.Sprintf("%s is out of sight; waiting up to %v for %d open files; a second signal ends it now", m.Dir, grace, n))
				fallthrough
			case n > 0:
				held, idle = true, time.Time{}
			case idle.IsZero():
				idle = time.Now()
			case time.Since(idle) > goneGrace:
				// A working folder in it, or a copy in another mount namespace.
				return true
			}
		}
		select {
		case <-gone:
			return true
		case <-poll.C:
			continue
		case <-again:
		case <-end:
		}
		break
	}
	if n := m.OpenHandles(); n == 0 && detached {
		return true
	} else {
		a.log.Warn(fmt.Sprintf("%s ends while %d files are open: their readers get errors", m.Dir, n))
	}
	if err := m.Abort(); err != nil {
		a.log.Debug(err.Error()) // the program's end does it, too
	}
	if !detached {
		if err := m.Detach(); err != nil {
			a.log.Error(fmt.Sprintf("unmounting %s: %v", m.Dir, err))
		}
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

// takeReserve takes a few descriptors, which unmounting needs when all others are used.
func (a *app) takeReserve() {
	for range 4 {
		if f, err := os.Open(os.DevNull); err == nil {
			a.reserve = append(a.reserve, f)
		}
	}
}

func (a *app) giveReserve() {
	for _, f := range a.reserve {
		f.Close()
	}
	a.reserve = nil
}

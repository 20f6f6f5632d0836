package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// scenario is what goes wrong.
type scenario struct {
	name string
	what string // for the report
	good bool   // the archive stays readable: a client has to copy it
	// before happens when the archive is mounted, and nobody has it open.
	before func(context.Context, *attempt) error
	// during happens while the client waits for the archive's second entry.
	during func(context.Context, *attempt) error
}

var allScenarios = []scenario{
	{name: "ok", what: "nothing goes wrong", good: true},
	{name: "stale, open", what: "a source was changed, and vzip knows: the archive can't be opened",
		before: func(ctx context.Context, a *attempt) error {
			if err := a.changeSource(); err != nil {
				return err
			}
			if _, err := os.ReadFile(a.archive()); !errors.Is(err, unix.ESTALE) {
				return fmt.Errorf("reading a changed source: got %w, want ESTALE", err)
			}
			return nil
		}},
	{name: "stale", what: "a source is changed while the client reads",
		during: func(_ context.Context, a *attempt) error { return a.changeSource() }},
	{name: "EIO", what: "the disk under a source can't be read from a block on (a loop device over a file cut short)",
		during: func(_ context.Context, a *attempt) error {
			return errors.Join(a.forgetSource(), os.Truncate(a.image, a.b.dataAt))
		}},
	{name: "bit-rot", what: "the disk under a source returns other bytes for a block; size and times are as they were",
		during: func(_ context.Context, a *attempt) error {
			return errors.Join(a.forgetSource(), overwrite(a.image, a.b.dataAt+rotAt))
		}},
	{name: "crash", what: "vzip is killed (SIGKILL)",
		during: func(_ context.Context, a *attempt) error { return a.daemon.Process.Kill() }},
	{name: "reload", what: "`vzip reload` publishes the next generation, of the same size", good: true,
		during: func(ctx context.Context, a *attempt) error {
			if err := a.b.writeLayout(a.layout, true); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			return a.b.vzipRun(ctx, "reload", a.mnt)
		}},
	{name: "drain", what: "vzip gets SIGTERM, and open handles may finish", good: true,
		during: func(_ context.Context, a *attempt) error {
			err := a.daemon.Process.Signal(syscall.SIGTERM)
			time.Sleep(500 * time.Millisecond) // the name is gone by then, where it goes
			return err
		}},
	{name: "cut off", what: "vzip gets SIGTERM twice: readers are cut off",
		during: func(_ context.Context, a *attempt) error {
			err := a.daemon.Process.Signal(syscall.SIGTERM)
			time.Sleep(500 * time.Millisecond)
			if e := a.daemon.Process.Signal(syscall.SIGTERM); !errors.Is(e, os.ErrProcessDone) { // it ends at once where nobody has the archive open
				err = errors.Join(err, e)
			}
			select {
			case <-a.daemonEnded:
			case <-time.After(time.Second): // it may wait for the read that is held up
			}
			return err
		}},
}

// changeSource writes one byte of the gated source.
func (a *attempt) changeSource() error { return overwrite(a.gated(), rotAt) }

// forgetSource takes the gated source out of the page cache.
func (a *attempt) forgetSource() error {
	f, err := os.Open(a.gated())
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// rotAt is where in the gated source a byte changes: behind its first block.
const rotAt = 300 << 10

// overwrite turns the bits of one byte of a file.
func overwrite(path string, off int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, off); err != nil {
		return err
	}
	b[0] = ^b[0]
	if _, err := f.WriteAt(b, off); err != nil {
		return err
	}
	return f.Sync()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"vzip/internal/rig"
)

const (
	busy   = "busy.zip" // of a tree that is being changed
	calm   = "calm.zip" // of one that is not
	inside = "tree"     // the trees' name in their archives
)

// kept is how many generations a reader may be behind.
const kept = 12

// world is a mount, what is done to it, and what is known about it.
type world struct {
	options
	program *rig.Program
	dir     string
	mount   *rig.Mount
	mutator *rig.Mutator
	freezer rig.Freezer
	parts   []rig.Part // of busy
	calm    *rig.Oracle

	// changing is held while a source is changed, and while none may be.
	changing sync.Mutex

	mu    sync.Mutex
	known []*generation
	fatal []error

	tally
}

// tally counts.
type tally struct {
	reads                      rig.Counts
	programs, failed, verified atomic.Int64 // runs of programs; those that failed, with a cause; whole archives that were right
	copied                     atomic.Int64 // bytes, by programs
	reloads, refused           atomic.Int64
	longest                    atomic.Int64 // read, in nanoseconds
}

// generation is a state of busy that readers may see. One that was published while
// sources changed, and could not be learnt, has no oracle.
type generation struct {
	ino    uint64
	oracle *rig.Oracle
	ledger *rig.Ledger
}

func newWorld(ctx context.Context, p *rig.Program, dir, sources string, o options) (*world, error) {
	w := &world{options: o, program: p, dir: dir}
	var printing sync.Mutex
	w.print = func(format string, args ...any) {
		printing.Lock()
		defer printing.Unlock()
		o.print(format, args...)
	}
	w.freezer = rig.Freezer{Program: p, Dir: filepath.Join(dir, "frozen"), Options: []string{"method: " + o.method}}
	busyDir, calmDir, mnt := filepath.Join(sources, "busy"), filepath.Join(sources, "calm"), filepath.Join(dir, "mnt")
	if err := errors.Join(os.Mkdir(w.freezer.Dir, 0o755), os.Mkdir(mnt, 0o755)); err != nil {
		return nil, err
	}
	sizes := append(append([]int64{3 << 20, 8<<20 + 5}, rig.Sizes...), rig.Sizes...)
	files, err := rig.Grow(busyDir, o.seed, sizes)
	if err != nil {
		return nil, err
	}
	if _, err := rig.Grow(calmDir, o.seed+1, sizes); err != nil {
		return nil, err
	}
	if w.mutator, err = rig.NewMutator(busyDir, files, filepath.Join(sources, "side"), o.seed); err != nil {
		return nil, err
	}
	w.parts = []rig.Part{{Source: busyDir, As: inside}}
	calmParts := []rig.Part{{Source: calmDir, As: inside}}
	if w.calm, err = w.freezer.Oracle(ctx, calm, calmParts); err != nil {
		return nil, err
	}
	if err := w.calm.CheckOutside(ctx, calmDir, inside); err != nil {
		return nil, err
	}
	layout := filepath.Join(dir, "layout.yaml")
	if err := rig.WriteLayout(layout, map[string][]rig.Part{busy: w.parts, calm: calmParts}, w.freezer.Options...); err != nil {
		return nil, err
	}
	first, err := w.freeze(ctx)
	if err != nil {
		return nil, err
	}
	if w.mount, err = p.Mount(ctx, layout, mnt, "--quiet", "--cache", filepath.Join(dir, "cache")); err != nil {
		return nil, err
	}
	return w, w.publish(first)
}

// freeze makes a generation of the sources as they are.
func (w *world) freeze(ctx context.Context) (*generation, error) {
	o, err := w.freezer.Oracle(ctx, busy, w.parts)
	if err != nil {
		return nil, err
	}
	g := &generation{oracle: o, ledger: rig.NewLedger(w.mutator.Files)}
	w.mutator.Watch(g.ledger)
	return g, o.Close() // its bytes are in memory
}

// publish says that the mount shows a generation now.
func (w *world) publish(g *generation) error {
	s, err := rig.StatOf(w.mount.Path(busy))
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	g.ino = s.Ino
	for i, have := range w.known {
		switch {
		case have.ino != g.ino:
		case have.oracle == nil:
			w.known[i] = g
			return nil
		case g.oracle == nil || have.oracle.SHA256 == g.oracle.SHA256:
			// It came back. Readers may still be in what was before: its ledger stays.
			w.mutator.Unwatch(g.ledger)
			return nil
		default:
			return fmt.Errorf("VIOLATION: two archives have the inode number %d", g.ino)
		}
	}
	w.known = append(w.known, g)
	if len(w.known) > kept {
		w.mutator.Unwatch(w.known[0].ledger)
		w.known = w.known[1:]
	}
	return nil
}

// find waits for the generation of an inode number; nil if it stays unknown.
func (w *world) find(ctx context.Context, ino uint64) *generation {
	for end := time.Now().Add(rig.Patience); time.Now().Before(end) && sleep(ctx, time.Millisecond); {
		w.mu.Lock()
		for _, g := range w.known {
			if g.ino == ino {
				w.mu.Unlock()
				return g
			}
		}
		w.mu.Unlock()
	}
	return nil
}

// whole says whether a SHA-256 is that of a generation.
func (w *world) whole(sum [32]byte) (known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.known {
		if g.oracle == nil || g.oracle.SHA256 == sum {
			return true
		}
	}
	return sum == w.calm.SHA256
}

// stale says whether any generation that readers may have open has changed files.
func (w *world) stale() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.known {
		if g.ledger.Any() {
			return true
		}
	}
	return false
}

// violation keeps what must not be; the soak ends with it.
func (w *world) violation(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fatal = append(w.fatal, err)
	w.print("%v", err)
}

func (w *world) violations() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.fatal)
}

// mutate changes sources now and then, but leaves each generation in peace for a
// while, or nobody could read it from end to end.
func (w *world) mutate(ctx context.Context) {
	rnd := rand.New(rand.NewPCG(w.seed, 1))
	seen := int64(-1)
	for sleep(ctx, time.Duration(rnd.Int64N(int64(2*w.pause)+1))) {
		if n := w.reloads.Load(); n != seen {
			seen = n
			if !sleep(ctx, time.Duration(rnd.Int64N(int64(w.every)))) {
				return
			}
		}
		w.changing.Lock()
		err := w.mutator.Mutate()
		w.changing.Unlock()
		if err != nil {
			w.violation(err)
			return
		}
	}
}

// reload shows the present state every now and then: mostly in peace, so that its
// bytes are known; each third time while sources change, which may be refused.
func (w *world) reload(ctx context.Context) {
	for i := 1; sleep(ctx, w.every); i++ {
		var err error
		if i%3 == 0 {
			err = w.reloadRacing(ctx)
		}
		if err == nil {
			err = w.reloadInPeace(ctx, i%4 == 0)
		}
		if err != nil && ctx.Err() == nil {
			w.violation(err)
		}
	}
}

func (w *world) reloadInPeace(ctx context.Context, restore bool) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	w.mutator.Release()
	if restore {
		if err := w.mutator.Restore(); err != nil {
			return err
		}
	}
	g, err := w.freeze(ctx)
	if err != nil {
		return err
	}
	if err := w.mount.Reload(ctx); err != nil {
		return err
	}
	w.reloads.Add(1)
	return w.publish(g)
}

// reloadRacing learns what was published by reading it: what others read has to be
// the same.
func (w *world) reloadRacing(ctx context.Context) error {
	// Not watched from the start: each file may have changed since it was read.
	ledger := rig.NewLedger(w.mutator.Files)
	ledger.MarkAll()
	err := w.mount.Reload(ctx)
	switch rig.ExitCode(err) {
	case 0:
		w.reloads.Add(1)
	case 4:
		w.refused.Add(1)
		return nil
	default:
		return err
	}
	g := &generation{ledger: ledger}
	f, err := os.Open(w.mount.Path(busy))
	if err == nil {
		defer f.Close()
		var b []byte
		if b, err = io.ReadAll(f); err == nil {
			if g.oracle, err = rig.NewOracle(busy, b); err != nil {
				return fmt.Errorf("VIOLATION: a whole archive is not right in itself: %w", err)
			}
		}
	}
	if err != nil && !errors.Is(err, syscall.ESTALE) && !errors.Is(err, syscall.EIO) {
		return err
	}
	return w.publish(g)
}

// sleep returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"vzip/internal/rig"
)

// slow is how long a read may take.
const slow = 20 * time.Second

// copies make a copy of $1 at $2; tests read $1 and fail if anything is wrong with it.
var (
	copies = []string{
		`cp "$1" "$2"`,
		`cat "$1" > "$2"`,
		`rsync "$1" "$2"`,
		`python3 -c 'import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])' "$1" "$2"`,
	}
	tests = []string{
		`unzip -tqq "$1"`,
		`7z t -bd "$1"`,
		`python3 -c 'import sys, zipfile; sys.exit(zipfile.ZipFile(sys.argv[1]).testzip())' "$1"`,
	}
)

// client reads until ctx ends: one of three by itself, at random places and in
// every way, the others by programs.
func (w *world) client(ctx context.Context, number int) {
	rnd := rand.New(rand.NewPCG(w.seed, uint64(100+number)))
	for ctx.Err() == nil {
		archive := busy
		if rnd.IntN(4) == 0 {
			archive = calm
		}
		var err error
		if number%3 == 0 {
			err = w.readRandom(ctx, archive, rnd)
		} else {
			err = w.runProgram(ctx, archive, number, rnd)
		}
		if err != nil && ctx.Err() == nil {
			w.violation(err)
			sleep(ctx, time.Second)
		}
	}
}

func (w *world) readRandom(ctx context.Context, archive string, rnd *rand.Rand) error {
	r, err := rig.OpenCurrent(w.mount.Path(archive))
	if err != nil {
		judge := &rig.Judge{}
		if archive == busy && w.stale() {
			judge.Ledger = rig.NewLedger([]string{""})
			judge.Ledger.MarkAll()
		}
		v, err := judge.Open(err)
		if err == nil {
			w.reads.Add(rig.Read, v, 0)
			sleep(ctx, 10*time.Millisecond)
		}
		return err
	}
	defer r.Close()
	client := &rig.Client{Counts: &w.reads, Cached: 70, Forget: 20}
	judge := &rig.Judge{Oracle: w.calm}
	if archive == busy {
		g := w.find(ctx, r.Ino)
		if g != nil && g.oracle == nil {
			return nil // nobody knows what it has to be
		}
		if g == nil { // or the time is up, and nobody hears of it
			return fmt.Errorf("VIOLATION: inode %d is no generation's", r.Ino)
		}
		judge = &rig.Judge{Oracle: g.oracle, Ledger: g.ledger, Prefix: inside + "/"}
	}
	client.Judge = func(uint64) *rig.Judge { return judge }
	for range 1 + rnd.IntN(1000) {
		if ctx.Err() != nil {
			return nil
		}
		begin := time.Now()
		if err := client.ReadOnce(r, rnd); err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
		if took := time.Since(begin); took > slow {
			return fmt.Errorf("VIOLATION: a read of %s took %v", archive, took)
		} else if int64(took) > w.longest.Load() {
			w.longest.Store(int64(took)) // of two at once the shorter may win; it is a figure
		}
		if rnd.IntN(10) == 0 {
			time.Sleep(time.Duration(rnd.IntN(5)) * time.Millisecond)
		}
	}
	return nil
}

// runProgram runs a program, which has to be right or fail, and may fail only if
// something has changed.
func (w *world) runProgram(ctx context.Context, archive string, number int, rnd *rand.Rand) error {
	i := rnd.IntN(len(copies) + len(tests))
	isCopy := i < len(copies)
	script := slices.Concat(copies, tests)[i]
	to := filepath.Join(w.dir, fmt.Sprint("copy-", number))
	defer os.Remove(to)
	before := w.reloads.Load()
	cmd := exec.CommandContext(ctx, "sh", "-c", script, "sh", w.mount.Path(archive), to)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return nil
	}
	w.programs.Add(1)
	if err != nil {
		// Some programs open an archive twice, and may get two generations.
		if archive == busy && (w.stale() || w.reloads.Load() != before) {
			w.failed.Add(1)
			sleep(ctx, 50*time.Millisecond)
			return nil
		}
		return fmt.Errorf("VIOLATION: %s of %s, of which nothing changed: %w: %s", script, archive, err, out)
	}
	if isCopy {
		sum, n, err := rig.Digest(to)
		w.copied.Add(n)
		if err != nil {
			return err
		}
		if !w.known256(ctx, sum) {
			return fmt.Errorf("VIOLATION: %s of %s ended well, but its %d bytes are no generation's", script, archive, n)
		}
	}
	w.verified.Add(1)
	return nil
}

// known256 waits for a generation to be known that was published a moment ago.
func (w *world) known256(ctx context.Context, sum [32]byte) bool {
	for end := time.Now().Add(rig.Patience); time.Now().Before(end); {
		if w.whole(sum) {
			return true
		}
		if !sleep(ctx, 10*time.Millisecond) {
			return true
		}
	}
	return false
}

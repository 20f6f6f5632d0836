package crccache

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vzip/internal/figure"
)

// Processes that write, compact and read at once lose nothing and see nothing
// that is wrong or half there.
func TestProcesses(t *testing.T) {
	const files, times = 60, 4 // each file's record is added so often
	if args := childArgs(); args != nil {
		c, w := open(t, args[0]), number(t, args[1])
		c.compactMin = 200 * slotLen
		for range times {
			for k := range files {
				must(t, c.Add(either(w, k)))
				if rand.IntN(7) == 0 {
					must(t, c.Flush())
				}
			}
			damaged, err := open(t, args[0]).Scan(func(r Record) {
				if !isRight(r) {
					t.Errorf("got %+v, which nobody added", r)
				}
			})
			if err != nil || damaged != 0 {
				t.Errorf("got %d damaged and error %v while others write", damaged, err)
			}
		}
		must(t, c.Flush())
		return
	}
	t.Parallel()
	rounds, processes := figure.N(3, 100), 0
	for round := range rounds {
		dir := cacheInMemory(t, nil)
		var wg sync.WaitGroup
		n := 2 + (round*3)%7
		processes += n
		for w := range n {
			cmd := child(t, dir, fmt.Sprint(w))
			wg.Go(func() { runChild(t, cmd) })
		}
		within(t, wg.Wait)
		rs, damaged := all(t, dir)
		have := map[uint64]bool{}
		for _, r := range rs {
			if have[r.Ino] = true; !isRight(r) {
				t.Errorf("got %+v, which nobody added", r)
			}
		}
		if damaged != 0 || len(have) != n*files {
			t.Errorf("%d processes: got records of %d files and %d damaged, want %d and none", n, len(have), damaged, n*files)
		}
		if len(rs) >= n*files*times {
			t.Errorf("%d processes: got %d records, want fewer after compacting", n, len(rs))
		}
		if t.Failed() {
			return
		}
	}
	figure.Print(t, "%d rounds of 2 to 8 processes that write, compact and read one cache, %d in all: 0 wrong, damaged or missing records", rounds, processes)
}

// A reader doesn't take for damage what is being written.
func TestReadWhileGrowing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	var done atomic.Bool
	go func() {
		defer done.Store(true)
		c := open(t, dir)
		for k := range figure.N(50, 500) {
			if err := c.Add(long(1, 13+192*k)); err != nil {
				t.Error(err)
			}
		}
	}()
	within(t, func() {
		for !done.Load() {
			rs, damaged := all(t, dir)
			if damaged != 0 {
				t.Errorf("%d damaged after %d records", damaged, len(rs))
			}
		}
	})
}

// A cache folder that is removed, at any time, is made again.
func TestFolderRemoved(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "cache")
	c := open(t, dir)
	add(t, c, record(1, 1))
	must(t, os.RemoveAll(filepath.Dir(dir)))
	add(t, c, long(1, 2), record(1, 3))
	wantRecords(t, dir, []Record{long(1, 2), record(1, 3)}, 0)
	must(t, os.Remove(filepath.Join(dir, FileName)))
	add(t, c, record(1, 4))
	wantRecords(t, dir, []Record{record(1, 4)}, 0)

	var done atomic.Bool
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			c := open(t, dir)
			c.compactMin = 50 * slotLen
			for k := range figure.N(200, 5000) {
				if c.Add(either(w, k)); c.Flush() != nil {
					t.Error(c.Flush())
					return
				}
			}
		})
	}
	go func() {
		for !done.Load() {
			os.RemoveAll(dir) // fails when a file is made meanwhile
			time.Sleep(rand.N(3 * time.Millisecond))
		}
	}()
	within(t, wg.Wait)
	done.Store(true)
}

// A folder that others may write to since is not trusted any more.
func TestFolderOpenedToOthers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	c := open(t, dir)
	must(t, os.Chmod(dir, 0o777))
	must(t, c.Add(record(1, 1)))
	if err := c.Flush(); err == nil {
		t.Error("is written to")
	}
	if _, err := os.Stat(filepath.Join(dir, FileName)); !os.IsNotExist(err) {
		t.Errorf("a file was made: %v", err)
	}
}

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

	"golang.org/x/sys/unix"

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
	dir := cacheInMemory(t, nil)
	var done atomic.Bool
	go func() {
		defer done.Store(true)
		c := open(t, dir)
		for k := range figure.N(10, 300) {
			if err := c.Add(long(101, k%30)); err != nil { // of 0.5 MiB
				t.Error(err)
			}
		}
	}()
	within(t, func() {
		for !done.Load() {
			n := 0
			damaged, err := open(t, dir).Scan(func(Record) { n++ })
			if damaged != 0 || err != nil {
				t.Errorf("%d damaged and error %v after %d records", damaged, err, n)
			}
		}
	})
}

// lockFile is as another process that writes.
func lockFile(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	must(t, flock(f, unix.LOCK_EX))
	return f
}

// The same with half a record, which is damage only if nobody is writing it.
func TestHalfWritten(t *testing.T) {
	t.Parallel()
	r := long(1, 7)
	file := image(0, record(1, 1), r)
	half := len(file) - 5*slotLen - 3
	for _, tt := range []struct {
		name        string
		during      func(f *os.File, lock *os.File)
		wantDamaged int
	}{
		{"writer is slow", func(*os.File, *os.File) {}, 0},
		{"writer ends", func(f, lock *os.File) { f.Write(file[half:]); lock.Close() }, 0},
		{"writer takes it back", func(f, lock *os.File) { f.Truncate(2 * slotLen); lock.Close() }, 0},
		{"writer is killed", func(_, lock *os.File) { lock.Close() }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := cacheInMemory(t, file[:half])
			f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			defer f.Close()
			lock := lockFile(t, dir)
			if tt.wantDamaged > 0 {
				tt.during(f, lock) // else a slow machine could be too late
			}
			time.AfterFunc(100*time.Millisecond, func() { tt.during(f, lock) })
			wantRecords(t, dir, []Record{record(1, 1)}, tt.wantDamaged)
		})
	}
}

// Who waited for a lock that was removed meanwhile waits for the new one.
func TestLockRemoved(t *testing.T) {
	t.Parallel()
	dir := cacheInMemory(t, nil)
	first := lockFile(t, dir)
	done := make(chan error)
	go func() {
		c := open(t, dir)
		c.Add(fresh[0])
		done <- c.Flush()
	}()
	time.Sleep(50 * time.Millisecond) // it waits
	must(t, os.Remove(first.Name()))
	second := lockFile(t, dir)
	first.Close()
	select {
	case err := <-done:
		t.Fatalf("wrote while another had the lock; error %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	second.Close()
	within(t, func() { must(t, <-done) })
	wantRecords(t, dir, fresh[:1], 0)
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

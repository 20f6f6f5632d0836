package crccache

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Processes that are killed at any time lose no record that was flushed, and
// leave none that is wrong.
func TestKilled(t *testing.T) {
	const rounds, writers = 8, 2
	if args := childArgs(); args != nil {
		c, w := open(t, args[0]), number(t, args[1])
		for k := 0; ; k++ {
			must(t, c.Add(record(w, k)))
			if k%7 == 0 {
				must(t, c.Flush())
				fmt.Printf("flushed %d\n", k+1)
			}
		}
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	var mu sync.Mutex
	flushed := map[int]int{} // by writer
	for round := range rounds {
		var wg sync.WaitGroup
		for i := range writers {
			w := round*writers + i
			cmd := child(t, dir, fmt.Sprint(w))
			out, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			wg.Go(func() {
				lines := bufio.NewScanner(out)
				for lines.Scan() {
					n := 0
					if _, err := fmt.Sscanf(lines.Text(), "flushed %d", &n); err != nil {
						continue // of the testing package
					}
					mu.Lock()
					first := flushed[w] == 0
					flushed[w] = n
					mu.Unlock()
					if first {
						time.AfterFunc(rand.N(20*time.Millisecond), func() { cmd.Process.Kill() })
					}
				}
				cmd.Wait()
			})
		}
		within(t, wg.Wait)
		mine := record(1000, round)
		add(t, open(t, dir), mine) // a torn end is gone now
		rs, damaged := all(t, dir)
		if damaged != 0 {
			t.Errorf("round %d: %d damaged", round, damaged)
		}
		have := map[uint64]bool{}
		for _, r := range rs {
			if have[r.Ino] = true; !isRight(r) {
				t.Fatalf("round %d: got %+v, which nobody added", round, r)
			}
		}
		if !have[mine.Ino] {
			t.Errorf("round %d: what was added after is missing", round)
		}
		for w, n := range flushed {
			for k := range n {
				if !have[record(w, k).Ino] {
					t.Fatalf("round %d: writer %d's record %d of %d flushed is missing", round, w, k, n)
				}
			}
		}
	}
	if len(flushed) != rounds*writers {
		t.Errorf("%d writers wrote, want %d", len(flushed), rounds*writers)
	}
}

// When the file can't grow, in the middle of a record, Add says so, what is
// there can be read, and a later run goes on from it.
func TestFullDisk(t *testing.T) {
	const whole = 1500 // records that have room
	if args := childArgs(); args != nil {
		var was unix.Rlimit
		must(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &was))
		must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: (1+whole)*slotLen + 21, Max: was.Max}))
		dir := args[0]
		c := open(t, dir)
		var first error
		for k := range 3 * batch {
			err := c.Add(record(1, k))
			switch {
			case first == nil && err != nil:
				if first = err; k != 2*batch-1 || !errors.Is(err, unix.EFBIG) || !strings.Contains(err.Error(), c.dir) {
					t.Errorf("Add of record %d: got error %v, want %v with the path, of record %d", k, err, unix.EFBIG, 2*batch-1)
				}
			case err != first:
				t.Fatalf("Add of record %d: got error %v, want the first one, %v", k, err, first)
			}
		}
		if err := c.Flush(); err == nil || err != first {
			t.Errorf("Flush: got error %v, want the first one, %v", err, first)
		}
		wantRecords(t, dir, records(1, whole), 1)
		// Others find the disk full as well, and do no harm.
		for range 3 {
			c := open(t, dir)
			must(t, c.Add(record(2, 0)))
			if err := c.Flush(); !errors.Is(err, unix.EFBIG) {
				t.Errorf("another Flush: got error %v, want %v", err, unix.EFBIG)
			}
			wantRecords(t, dir, records(1, whole), 1)
		}
		must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &was))
		return
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	runChild(t, child(t, dir))
	wantRecords(t, dir, records(1, whole), 1)
	add(t, open(t, dir), fresh...)
	wantRecords(t, dir, append(records(1, whole), fresh...), 0)
}

// A process that is killed while it compacts leaves the old file or the new one.
func TestKilledWhileCompacting(t *testing.T) {
	if args := childArgs(); args != nil {
		add(t, open(t, args[0]), record(2, 0)) // which the file has, so that it makes no difference
		time.Sleep(time.Minute)                // to be killed
		return
	}
	t.Parallel()
	rs := append(repeated(), record(2, 0))
	residue := 0
	for round := range 3 {
		dir := padded(t, 0, full+1, rs)
		size := fileSize(t, dir)
		cmd := child(t, dir)
		must(t, cmd.Start())
		within(t, func() {
			for len(temporary(t, dir)) == 0 && fileSize(t, dir) >= size {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Duration(round) * 15 * time.Millisecond)
			cmd.Process.Kill()
			cmd.Wait()
		})
		residue += len(temporary(t, dir))
		for range 2 {
			wantNewest(t, dir, rs)
			add(t, open(t, dir), record(2, 0)) // compacts if that didn't happen
		}
		if size, most := fileSize(t, dir), int64(len(rs))*slotLen; size > most {
			t.Errorf("round %d: the file has %d bytes, want at most %d after compacting", round, size, most)
		}
	}
	if residue == 0 {
		t.Error("no round was killed in time")
	}
}

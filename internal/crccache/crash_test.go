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

	"vzip/internal/figure"
)

// Processes that are killed at any time lose no record that was flushed, and
// leave none that is wrong; the next start is rid of what was torn.
func TestKilled(t *testing.T) {
	if args := childArgs(); args != nil {
		c, w := open(t, args[0]), number(t, args[1])
		if w%2 == 0 {
			c.compactMin = 100 * slotLen
		}
		for k := 0; ; k++ {
			must(t, c.Add(either(w, k)))
			if k%(5+w%9*10) == 0 {
				must(t, c.Flush())
				fmt.Printf("flushed %d\n", k+1)
			}
		}
	}
	t.Parallel()
	kills, halves, wrong := figure.N(30, 1000), 0, 0
	for done := 0; done < kills && !t.Failed(); done += 10 {
		h, w := killed(t, filepath.Join(t.TempDir(), "cache"), min(10, kills-done))
		halves, wrong = halves+h, wrong+w
	}
	figure.Print(t, "kill -9 while the cache was written: %d times, %d torn records passed over, %d wrong records, 0 failed starts", kills, halves, wrong)
}

// killed kills n processes that write to the cache in dir, two at a time.
func killed(t *testing.T, dir string, n int) (halves, wrong int) {
	var mu sync.Mutex
	flushed := map[int]int{} // by writer
	for round := 0; len(flushed) < n && !t.Failed(); round++ {
		var wg sync.WaitGroup
		for i := range min(2, n-len(flushed)) {
			w := 101 + 2*round + i
			cmd := child(t, dir, fmt.Sprint(w))
			out, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			wg.Go(func() {
				lines := bufio.NewScanner(out)
				for lines.Scan() {
					k := 0
					if _, err := fmt.Sscanf(lines.Text(), "flushed %d", &k); err != nil {
						continue // of the testing package
					}
					mu.Lock()
					first := flushed[w] == 0
					flushed[w] = k
					mu.Unlock()
					if first {
						time.AfterFunc(rand.N(20*time.Millisecond), func() { cmd.Process.Kill() })
					}
				}
				cmd.Wait()
				mu.Lock()
				defer mu.Unlock()
				if flushed[w] == 0 {
					t.Errorf("writer %d wrote nothing", w)
				}
			})
		}
		within(t, wg.Wait)
		next, mine := open(t, dir), record(1000, round)
		damaged, err := next.Scan(func(Record) {})
		must(t, err)
		halves += damaged
		add(t, next, mine)
		have := map[uint64]bool{}
		rs, damaged := all(t, dir)
		for _, r := range rs {
			if have[r.Ino] = true; !isRight(r) {
				wrong++
				t.Errorf("round %d: got %+v, which nobody added", round, r)
			}
		}
		if damaged != 0 {
			t.Errorf("round %d: %d damaged after the next start", round, damaged)
		}
		if !have[mine.Ino] {
			t.Errorf("round %d: what was added after is missing", round)
		}
		for w, k := range flushed {
			for k := range k {
				if !have[either(w, k).Ino] {
					t.Fatalf("round %d: writer %d's record %d of %d flushed is missing", round, w, k, flushed[w])
				}
			}
		}
	}
	return halves, wrong
}

// When the file can't grow, in the middle of a record, Add says so, nothing half
// is left, and a later run goes on.
func TestFullDisk(t *testing.T) {
	const room = 1500 // slots
	want := records(1, batch)
	if args := childArgs(); args != nil {
		var was unix.Rlimit
		must(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &was))
		must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: (1+room)*slotLen + 21, Max: was.Max}))
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
		wantRecords(t, dir, want, 0)
		// Others find the disk full as well, and do no harm.
		for range 3 {
			if err := open(t, dir).Add(long(2, 13)); !errors.Is(err, unix.EFBIG) {
				t.Errorf("another Add: got error %v, want %v", err, unix.EFBIG)
			}
			wantRecords(t, dir, want, 0)
		}
		must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &was))
		return
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	runChild(t, child(t, dir))
	wantRecords(t, dir, want, 0)
	add(t, open(t, dir), fresh...)
	wantRecords(t, dir, append(want, fresh...), 0)
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

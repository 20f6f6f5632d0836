package generation

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"runtime"
	"sync"
	"time"

	"github.com/klauspost/crc32"
	"golang.org/x/sys/unix"

	"vzip/internal/seeded"
)

// digest is the SHA-256 of an archive, as far as it is worked out. Generations in which
// the archive has the same bytes share it.
type digest struct {
	mu      sync.Mutex
	known   bool
	sum     [sha256.Size]byte
	work    *summing // nil: nobody is at work
	waiting int      // who wait for it
	changes int      // of sources that were found, so far
	failed  *sumFailure
	told    string // the failure that was reported last

	// For who is at work alone, who needs no lock for it. What was summed stays when that
	// ends early.
	hash hash.Hash
	crc  uint32 // of the same bytes
	off  int64  // how many they are
	from int    // what changes was when the first of them was read
}

// summing is work on a digest.
type summing struct {
	a    *Archive
	idle bool // nobody waits for it
	done chan struct{}
	err  error // once done is closed
}

// errStopped is the end of work that goes on otherwise: paused, or with another priority.
var errStopped = errors.New("stopped")

const (
	// sumStep is how much is summed at a time, in bytes.
	sumStep = 1 << 20
	// leastPace is how long a step is put off at most.
	leastPace = 100 * time.Millisecond
	// idleNice is the nice(2) value of work that nobody waits for.
	idleNice = 15
)

func (d *digest) get() (sum [sha256.Size]byte, known bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sum, d.known
}

// set may be called while somebody is at work, who finds it out.
func (d *digest) set(sum [sha256.Size]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sum, d.known, d.failed = sum, true, nil
}

// await counts those who wait: enter is 1, or -1 at the end.
func (d *digest) await(enter int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting += enter
}

// join returns the work that is under way, begun for a if there is none; what it came to
// where it has failed and is not due again; nil if the sum is known.
func (d *digest) join(a *Archive) *summing {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known {
		return nil
	}
	if d.work == nil && d.failed != nil && !d.due(time.Now()) {
		w := &summing{a: a, done: make(chan struct{}), err: d.failed.err}
		close(w.done)
		return w
	}
	if d.work == nil {
		d.work = &summing{a: a, idle: d.waiting == 0, done: make(chan struct{})}
		go d.work.run(d)
	}
	return d.work
}

// goesOn tells whether somebody still wants the work, done with this priority.
func (w *summing) goesOn(d *digest) bool {
	d.mu.Lock()
	waiting := d.waiting > 0
	d.mu.Unlock()
	return waiting != w.idle && (waiting || !w.a.g.sums.isPaused())
}

// giveWay lets readers of archives go before work that nobody waits for, but does not
// wait for them for ever.
func (w *summing) giveWay(d *digest) {
	for end := time.Now().Add(leastPace); w.idle && w.a.g.readLately() && w.goesOn(d) && time.Now().Before(end); {
		time.Sleep(leastPace / 10)
	}
}

func (w *summing) run(d *digest) {
	if w.idle {
		runtime.LockOSThread() // which ends with the goroutine
		if p, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil && 20-p < idleNice {
			_ = unix.Setpriority(unix.PRIO_PROCESS, 0, idleNice)
		}
	}
	err := errStopped
	defer func() {
		if v := recover(); v != nil { // nobody should lose a mount for it
			err = w.a.failed(fmt.Errorf("a defect in vzip made its SHA-256 fail: %v", v))
			d.hash = nil
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.work, w.err = nil, err
		close(w.done)
	}()
	err = w.sum(d)
}

// sum works the digest out. It goes on where the work before ended.
func (w *summing) sum(d *digest) error {
	a := w.a
	a.g.recallSums()
	if w.given(d) {
		return nil
	}
	if d.hash == nil {
		d.hash, d.crc, d.off, d.from = sha256.New(), 0, 0, d.changed()
	}
	var next *Data
	defer func() {
		if next != nil {
			next.drop()
		}
	}()
	for d.off < a.Size() {
		w.giveWay(d)
		if w.given(d) {
			return nil
		}
		if !w.goesOn(d) {
			return errStopped
		}
		now := next
		if next = nil; now == nil {
			now = w.begin(d.off)
		}
		if now == nil {
			return errStopped
		}
		if !w.idle { // which would keep a generation alive that nobody else uses
			next = w.begin(d.off + int64(now.want))
		}
		if _, err := now.result(a.g.ctx); err != nil {
			return err
		}
		d.hash.Write(now.Bytes())
		d.crc = crc32.Update(d.crc, crc32.IEEETable, now.Bytes())
		d.off += int64(now.n)
		a.g.sums.tell(int64(now.n))
		now.Release()
	}
	return w.end(d)
}

// given tells whether the sum is known already, from the cache or another generation.
func (w *summing) given(d *digest) bool {
	_, known := d.get()
	if known {
		d.hash = nil
	}
	return known
}

// begin begins to read from off on; nil at the end of the archive, or of the generation.
func (w *summing) begin(off int64) *Data {
	a := w.a
	if off >= a.Size() || !a.g.Hold() {
		return nil
	}
	defer a.g.Close()
	return a.start(a.g.ctx, off, int(a.cut(off, sumStep)-off))
}

// end holds what was summed against what the entries' CRCs make of it: also where blocks
// are not checked, a sum that is remembered is never that of other bytes.
func (w *summing) end(d *digest) error {
	a := w.a
	if w.given(d) {
		return nil
	}
	want, err := a.combine(func() bool { return false })
	if err != nil {
		return err
	}
	var sum [sha256.Size]byte
	d.hash.Sum(sum[:0])
	if got := d.crc; got != want && !seeded.On("sum-unchecked") {
		d.hash = nil
		err := a.failed(fmt.Errorf("its bytes have CRC-32 %08x, not %08x as its entries say: a source has other bytes than were hashed: --verify crc tells which: %w", got, want, unix.EIO))
		if d.fail(&SourceError{err}) && a.g.report != nil {
			a.g.report(err)
		}
		return &SourceError{err}
	}
	d.hash = nil
	d.set(sum)
	a.rememberSum(sum)
	return nil
}

package verified

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Call is one request for bytes: who waits for it, until when, and where it is.
// One goroutine uses it, another may ask it where it hangs.
type Call struct {
	ctx      context.Context
	deadline atomic.Int64 // as [now] has it
	held     atomic.Bool  // the deadline does not count at present
	begun    int64        // as [now] has it

	key atomic.Uint64 // of the source that it reads

	mu     sync.Mutex
	at     *device // whose slot it holds, or where it is parked
	token  *device // one of whose tokens to deflate it holds
	parked bool
	left   bool // nobody waits for it any more
}

var timers = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}

// Begin starts the call anew. Nothing of the call before may still run.
func (c *Call) Begin(ctx context.Context, timeout time.Duration) {
	c.ctx, c.begun = ctx, now()
	c.Resume(timeout)
	c.key.Store(0)
	c.left = false
}

// quickly is the time after which a call that was not answered is worth a look at
// who waits for it.
const quickly = 2 * time.Millisecond

// Key returns the source that the call has to do with at present.
func (c *Call) Key() uint64 { return c.key.Load() }

// Wait waits for done, but not longer than anybody waits for the call: the error is
// context.Canceled when nobody does any more, another when it takes too long.
func (c *Call) Wait(done <-chan struct{}) error { return c.wait(c.ctx, done, 0) }

// WaitFor is Wait for somebody else, who came later and waits until ctx ends, or the
// timeout has passed.
func (c *Call) WaitFor(ctx context.Context, done <-chan struct{}, timeout time.Duration) error {
	return c.wait(ctx, done, after(timeout))
}

// wait waits until the call's deadline, or another one if that is later.
func (c *Call) wait(ctx context.Context, done <-chan struct{}, deadline int64) error {
	timer := timers.Get().(*time.Timer)
	defer timers.Put(timer)
	defer timer.Stop()
	timer.Reset(quickly)
	select {
	case <-done:
		return nil
	case <-timer.C:
	}
	for {
		timer.Reset(c.remaining(deadline))
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return context.Canceled // whatever Err may say of it
		case <-timer.C:
			if c.remaining(deadline) <= 0 {
				return errLate
			}
		}
	}
}

// TimeoutError tells that a source did not answer in time.
type TimeoutError struct {
	Path  string
	After time.Duration // 0: others did not get an answer before
}

func (e *TimeoutError) Error() string {
	if e.After == 0 {
		return fmt.Sprintf("%s: its device does not answer at present", e.Path)
	}
	return fmt.Sprintf("%s: no answer within %v", e.Path, e.After)
}

// Unwrap makes it the error that reaches the reader.
func (e *TimeoutError) Unwrap() error { return unix.EIO }

// CorruptError tells that a block's bytes are others than those that were hashed,
// though nothing says that the file was changed.
type CorruptError struct {
	Path      string
	Offset    int64 // of the block in the source
	Want, Got uint32
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: the block at offset %d has CRC-32 %08x, it had %08x when it was hashed, and the file's times are the same: a damaged disk, or a program that writes through an old mapping; touch it if it is meant to be so", e.Path, e.Offset, e.Got, e.Want)
}

// Unwrap makes it the error that reaches the reader.
func (e *CorruptError) Unwrap() error { return unix.EIO }

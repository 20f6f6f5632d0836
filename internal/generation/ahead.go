package generation

import (
	"context"
	"sync"
	"sync/atomic"
)

const (
	// aheadDepth is how many reads are under way before they are asked for. Two keep
	// a processor busy each.
	aheadDepth = 2
	// aheadLeast is the smallest read that is worth it, in bytes.
	aheadLeast = 64 << 10
	// aheadMost bounds the memory of all readers' reads ahead, in bytes.
	aheadMost = 16 << 20
)

var aheadBytes atomic.Int64

// readAhead begins the reads that a sequential reader will ask for. What it gets has
// been checked as everything else.
type readAhead struct {
	mu      sync.Mutex
	next    int64 // where a sequential reader goes on
	row     int   // sequential reads so far
	queue   [aheadDepth]*Data
	queued  int
	stopped bool
}

// take returns the read of n bytes from off on if it has begun already, or nil, and
// begins those after it.
func (r *readAhead) take(a *Archive, off int64, n int) (d *Data) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case off != r.next || n < aheadLeast:
		r.drop()
		r.row = 0
	case r.queued > 0 && r.queue[0].off == off && r.queue[0].want == n:
		d = r.queue[0]
		copy(r.queue[:], r.queue[1:])
		r.queued--
		aheadBytes.Add(-int64(len(d.buf)))
	default:
		r.drop()
	}
	r.next = off + int64(n)
	r.row++
	at := r.next
	if r.queued > 0 {
		last := r.queue[r.queued-1]
		at = last.off + int64(last.want)
	}
	for r.row > 1 && r.queued < aheadDepth && !r.stopped && n >= aheadLeast {
		size := int(min(int64(n), a.Size()-at))
		if size <= 0 || aheadBytes.Load() > aheadMost {
			break
		}
		q := a.start(context.Background(), at, size)
		aheadBytes.Add(int64(len(q.buf)))
		r.queue[r.queued] = q
		r.queued++
		at += int64(size)
	}
	return d
}

// drop gives up what has begun.
func (r *readAhead) drop() {
	for _, d := range r.queue[:r.queued] {
		aheadBytes.Add(-int64(len(d.buf)))
		d.drop()
	}
	r.queued = 0
}

func (r *readAhead) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop()
	r.stopped = true
}

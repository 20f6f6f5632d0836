package generation

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/seeded"
)

// Lease is a use of an archive that began with Open.
type Lease struct {
	archive atomic.Pointer[Archive] // nil once the generation was expired
	g       *Generation
	ahead   *readAhead // nil: the kernel does it
	whole   int64      // the archive's size
}

// Open begins a use of the archive, unless a source is known to have other bytes
// now, or the generation has ended: then the error wraps ESTALE, and a kernel that asked
// looks the name up again. With ahead set, what a sequential reader will want next is
// read before it asks.
func (a *Archive) Open(ahead bool) (*Lease, error) {
	if a.stale.Load() > 0 && !seeded.On("stale-open") {
		a.g.lookAgain(a)
		return nil, a.failed(unix.ESTALE)
	}
	if !a.g.Hold() {
		return nil, a.failed(errEnded)
	}
	l := &Lease{g: a.g, whole: a.Size()}
	if ahead {
		l.ahead = new(readAhead)
	}
	l.archive.Store(a)
	a.g.mu.Lock()
	defer a.g.mu.Unlock()
	a.g.leases[l] = struct{}{}
	return l, nil
}

// Read is [Archive.Read], and ESTALE once the generation was expired.
func (l *Lease) Read(ctx context.Context, off int64, n int) (*Bytes, error) {
	a := l.archive.Load()
	if a == nil {
		return nil, errExpired
	}
	a.g.read.Store(time.Now().UnixNano())
	if l.ahead != nil {
		if b, err := l.ahead.read(ctx, a, off, n); b != nil || err != nil {
			return b, err
		}
	}
	d, err := a.Read(ctx, off, n)
	if err != nil {
		return nil, err
	}
	return bytesOf(d), nil
}

var (
	errExpired = fmt.Errorf("a generation of long ago: %w", unix.ESTALE)
	errEnded   = fmt.Errorf("a generation that was replaced: %w", unix.ESTALE)
)

// readLately tells whether somebody reads archives of the generation.
func (g *Generation) readLately() bool {
	return time.Now().UnixNano()-g.read.Load() < int64(readFor)
}

// Close ends the use; the first time.
func (l *Lease) Close() {
	l.g.mu.Lock()
	_, open := l.g.leases[l]
	delete(l.g.leases, l)
	l.g.mu.Unlock()
	if !open {
		return
	}
	l.archive.Store(nil)
	if l.ahead != nil {
		l.ahead.stop()
	}
	l.g.Close()
}

// InUse tells whether anybody has an archive of the generation open.
func (g *Generation) InUse() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.leases) > 0
}

// Expire fails the reads of those who have archives of the generation open from now
// on, so that its memory can be used for others.
func (g *Generation) Expire() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for l := range g.leases {
		l.archive.Store(nil)
	}
}

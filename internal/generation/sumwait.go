package generation

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// wholeSHA256 returns the SHA-256 of the whole archive, and waits until it is worked out.
func (d *Data) wholeSHA256() (sum [sha256.Size]byte, err error) {
	if sum, known := d.a.digest.get(); known {
		return sum, nil
	}
	left := make(chan struct{})
	stop := d.whenLeft(func() { close(left) })
	defer stop()
	if err := d.a.awaitSum(left); err != nil {
		return sum, err
	}
	sum, _ = d.a.digest.get()
	return sum, nil
}

// awaitSum returns when the digest is known, or can't be worked out, or left is closed.
func (a *Archive) awaitSum(left <-chan struct{}) error {
	d := a.digest
	if _, known := d.get(); known {
		return nil
	}
	d.await(1)
	defer d.await(-1)
	for {
		w := d.join(a)
		if w == nil {
			return nil
		}
		select {
		case <-w.done:
		case <-left:
			return context.Canceled
		}
		if _, known := d.get(); known { // from elsewhere, whatever became of the work
			return nil
		}
		// Another generation may fail where this one does not.
		if w.err != nil && w.err != errStopped && w.a == a {
			return w.err
		}
		if a.g.ctx.Err() != nil {
			return context.Canceled
		}
	}
}

// whenLeft calls f once nobody waits for the call any more, until stop is called: after that
// nobody looks at the call, which may become another one's.
func (d *Data) whenLeft(f func()) (stop func()) {
	ended := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		look := time.NewTicker(tickEvery)
		defer look.Stop()
		for {
			select {
			case <-ended:
				return
			case <-look.C:
				if d.call.Left() {
					f()
					return
				}
			}
		}
	})
	return func() {
		close(ended)
		looking.Wait()
	}
}

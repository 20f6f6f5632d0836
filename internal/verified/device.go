package verified

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"vzip/internal/seeded"
	"vzip/internal/source"
)

// slots is how many reads may be under way on one device: enough for a fast one,
// few enough that the threads which a hung one blocks do no harm.
const slots = 64

// probeEvery is how often a device that does not answer is asked again.
const probeEvery = time.Second

var (
	errLate    = errors.New("late")
	errNoProbe = errors.New("the device does not answer")
)

// device bounds what is under way on a file system. One that stopped answering
// is not asked more than once a second, so that nobody waits for it in vain, and
// it is back in use as soon as it answers.
type device struct {
	slots     chan struct{}
	deflating chan struct{} // tokens of those of them that deflate what they read
	// Times in nanoseconds of a monotonic clock.
	answered, late, probed atomic.Int64
	kind                   atomic.Int32 // source.Kind plus 1; 0 is not known yet
	parked                 atomic.Int32 // calls that hang, and nobody waits for
}

type devices struct {
	mu  sync.RWMutex
	all map[uint64]*device
}

func (d *devices) get(number uint64) *device {
	d.mu.RLock()
	dev := d.all[number]
	d.mu.RUnlock()
	if dev != nil {
		return dev
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if dev = d.all[number]; dev == nil {
		if d.all == nil {
			d.all = map[uint64]*device{}
		}
		dev = &device{slots: make(chan struct{}, min(slots, source.OpenLimit()/2)), deflating: newDeflating()}
		dev.probed.Store(-int64(probeEvery))
		d.all[number] = dev
	}
	return dev
}

var start = time.Now()

func now() int64 { return int64(time.Since(start)) + 1 }

// ask tells whether it is worth asking the device something.
func (d *device) ask() error {
	if late := d.late.Load(); late > d.answered.Load() && !seeded.On("no-breaker") {
		last, t := d.probed.Load(), now()
		if t-last < int64(probeEvery) || !d.probed.CompareAndSwap(last, t) {
			return errNoProbe
		}
	}
	return nil
}

// enter waits for a slot.
func (d *device) enter(c *Call) error {
	if err := d.ask(); err != nil {
		return err
	}
	select {
	case d.slots <- struct{}{}:
	default:
		if seeded.On("no-slots") {
			return nil
		}
		if err := d.queue(c); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left {
		<-d.slots
		return context.Canceled
	}
	c.at, c.parked = d, false
	return nil
}

func (d *device) queue(c *Call) error {
	timer := time.NewTimer(c.remaining(0))
	defer timer.Stop()
	select {
	case d.slots <- struct{}{}:
		return nil
	case <-c.ctx.Done():
		return context.Canceled
	case <-timer.C:
		return errLate
	}
}

// hold notes that the call has one of the device's tokens.
func (c *Call) hold(d *device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = d
}

// give gives the token back, if the call has one.
func (c *Call) give() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != nil {
		c.token.deflating <- struct{}{}
		c.token = nil
	}
}

// leave gives up the slot that a call has, if it has one.
func (c *Call) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.at == nil:
	case c.parked:
		c.at.parked.Add(-1)
	default:
		<-c.at.slots
	}
	c.at = nil
}

// park gives the slot of a call that nobody waits for to others, as long as not
// too many hang there. It may go on reading, but not begin anew.
func (c *Call) park() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = true
	if c.at == nil || c.parked {
		return
	}
	if c.at.parked.Add(1) > int32(cap(c.at.slots)) {
		c.at.parked.Add(-1)
		return
	}
	c.parked = true
	<-c.at.slots
}

// where returns the device that the call is at, if it is at one, and whether
// anybody waits for it.
func (c *Call) where() (d *device, left bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at, c.left
}

// trusted tells whether the file system of o stamps every change, as
// [source.Local] ones do.
func (d *device) trusted(o *source.Opened) bool {
	kind := d.kind.Load()
	if kind == 0 {
		kind = int32(o.Kind()) + 1
		d.kind.Store(kind)
	}
	return source.Kind(kind-1) == source.Local
}

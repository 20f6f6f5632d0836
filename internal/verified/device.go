package verified

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

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
	slots chan struct{}
	// Times in nanoseconds of a monotonic clock.
	answered, late, probed atomic.Int64
	kind                   atomic.Int32 // source.Kind plus 1; 0 is not known yet
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
		dev = &device{slots: make(chan struct{}, min(slots, source.OpenLimit()/2))}
		dev.probed.Store(-int64(probeEvery))
		d.all[number] = dev
	}
	return dev
}

var start = time.Now()

func now() int64 { return int64(time.Since(start)) + 1 }

// enter waits for a slot.
func (d *device) enter(c *Call) error {
	if late := d.late.Load(); late > d.answered.Load() {
		last, t := d.probed.Load(), now()
		if t-last < int64(probeEvery) || !d.probed.CompareAndSwap(last, t) {
			return errNoProbe
		}
	}
	select {
	case d.slots <- struct{}{}:
	default:
		if err := d.queue(c); err != nil {
			return err
		}
	}
	c.at.Store(d)
	return nil
}

func (d *device) queue(c *Call) error {
	timer := time.NewTimer(time.Until(c.deadline))
	defer timer.Stop()
	select {
	case d.slots <- struct{}{}:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	case <-timer.C:
		return errLate
	}
}

func (d *device) leave(c *Call) {
	c.at.Store(nil)
	<-d.slots
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

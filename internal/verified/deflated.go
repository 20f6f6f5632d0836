package verified

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/crc32"
	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/deflate"
	"vzip/internal/seeded"
	"vzip/internal/spool"
)

// DefaultDeflated is how many bytes of deflated blocks are kept where nobody says.
const DefaultDeflated = 64 << 20

// Deflated is a block of a source, of deflate.BlockLen bytes, in the form that it has in an
// archive.
type Deflated struct {
	Block int
	Level int
	checksum.Packed
	// Spool, if set, keeps it on disk under a key.
	Spool *spool.Spool
	Key   spool.Key
}

// DeflateError tells that a block isn't deflated to what it was before.
type DeflateError struct {
	Path   string
	Offset int64 // of the block in the source
}

func (e *DeflateError) Error() string {
	return fmt.Sprintf("%s: the block at offset %d is not deflated to the same bytes as when the archive was laid out: the file was changed in a way that its times don't tell, or this is a defect in vzip; touch it and reload", e.Path, e.Offset)
}

// Unwrap makes it the error that reaches the reader.
func (e *DeflateError) Unwrap() error { return unix.EIO }

// ReadDeflated fills p with bytes of a deflated block from in on. The block of the source is
// checked before it is deflated, and the outcome as well; where it was kept, the source is
// looked at for changes. The time limit is for sources: the call has all of it again for
// each block, and waits for others' as long as the device answers.
func (r *Reader) ReadDeflated(c *Call, x Sources, key uint64, b Deflated, p []byte, in int64) error {
	for {
		e, load := r.deflated.acquire(deflatedPlace{place{x, key, b.Block}, b.Level})
		if load {
			r.loadDeflated(c, x, key, b, e)
		} else if err := r.await(c, x, key, e); err != nil {
			return r.inWords(x, key, err)
		}
		c.Resume(r.Timeout)
		switch {
		case e.err == nil && !(load && e.fresh):
			if err := r.unchanged(c, x, key); err != nil {
				return err
			}
			fallthrough
		case e.err == nil:
			copy(p, e.data[in:])
			return nil
		// The read that was to load it ended before it could; this one need not.
		case !load && (errors.Is(e.err, context.Canceled) || errors.As(e.err, new(*TimeoutError))) && !c.Left():
		default:
			return e.err
		}
	}
}

// loadDeflated loads a block that others may wait for: they are told in any case.
func (r *Reader) loadDeflated(c *Call, x Sources, key uint64, b Deflated, e *deflatedBlock) {
	var data []byte
	err := errDefect // if it panics
	defer func() { r.deflated.loaded(e, data, err) }()
	if b.Spool != nil {
		if data = b.Spool.Get(b.Key); data != nil { // as it was put there
			err = nil
			return
		}
	}
	e.fresh = true
	if data, err = r.deflate(c, x, key, b, e); err == nil && b.Spool != nil {
		b.Spool.Put(b.Key, data)
	}
}

// unchanged looks whether the source of a block that was kept is what it was, as a read of
// it does.
func (r *Reader) unchanged(c *Call, x Sources, key uint64) error {
	if seeded.On("deflated-kept") {
		return nil
	}
	if err := r.Enter(c, x, key); err != nil {
		return err
	}
	defer c.leave() // for those who read
	d, _ := c.where()
	o, err := r.set.Acquire(x, key)
	if err != nil {
		return r.missing(d, x, key, err)
	}
	err = r.sure(x, key, o)
	d.answered.Store(now())
	return err
}

func (r *Reader) deflate(c *Call, x Sources, key uint64, b Deflated, e *deflatedBlock) ([]byte, error) {
	if err := r.Enter(c, x, key); err != nil {
		return nil, err
	}
	d, _ := c.where()
	if err := r.waitFor(c, d, d.deflating, nil); err != nil {
		return nil, r.inWords(x, key, err)
	}
	c.hold(d)
	defer c.give()
	e.reading.Store(true)
	buf := deflateBuffers.Get().(*[deflate.BlockLen]byte)
	defer deflateBuffers.Put(buf)
	at, size := int64(b.Block)*deflate.BlockLen, x.Size(key)
	src := buf[:min(deflate.BlockLen, size-at)]
	if err := r.ReadFull(c, x, key, src, at); err != nil {
		return nil, err
	}
	out := deflate.Again(b.Level, int(b.Len), make([]byte, 0, b.Len), src, at+int64(len(src)) == size)
	if (len(out) != int(b.Len) || crc32.ChecksumIEEE(out) != b.CRC32) && !seeded.On("deflated-unchecked") {
		ref, _, _ := x.Source(key)
		return nil, &DeflateError{ref.Path(), at}
	}
	return out, nil
}

// deflateBuffers are of what is deflated.
var deflateBuffers = sync.Pool{New: func() any { return new([deflate.BlockLen]byte) }}

// deflateRoom is the memory that deflating a block takes, in bytes: its own, what it makes,
// and a compressor's.
const deflateRoom = 4 << 20

// DeflateMemory returns the memory, in bytes, that deflated blocks take which are kept, or
// under way.
func (r *Reader) DeflateMemory() int64 {
	r.deflated.mu.Lock()
	defer r.deflated.mu.Unlock()
	return r.deflated.bytes + r.deflated.loading*deflateRoom
}

// newDeflating returns a token for each block of a device that may be under way at once:
// enough to read some while others are deflated, or hang, few enough to bound the memory
// that they take.
func newDeflating() chan struct{} {
	c := make(chan struct{}, min(max(2*runtime.GOMAXPROCS(0), 8), slots))
	for range cap(c) {
		c <- struct{}{}
	}
	return c
}

// waitFor waits for ch. Who waits for others to be done, and not for a source, waits as long
// as the device answers them; reading, if set, tells that it is for a source from now on.
func (r *Reader) waitFor(c *Call, d *device, ch <-chan struct{}, reading *atomic.Bool) error {
	select {
	case <-ch:
		return nil
	default:
	}
	tick := time.NewTicker(max(r.Timeout/4, time.Millisecond))
	defer tick.Stop()
	answered, begun := d.answered.Load(), false
	for {
		select {
		case <-ch:
			return nil
		case <-c.ctx.Done():
			return context.Canceled
		case <-tick.C:
		}
		last := answered
		answered = d.answered.Load()
		switch {
		case c.Left():
			return context.Canceled
		case begun:
		case reading != nil && reading.Load():
			begun = true
			c.Resume(r.Timeout)
			continue
		case answered != last:
			c.Resume(r.Timeout)
			continue
		}
		if c.remaining(0) <= 0 {
			return errLate
		}
	}
}

// deflatedPlace is a block of a source, deflated at a level.
type deflatedPlace struct {
	place
	level int
}

// deflatedBlock is such a block's bytes, or where they will be. They are never changed.
type deflatedBlock struct {
	deflatedPlace
	data    []byte
	err     error
	done    chan struct{} // closed when both are there
	fresh   bool          // the source was read for it
	reading atomic.Bool   // or it is about to be; before, it waits for its turn
	used    *list.Element // in deflatedBlocks.used once it is loaded
}

// await waits for a block that another call loads.
func (r *Reader) await(c *Call, x Sources, key uint64, e *deflatedBlock) error {
	select {
	case <-e.done:
		return nil
	default:
	}
	// Who loads it may still wait for a slot, of which all may be taken by those who wait.
	c.leave()
	return r.waitFor(c, r.devices.get(x.Device(key)), e.done, &e.reading)
}

// deflatedBlocks keeps deflated blocks, those that were used last, up to a number of bytes.
// Their bytes stay right whatever becomes of the source.
type deflatedBlocks struct {
	mu      sync.Mutex
	most    int64
	bytes   int64
	loading int64 // blocks
	all     map[deflatedPlace]*deflatedBlock
	used    list.List // of *deflatedBlock that are loaded, the one that was used last first
}

func (d *deflatedBlocks) init(most int64) {
	d.most, d.all = max(most, 0), map[deflatedPlace]*deflatedBlock{}
}

// acquire returns the block at a place. Where load is true the caller has to call loaded.
func (d *deflatedBlocks) acquire(at deflatedPlace) (e *deflatedBlock, load bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e = d.all[at]; e != nil {
		if e.used != nil {
			d.used.MoveToFront(e.used)
		}
		return e, false
	}
	e = &deflatedBlock{deflatedPlace: at, done: make(chan struct{})}
	d.all[at] = e
	d.loading++
	return e, true
}

// loaded tells those who wait how loading ended. A failed block is not kept.
func (d *deflatedBlocks) loaded(e *deflatedBlock, data []byte, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loading--
	e.data, e.err = data, err
	close(e.done)
	switch {
	case d.all[e.deflatedPlace] != e: // forgotten
	case err != nil:
		delete(d.all, e.deflatedPlace)
	default:
		e.used = d.used.PushFront(e)
		for d.bytes += int64(len(data)); d.bytes > d.most; {
			d.remove(d.used.Back().Value.(*deflatedBlock))
		}
	}
}

func (d *deflatedBlocks) remove(e *deflatedBlock) {
	d.used.Remove(e.used)
	delete(d.all, e.deflatedPlace)
	d.bytes -= int64(len(e.data))
}

// forget drops the blocks of sources that will not be read again.
func (d *deflatedBlocks) forget(x Sources) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for at, e := range d.all {
		switch {
		case at.x != x:
		case e.used != nil:
			d.remove(e)
		default: // it is being loaded
			delete(d.all, at)
		}
	}
}

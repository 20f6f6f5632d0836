// Package verified reads sources so that every byte handed on was checked: in
// blocks of [checksum.BlockLen] bytes, each against the CRC-32 that was recorded
// when the file was hashed. Where a read can't be right it fails: with an error
// that wraps ESTALE if the source was changed, any other if it can't be read.
//
// In scope: checking, which blocks to keep, how much may be under way on a device
// and for how long. Out of scope: what becomes of a source that was changed.
package verified

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/crc32"

	"vzip/internal/checksum"
	"vzip/internal/seeded"
	"vzip/internal/source"
)

// Sources is what a Reader has to know of the files it reads. It must be
// comparable.
type Sources interface {
	source.Index
	// Size returns the size of a source when it was hashed, in bytes.
	Size(key uint64) int64
	// Device returns the number of the file system that a source is on.
	Device(key uint64) uint64
	// BlockCRC returns the CRC-32 of block n of a source.
	BlockCRC(key uint64, n int) (uint32, error)
	// Known tells whether a file that is so is taken for the one that was hashed.
	Known(key uint64, is source.Identity) bool
	// Drifted is told what a source is now, if it isn't Known though the bytes
	// that were read are right. An error fails the read all the same.
	Drifted(key uint64, is source.Identity) error
	// Changed is told that a source has other bytes now.
	Changed(key uint64, is source.Identity)
}

// Options say how a Reader works.
type Options struct {
	// Timeout is how long a source may take to answer.
	Timeout time.Duration
	// StatOnly takes a file's bytes for right where its times and the like are
	// what they were, on file systems that stamp every change.
	StatOnly bool
	// Deflated is how many bytes of deflated blocks are kept; 0 for DefaultDeflated.
	Deflated int64
}

// Reader reads verified bytes. It is safe for any number of goroutines.
type Reader struct {
	Options
	set      *source.Set
	blocks   blocks
	deflated deflatedBlocks
	devices  devices
}

// NewReader returns a reader that keeps a bounded number of files open.
func NewReader(o Options) *Reader {
	r := &Reader{Options: o, set: source.NewSet(source.OpenLimit())}
	r.blocks.init()
	r.deflated.init(cmp.Or(o.Deflated, DefaultDeflated))
	return r
}

// Close closes all files. Nothing may be read after it.
func (r *Reader) Close() { r.set.Close() }

// Forget closes the files of sources that will not be read again.
func (r *Reader) Forget(x Sources) {
	r.set.Forget(x)
	r.blocks.forget(x)
	r.deflated.forget(x)
}

// Reopen makes the next read of a source open what is at its path then.
func (r *Reader) Reopen(x Sources, key uint64) { r.set.DropKey(x, key) }

// Open opens a source that was scanned as id, for the caller to read from end to end
// and to close. ref is [source.Index]'s, perhaps with another pulse.
func (r *Reader) Open(x Sources, ref source.Ref, root uint64, id source.Identity) (*source.File, error) {
	return r.set.Open(x, root, ref, id)
}

// Enter takes a slot on the device of a source, unless the call has one there
// already, and gives up the one it has elsewhere.
func (r *Reader) Enter(c *Call, x Sources, key uint64) error {
	c.key.Store(key)
	d := r.devices.get(x.Device(key))
	at, left := c.where()
	switch {
	case left:
		return context.Canceled
	case at == d:
		return nil
	}
	c.leave()
	return r.inWords(x, key, d.enter(c))
}

// Leave gives up the slot that the call has, if it has one.
func (r *Reader) Leave(c *Call) { c.leave() }

// Abandon tells that nobody waits for a call any more, which may go on.
func (r *Reader) Abandon(c *Call) { c.park() }

// Late is Abandon for a call that took too long. It returns the error that those
// who waited get.
func (r *Reader) Late(c *Call, x Sources) error {
	// A device that answered others meanwhile is all right.
	if d, _ := c.where(); d != nil && d.answered.Load() < c.begun {
		d.late.Store(now())
	}
	c.park()
	c.give() // or hung reads of one file keep all others from being deflated
	return r.inWords(x, c.key.Load(), errLate)
}

func (r *Reader) inWords(x Sources, key uint64, err error) error {
	switch err {
	case errLate, errNoProbe:
		ref, _, _ := x.Source(key)
		late := &TimeoutError{Path: ref.Path()}
		if err == errLate {
			late.After = r.Timeout
		}
		return late
	}
	return err
}

// ReadFull fills p with the bytes of a source from off on. It may hang as long as
// the source's file system does.
func (r *Reader) ReadFull(c *Call, x Sources, key uint64, p []byte, off int64) error {
	if err := r.Enter(c, x, key); err != nil {
		return err
	}
	d, _ := c.where()
	if r.StatOnly {
		if done, err := r.readStat(d, x, key, p, off); done || err != nil {
			return err
		}
	}
	whole := x.Size(key)
	for len(p) > 0 {
		n, in := int(off/checksum.BlockLen), off%checksum.BlockLen
		size := blockSize(whole, n)
		var took int
		var err error
		if blocks := wholeBlocks(whole, off, len(p)); in == 0 && blocks > 0 {
			took, err = blocks, r.readWhole(d, x, key, p[:blocks], n)
		} else {
			took, err = r.readPart(c, d, x, key, p[:min(int64(len(p)), size-in)], n, in)
		}
		if err != nil {
			return r.inWords(x, key, err)
		}
		p, off = p[took:], off+int64(took)
	}
	return nil
}

// blockSize returns how many bytes block n of a file has.
func blockSize(size int64, n int) int64 {
	return min(checksum.BlockLen, size-int64(n)*checksum.BlockLen)
}

// wholeBlocks returns how many bytes of the n from off on, a block's start, are
// whole blocks.
func wholeBlocks(size, off int64, n int) int {
	if off+int64(n) == size {
		return n // the last block may be shorter
	}
	return n / checksum.BlockLen * checksum.BlockLen
}

// readStat reads without looking at blocks. done is false where the file's state
// does not vouch for them.
func (r *Reader) readStat(d *device, x Sources, key uint64, p []byte, off int64) (done bool, err error) {
	o, err := r.set.Acquire(x, key)
	if err != nil {
		return false, r.missing(d, x, key, err)
	}
	defer r.set.Release(o)
	if seeded.On("stat-before") {
		if is, err := o.Identity(); err != nil || !x.Known(key, is) {
			return false, nil
		}
		return true, o.ReadFull(p, off)
	}
	if o.ReadFull(p, off) != nil {
		return false, nil // found again, and told, block by block
	}
	is, err := o.Identity()
	if err != nil || !x.Known(key, is) || !d.trusted(o) {
		return false, nil
	}
	d.answered.Store(now())
	return true, nil
}

// readWhole reads whole blocks from block n on to where they are wanted. Each is
// checked right after it was read: then it is still in the processor's cache.
func (r *Reader) readWhole(d *device, x Sources, key uint64, p []byte, n int) error {
	o, err := r.set.Acquire(x, key)
	if err != nil {
		return r.missing(d, x, key, err)
	}
	for len(p) > 0 {
		q := p[:min(len(p), checksum.BlockLen)]
		want, err := x.BlockCRC(key, n)
		if err == nil {
			err = o.ReadFull(q, int64(n)*checksum.BlockLen)
			d.answered.Store(now())
		}
		if err != nil || crc32.ChecksumIEEE(q) != want && !seeded.On("no-crc") {
			break
		}
		p, n = p[len(q):], n+1
	}
	if len(p) == 0 {
		return r.sure(x, key, o)
	}
	r.set.Release(o)
	for ; len(p) > 0; n++ {
		q := p[:min(len(p), checksum.BlockLen)]
		if err := r.load(d, x, key, q, n); err != nil {
			return err
		}
		p = p[len(q):]
	}
	return nil
}

// readPart reads a part of block n, which others may want a part of, too.
func (r *Reader) readPart(c *Call, d *device, x Sources, key uint64, p []byte, n int, in int64) (int, error) {
	b, load := r.blocks.acquire(place{x, key, n}, int(blockSize(x.Size(key), n)))
	defer r.blocks.release(b)
	if load {
		r.loadShared(d, x, b)
	} else if ready, wait := r.blocks.ready(b); !ready {
		if err := c.Wait(wait); err != nil {
			return 0, err
		}
	}
	if b.err != nil {
		return 0, b.err
	}
	return copy(p, b.data[in:]), nil
}

// loadShared loads a block that others may wait for: they are told in any case.
func (r *Reader) loadShared(d *device, x Sources, b *block) {
	err := errDefect // if it panics
	defer func() { r.blocks.loaded(b, err) }()
	err = r.load(d, x, b.key, b.data, b.n)
}

var errDefect = errors.New("a defect in vzip")

// load fills p with block n. A block that is not right is read once more, from
// what is at the source's path now.
func (r *Reader) load(d *device, x Sources, key uint64, p []byte, n int) error {
	want, err := x.BlockCRC(key, n)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		o, err := r.set.Acquire(x, key)
		if err != nil {
			return r.missing(d, x, key, err)
		}
		err = o.ReadFull(p, int64(n)*checksum.BlockLen)
		d.answered.Store(now())
		got := crc32.ChecksumIEEE(p)
		if err == nil && (got == want || seeded.On("no-crc")) {
			return r.sure(x, key, o)
		}
		if try > 1 {
			err = r.wrong(x, key, o, err, n, want, got)
			r.set.Release(o)
			return err
		}
		if !seeded.On("old-descriptor") {
			r.set.Drop(o)
		}
		r.set.Release(o)
	}
}

// sure ends a read whose bytes are right, and looks whether the file drifted.
func (r *Reader) sure(x Sources, key uint64, o *source.Opened) error {
	is, err := o.Identity()
	r.set.Release(o)
	if err == nil && !x.Known(key, is) {
		return x.Drifted(key, is)
	}
	return nil // the bytes are right, whatever statx says
}

// wrong decides what it is that made a block's bytes wrong, or unreadable.
func (r *Reader) wrong(x Sources, key uint64, o *source.Opened, err error, n int, want, got uint32) error {
	ref, was, _ := x.Source(key)
	is, statErr := o.Identity()
	changed := new(source.ChangedError)
	switch {
	case statErr != nil:
		return cmp.Or(err, statErr)
	case !x.Known(key, is):
		x.Changed(key, is)
		return &source.ChangedError{Path: ref.Path(), What: was.Diff(is)}
	case errors.As(err, &changed): // its size says otherwise
		return fmt.Errorf("%s: block %d: %w", ref.Path(), n, io.ErrUnexpectedEOF)
	case err != nil:
		return err
	}
	return &CorruptError{Path: ref.Path(), Offset: int64(n) * checksum.BlockLen, Want: want, Got: got}
}

// missing ends a read whose source can't be opened.
func (r *Reader) missing(d *device, x Sources, key uint64, err error) error {
	d.answered.Store(now())
	if errors.As(err, new(*source.ChangedError)) {
		x.Changed(key, source.Identity{})
	}
	return err
}

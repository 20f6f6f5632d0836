package generation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"vzip/internal/verified"
	"vzip/zipgen"
)

// Data is what one read of an archive gave, or will give.
type Data struct {
	call  verified.Call
	a     *Archive
	text  text // what is read, if it is not the archive itself
	off   int64
	want  int    // bytes
	buf   []byte // of a size of its pool
	huge  bool   // is of a huge page
	n     int    // bytes had
	err   error
	done  chan struct{} // has room for one
	users atomic.Int32  // who have not released it, one of them who does the read
}

// Bytes are the bytes that were read.
func (d *Data) Bytes() []byte { return d.buf[:d.n] }

// Release ends a use. The memory is given back with the last one.
func (d *Data) Release() {
	if d.users.Add(-1) == 0 {
		spare.put(d)
	}
}

var inFlight atomic.Int64

// InFlight returns the bytes of memory that reads hold which are under way.
func InFlight() int64 { return inFlight.Load() }

// Read reads n bytes of the archive from offset off on, less only at its end. It
// returns an error when ctx ends, or when a source does not answer in time: what
// hangs then goes on alone.
func (a *Archive) Read(ctx context.Context, off int64, n int) (*Data, error) {
	return a.start(ctx, off, n).result(ctx)
}

// start begins a read that result waits for, or drop doesn't.
func (a *Archive) start(ctx context.Context, off int64, n int) *Data {
	return a.startText(ctx, off, n, nil)
}

// startText is start for a text about the archive, if it is not nil.
func (a *Archive) startText(ctx context.Context, off int64, n int, text text) *Data {
	d := spare.get(n)
	d.a, d.text, d.off, d.want, d.n, d.err = a, text, off, n, 0, nil
	d.users.Store(2)
	select {
	case <-d.done: // nobody waited for the last one
	default:
	}
	d.call.Begin(ctx, a.g.reader.Timeout)
	if !a.g.Hold() {
		d.err = errEnded
		d.done <- struct{}{}
		d.Release()
		return d
	}
	inFlight.Add(int64(len(d.buf)))
	run(d)
	return d
}

// result waits for a read that start began.
func (d *Data) result(ctx context.Context) (*Data, error) {
	if _, err := d.wait(ctx); err != nil {
		d.drop()
		return nil, err
	}
	return d, nil
}

// wait waits for the end of a read, and tells whether it has ended. drop is for the
// caller to call, also after an error.
func (d *Data) wait(ctx context.Context) (ended bool, err error) {
	g := d.a.g
	switch err := d.call.WaitFor(ctx, d.done, g.reader.Timeout); {
	case err == nil && (d.err == nil || d.err == io.EOF):
		return true, nil
	case err == nil:
		return true, d.err
	case errors.Is(err, context.Canceled):
		return false, err
	}
	key := d.call.Key()
	err = g.reader.Late(&d.call, g)
	g.reportOnce(key, err)
	return false, &SourceError{err}
}

// end waits for a read whose bytes nobody wants.
func (d *Data) end() {
	_, _ = d.wait(context.Background()) // who wants them is told
	d.drop()
}

// drop ends the use of a read that nobody else waits for, and that may go on.
func (d *Data) drop() {
	d.a.g.reader.Abandon(&d.call)
	d.Release()
}

// maxIdle is how many goroutines wait for reads to do. A new one would have to grow
// its stack first.
const maxIdle = 64

var (
	handover = make(chan *Data)
	idle     atomic.Int32
)

// run has a goroutine do a read.
func run(d *Data) {
	select {
	case handover <- d:
	default:
		go work(d)
	}
}

func work(d *Data) {
	for {
		d.read()
		if idle.Add(1) > maxIdle {
			idle.Add(-1)
			return
		}
		d = <-handover
		idle.Add(-1)
	}
}

func (d *Data) read() {
	g := d.a.g
	defer func() {
		d.done <- struct{}{}
		d.Release()
	}()
	defer inFlight.Add(-int64(len(d.buf)))
	defer g.Close()
	defer g.reader.Leave(&d.call)
	defer func() {
		if v := recover(); v != nil {
			d.n, d.err = 0, d.a.failed(fmt.Errorf("a defect in vzip made a read fail: %v", v))
			if g.report != nil {
				g.report(d.err)
			}
		}
	}()
	if d.text != nil {
		// What it waits for has time limits of its own.
		d.call.Hold()
		if d.err = d.text(d, d.buf[:d.want], d.off); d.err == nil {
			d.n = d.want
		}
		return
	}
	// Who waits for a slot has not touched its memory yet.
	if i, ok := d.a.firstFile(d.off, d.want); ok && d.a.known.get(i) {
		key := d.a.key(i)
		if err := g.reader.Enter(&d.call, g, key); err != nil {
			g.reportOnce(key, err)
			d.err = &SourceError{err}
			return
		}
	}
	d.n, d.err = d.a.Plan.ReadAt(d, d.buf[:d.want], d.off)
}

// firstFile returns the entry whose data the n bytes from off on start with,
// after its header perhaps.
func (a *Archive) firstFile(off int64, n int) (entry int, ok bool) {
	if off < 0 || off >= a.Size() || n == 0 {
		return 0, false
	}
	x := a.Extent(off)
	data := x.Kind == zipgen.Data || x.Kind == zipgen.LocalHeader && off+int64(n) > x.Offset+x.Len && a.EntrySize(x.Entry) > 0
	return x.Entry, data && a.IsFile(x.Entry)
}

// ReadAt reads the archive's bytes: all of p, or up to the end with io.EOF, or an
// error. The error wraps ESTALE where a source is no longer what it was. Unlike
// Read it may hang as long as a source does.
func (a *Archive) ReadAt(p []byte, off int64) (int, error) {
	d := &Data{a: a}
	d.call.Begin(context.Background(), forever)
	defer a.g.reader.Leave(&d.call)
	return a.Plan.ReadAt(d, p, off)
}

const forever = 1 << 20 * time.Hour

// CRC32 implements [zipgen.Content].
func (d *Data) CRC32(i int) (uint32, error) {
	if err := d.hashed(i); err != nil {
		return 0, err
	}
	return d.a.crcs[i], nil
}

// ReadEntryAt implements [zipgen.Content].
func (d *Data) ReadEntryAt(i int, p []byte, off int64) error {
	a := d.a
	if !a.IsFile(i) {
		copy(p, a.Link(i)[off:])
		return nil
	}
	if at, ok := a.packs.find(i); ok {
		return d.readDeflated(i, at, p, off)
	}
	return d.readFile(i, p, off)
}

// readFile fills p with the data of entry i, a file, as its source has it.
func (d *Data) readFile(i int, p []byte, off int64) error {
	if err := d.hashed(i); err != nil {
		return err
	}
	key := d.a.key(i)
	err := d.a.g.refuse(key)
	if err == nil {
		err = d.a.g.reader.ReadFull(&d.call, d.a.g, key, p, off)
	}
	return d.failed(key, err)
}

// hashed returns when entry i's CRC is known.
func (d *Data) hashed(i int) error {
	g, key := d.a.g, d.a.key(i)
	if d.a.known.get(i) {
		if h := g.hashing.Load(); h != nil {
			h.reads(key)
		}
		return nil
	}
	err := g.refuse(key)
	if err == nil {
		err = g.need(&d.call, key)
	}
	return d.failed(key, err)
}

// failed reports the error of an entry's source, if there is one, and makes it one.
func (d *Data) failed(key uint64, err error) error {
	if err == nil {
		return nil
	}
	d.a.g.reportOnce(key, err)
	return &SourceError{err}
}

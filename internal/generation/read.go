package generation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"vzip/internal/verified"
	"vzip/zipgen"
)

// Data is what a read gave. It belongs to the caller until Release.
type Data struct {
	call verified.Call
	a    *Archive
	off  int64
	want int    // bytes
	buf  []byte // of a size of its pool
	n    int    // bytes had
	err  error
	done chan struct{} // has room for one
	end  atomic.Int32  // what came first: finished or dropped
}

const (
	underWay = iota
	finished
	dropped
)

func newData(size int) *Data {
	return &Data{buf: make([]byte, size), done: make(chan struct{}, 1)}
}

// Bytes are the bytes that were read.
func (d *Data) Bytes() []byte { return d.buf[:d.n] }

// Release gives the memory back. Bytes must not be used after it.
func (d *Data) Release() { spare.put(d) }

// Buffers are of sizes that are powers of two, from 4 KiB to 1 MiB, the largest read
// that a mount asks for.
const minBits, maxBits = 12, 20

// buffers keeps what was released, up to a limit: unlike in a sync.Pool what a burst
// of reads needed does not stay.
type buffers struct {
	mu    sync.Mutex
	free  [maxBits - minBits + 1][]*Data
	bytes int
}

// maxSpare is how much released memory is kept, in bytes.
const maxSpare = 16 << 20

var spare buffers

func class(n int) int { return max(bits.Len(uint(max(n, 1)-1)), minBits) - minBits }

func (b *buffers) get(n int) *Data {
	c := class(n)
	if c >= len(b.free) {
		return newData(n)
	}
	b.mu.Lock()
	if last := len(b.free[c]) - 1; last >= 0 {
		d := b.free[c][last]
		b.free[c][last] = nil
		b.free[c] = b.free[c][:last]
		b.bytes -= len(d.buf)
		b.mu.Unlock()
		return d
	}
	b.mu.Unlock()
	return newData(1 << (c + minBits))
}

func (b *buffers) put(d *Data) {
	c := class(len(d.buf))
	d.a = nil
	b.mu.Lock()
	defer b.mu.Unlock()
	if c < len(b.free) && b.bytes+len(d.buf) <= maxSpare {
		b.free[c] = append(b.free[c], d)
		b.bytes += len(d.buf)
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
	d := spare.get(n)
	d.a, d.off, d.want, d.n, d.err = a, off, n, 0, nil
	d.end.Store(underWay)
	d.call.Begin(ctx, a.g.reader.Timeout)
	a.g.users.Add(1)
	inFlight.Add(int64(len(d.buf)))
	run(d)
	return d
}

// result waits for a read that start began.
func (d *Data) result(ctx context.Context) (*Data, error) {
	g := d.a.g
	switch err := d.call.WaitFor(ctx, d.done, g.reader.Timeout); {
	case err == nil && (d.err == nil || d.err == io.EOF):
		return d, nil
	case err == nil:
		err = d.err
		d.Release()
		return nil, err
	case errors.Is(err, context.Canceled):
		d.drop()
		return nil, err
	}
	key := d.call.Key()
	err := g.reader.Late(&d.call, g)
	d.drop()
	g.reportOnce(key, err)
	return nil, &SourceError{err}
}

// drop ends the wait for a read, which may go on.
func (d *Data) drop() {
	d.a.g.reader.Abandon(&d.call)
	if !d.end.CompareAndSwap(underWay, dropped) {
		<-d.done
		d.Release()
	}
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
		if d.end.CompareAndSwap(underWay, finished) {
			d.done <- struct{}{}
		} else {
			d.Release()
		}
	}()
	defer inFlight.Add(-int64(len(d.buf)))
	defer g.Close()
	defer g.reader.Leave(&d.call)
	defer func() {
		if v := recover(); v != nil {
			d.n, d.err = 0, fmt.Errorf("archive %s: a defect in vzip made a read fail: %v", d.a.Name, v)
			if g.report != nil {
				g.report(d.err)
			}
		}
	}()
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
	if err := d.hashed(i); err != nil {
		return err
	}
	key := a.key(i)
	err := a.g.refuse(key)
	if err == nil {
		err = a.g.reader.ReadFull(&d.call, a.g, key, p, off)
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

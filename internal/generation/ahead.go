package generation

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"vzip/internal/checksum"
	"vzip/zipgen"
)

// aheadParts is how many parts are kept for a reader, aheadBlocks how far ahead blocks of
// deflated data are begun: each keeps a core busy, and others have to be there when cores
// are done with theirs.
var (
	aheadBlocks = 2*deflateCores + 2
	aheadParts  = max(12, aheadBlocks)
)

const (
	// aheadPart is the size of a part, in bytes: one that the processor's cache still
	// has when it is handed on.
	aheadPart = 256 << 10
	// aheadLeast is the size of the first part.
	aheadLeast = checksum.BlockLen
	// aheadBeyond is how far parts reach beyond the reader.
	aheadBeyond = 1 << 20
)

// aheadMost bounds the memory of all readers' parts, in bytes.
var aheadMost = int64(aheadParts+4) << maxBits

var aheadBytes atomic.Int64

// readAhead reads what a sequential reader will ask for, in parts that end where
// blocks do, so that each block is read and checked once. Where the reader's own
// reads begin and end does not matter.
type readAhead struct {
	end   int64 // how far it goes; 0: to the archive's end
	mu    sync.Mutex
	next  int64  // where a sequential reader goes on
	row   int    // sequential reads so far
	parts []part // one behind the other
	ended bool
}

// part is a read that has begun.
type part struct {
	*Data
	ready   bool
	claimed bool // somebody waits for it
}

func (p part) until() int64 { return p.off + int64(p.want) }

// read returns the n bytes from off on, or nothing where they have not been read ahead.
func (r *readAhead) read(ctx context.Context, a *Archive, off int64, n int) (*Bytes, error) {
	b := newBytes()
	if !r.take(a, off, n, b) {
		b.Release()
		return nil, nil
	}
	for i, d := range b.from {
		if !b.wait[i] {
			continue
		}
		ended, err := d.wait(ctx)
		r.settle(d, err == nil)
		if err == nil {
			continue
		}
		for j, wait := range b.wait[i:] { // nobody else waits for these
			if d := b.from[i+j]; wait {
				r.settle(d, false)
				d.a.g.reader.Abandon(&d.call)
			}
		}
		b.Release()
		if ended {
			return nil, nil // it may have failed some time ago
		}
		return nil, err
	}
	for i, d := range b.from {
		b.parts[i] = d.buf[max(0, off-d.off):min(int64(d.n), off+int64(n)-d.off)]
	}
	return b, nil
}

// take finds the parts that hold the n bytes from off on, if the reader is a sequential
// one, and begins those after them.
func (r *readAhead) take(a *Archive, off int64, n int, b *Bytes) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	if off != r.next {
		r.drop(len(r.parts))
		r.row = 0
	}
	r.row++
	r.next = off + int64(n)
	done := 0
	for done < len(r.parts) && r.parts[done].until() <= off {
		done++
	}
	r.drop(done)
	if r.row < 2 {
		return false
	}
	at := off
	if len(r.parts) > 0 {
		at = r.parts[len(r.parts)-1].until()
	}
	size := int64(min(max(aheadLeast, n<<min(r.row, 8)), aheadPart))
	beyond := min(aheadBeyond, 4*size)
	if len(a.packs.entries) > 0 {
		beyond = int64(aheadBlocks) << maxBits
	}
	if aheadBytes.Load()+r.next-at > aheadMost {
		return false
	}
	stop := a.Size()
	if r.end > 0 {
		stop = r.end
	}
	for len(r.parts) < aheadParts && at < min(r.next+beyond, stop) && aheadBytes.Load() < aheadMost {
		end := min(a.cut(at, size), stop)
		d := a.start(context.Background(), at, int(end-at))
		aheadBytes.Add(int64(len(d.buf)))
		r.parts = append(r.parts, part{Data: d})
		at = end
	}
	if at < r.next {
		return false
	}
	for i := range r.parts {
		p := &r.parts[i]
		switch {
		case p.off >= r.next:
			return true
		case p.claimed:
			for _, d := range b.from { // it waits for others, too
				r.unclaim(d)
			}
			return false
		}
		p.claimed = !p.ready
		p.users.Add(1)
		b.add(p.Data, p.claimed)
	}
	return true
}

func (r *readAhead) unclaim(d *Data) {
	for i := range r.parts {
		if r.parts[i].Data == d {
			r.parts[i].claimed = false
		}
	}
}

// settle ends the wait for a part. One that failed, and those beside it, are begun
// anew when they are asked for.
func (r *readAhead) settle(d *Data, ready bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.parts {
		if p := &r.parts[i]; p.Data == d {
			p.claimed, p.ready = false, ready
			if !ready {
				r.drop(len(r.parts))
			}
			return
		}
	}
}

// cut returns where a part from off on ends that is of about that size: at the end of
// a block, or of what stands before an entry's header. One that begins in deflated data
// is all of a block.
func (a *Archive) cut(off, size int64) int64 {
	if _, end, ok := a.deflatedBlock(off); ok {
		return min(end, off+1<<maxBits)
	}
	end := min(off+size, a.Size())
	if end == a.Size() {
		return end
	}
	x := a.Extent(end)
	at := end
	switch x.Kind {
	case zipgen.Data:
		if start, _, ok := a.deflatedBlock(end); ok {
			at = start
		} else {
			at = end - (end-x.Offset)%checksum.BlockLen
		}
	case zipgen.LocalHeader:
		at = x.Offset
	}
	if at <= off {
		return end
	}
	return at
}

// drop gives up the first n parts.
func (r *readAhead) drop(n int) {
	if n == 0 {
		return
	}
	for _, p := range r.parts[:n] {
		aheadBytes.Add(-int64(len(p.buf)))
		if p.ready || p.claimed {
			p.Release()
		} else {
			p.drop()
		}
	}
	r.parts = slices.Delete(r.parts, 0, n)
}

func (r *readAhead) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(len(r.parts))
	r.ended = true
}

// until bounds how far is read ahead.
func (r *readAhead) until(end int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end = end
}

package generation

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/crc32"

	"vzip/internal/checksum"
	"vzip/internal/seeded"
	"vzip/internal/source"
)

// A source drifted when it is not what was hashed: its mode was changed, it got
// another name, or it has other bytes. Which it is, reading it all again tells.

// state is what is known of a source that drifted.
type state uint8

const (
	looking state = iota // it is being read again, or about to be
	equal                // it has the bytes that were hashed
	changed              // it has other bytes
)

type drift struct {
	state
	is     source.Identity // when it was found so
	since  time.Time
	queued bool // to be looked at, until that has ended
}

// drifts are the sources that are not what was hashed.
type drifts struct {
	count atomic.Int32 // of them, so that nobody takes the lock for nothing
	mu    sync.Mutex
	by    map[uint64]*drift // by key
	queue []uint64
	busy  bool // somebody works on the queue
}

// Known implements [verified.Sources].
func (g *Generation) Known(key uint64, is source.Identity) bool {
	a, i := g.at(key)
	if is == a.Identity(i) {
		return true
	}
	if g.drifts.count.Load() == 0 {
		return false
	}
	g.drifts.mu.Lock()
	defer g.drifts.mu.Unlock()
	d := g.drifts.by[key]
	return d != nil && d.state == equal && d.is == is
}

// refuse fails the read of a source that has other bytes.
func (g *Generation) refuse(key uint64) error {
	d := &g.drifts
	if d.count.Load() == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if x := d.by[key]; x != nil && x.state == changed {
		return g.changedError(key, x.is)
	}
	return nil
}

func (d *drifts) set(key uint64, x *drift) {
	if d.by == nil {
		d.by = map[uint64]*drift{}
	}
	d.by[key] = x
	d.count.Store(int32(len(d.by)))
}

// Drifted implements [verified.Sources].
func (g *Generation) Drifted(key uint64, is source.Identity) error {
	a, i := g.at(key)
	if is.Size != a.EntrySize(i) {
		g.Changed(key, is)
		return g.changedError(key, is)
	}
	d := &g.drifts
	d.mu.Lock()
	defer d.mu.Unlock()
	switch x := d.by[key]; {
	case x != nil && x.state == looking && (x.queued || time.Since(x.since) < recheckEvery), seeded.On("no-drift"):
	case x != nil && x.state == changed && x.is == is:
		return g.changedError(key, is)
	default:
		g.look(key, is)
	}
	return nil
}

func (g *Generation) changedError(key uint64, is source.Identity) error {
	ref, was, _ := g.Source(key)
	what := was.Diff(is)
	if is == (source.Identity{}) {
		what = "it is not there any more"
	}
	return &source.ChangedError{Path: ref.Path(), What: what}
}

// Changed implements [verified.Sources].
func (g *Generation) Changed(key uint64, is source.Identity) {
	d := &g.drifts
	d.mu.Lock()
	defer d.mu.Unlock()
	g.setState(key, changed, is)
}

// setState notes what is known of a source; the lock is held.
func (g *Generation) setState(key uint64, s state, is source.Identity) {
	a, _ := g.at(key)
	was := g.drifts.by[key]
	if was != nil && was.state == changed {
		a.stale.Add(-1)
	}
	if s == changed {
		a.stale.Add(1)
	}
	if a.digest != nil && s != looking && (was == nil || was.state != s || was.is != is) {
		a.digest.sourceChanged()
		if s == equal {
			g.canSum()
		}
	}
	g.drifts.set(key, &drift{state: s, is: is, since: time.Now(), queued: was != nil && was.queued})
}

// look has a source read again in the background; the lock is held.
func (g *Generation) look(key uint64, is source.Identity) {
	d := &g.drifts
	if x := d.by[key]; x == nil || x.state != changed { // a changed one is so until it is found equal
		g.setState(key, looking, is)
	}
	if d.by[key].queued {
		return
	}
	d.by[key].queued = true
	d.queue = append(d.queue, key)
	if !d.busy {
		d.busy = true
		go g.lookAll()
	}
}

// recheckEvery is how often the sources of an archive that can't be opened are
// looked at again.
const recheckEvery = time.Second

// lookAgain looks whether the changed sources of an archive came back.
func (g *Generation) lookAgain(a *Archive) {
	d := &g.drifts
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, x := range d.by {
		if of, _ := g.at(key); of == a && x.state == changed && time.Since(x.since) > recheckEvery {
			x.since = time.Now()
			g.look(key, x.is)
		}
	}
}

func (g *Generation) lookAll() {
	d := &g.drifts
	buf := make([]byte, 8*checksum.BlockLen)
	begin := time.Now()
	for {
		d.mu.Lock()
		if len(d.queue) == 0 || g.ctx.Err() != nil {
			d.queue, d.busy = nil, false
			d.mu.Unlock()
			return
		}
		key := d.queue[0]
		d.queue = d.queue[1:]
		x := *d.by[key]
		d.mu.Unlock()
		g.lookAt(key, x, begin, buf)
	}
}

// lookAt reads a source whole and notes whether it is equal.
func (g *Generation) lookAt(key uint64, x drift, begin time.Time, buf []byte) {
	d := &g.drifts
	defer func() { // nobody should lose a mount to a defect here
		if v := recover(); v != nil {
			g.Changed(key, x.is)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.by[key].queued = false
	}()
	is, same, err := g.compareNow(key, x, begin, buf)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case same:
		g.setState(key, equal, is)
		g.reader.Reopen(g, key)
		g.mu.Lock()
		delete(g.reported, key)
		g.mu.Unlock()
	// A later read has it looked at again. That it can't be read now, readers find
	// out themselves.
	case err != nil && !errors.As(err, new(*source.ChangedError)):
		d.by[key].since = time.Now()
	case x.state == changed:
		d.by[key].is = is
	default:
		g.setState(key, changed, is)
		defer g.reportOnce(key, g.changedError(key, is))
	}
}

var (
	errStill = errors.New("it is as it was found")
	errMoves = errors.New("it goes on changing")
)

// compareNow tells whether the file that is at a source's path now has the bytes
// that were hashed, and what it is. As when it was hashed, its times must have rested
// before it is read: else a change that follows could leave them as they are.
func (g *Generation) compareNow(key uint64, x drift, begin time.Time, buf []byte) (is source.Identity, same bool, err error) {
	ref, was, _ := g.Source(key)
	if a, i := g.at(key); !a.known.get(i) {
		return g.hashAgain(key, ref, was)
	}
	f, is, err := source.OpenNow(ref)
	if err != nil {
		return is, false, err
	}
	defer f.Close()
	if x.state == changed && is == x.is {
		return is, false, errStill
	}
	if is.Size != was.Size {
		return is, false, nil
	}
	if settle(g.ctx, is, f.Kind, begin) != nil {
		return is, false, errMoves
	}
	atRest := f.Busy() == nil
	if !atRest && g.reader.StatOnly { // a writer's mapping need not show in its times
		return is, false, errMoves
	}
	for off := int64(0); off < was.Size; {
		if g.ctx.Err() != nil {
			return is, false, errMoves
		}
		p := buf[:min(int64(len(buf)), was.Size-off)]
		if err := f.ReadFull(p, off); err != nil {
			return is, false, err
		}
		for len(p) > 0 {
			q := p[:min(len(p), checksum.BlockLen)]
			want, err := g.BlockCRC(key, int(off/checksum.BlockLen))
			if err != nil || crc32.ChecksumIEEE(q) != want {
				return is, false, err
			}
			p, off = p[len(q):], off+int64(len(q))
		}
	}
	if now, err := f.Identity(); err != nil || now != is {
		return is, false, errMoves
	}
	if a, _ := g.at(key); g.cache != nil && !a.Frozen() && atRest && is.Ctime < time.Now().UnixNano() {
		g.remember(ref, is, key)
	}
	return is, true, nil
}

// remember notes the sum of a source under what it is now.
func (g *Generation) remember(ref source.Ref, is source.Identity, key uint64) {
	sum := checksum.Sum{}
	a, i := g.at(key)
	sum.CRC32 = a.crcs[i]
	if n := checksum.Blocks(is.Size); n > 1 {
		sum.Blocks = make([]uint32, n)
		for b := range sum.Blocks {
			sum.Blocks[b], _ = g.BlockCRC(key, b)
		}
	}
	sum.Packed = a.packs.blocks(i)
	// A cache that fails has been told of, or is when it is used next.
	_ = g.cache.Add(recordOf(ref.Path(), is, sum, a.Packing(i)))
	_ = g.cache.Flush()
}

package verified

import (
	"sync"

	"vzip/internal/checksum"
)

// keep is how many verified blocks are kept for reads that take a part of one.
const keep = 64

// place is a block of a source.
type place struct {
	x   Sources
	key uint64
	n   int
}

// block is a block's bytes, or where they will be.
type block struct {
	place
	data       []byte
	err        error
	users      int
	ready      bool
	wait       chan struct{} // closed when it is ready; made by the first who waits
	prev, next *block        // in the ring of blocks that nobody uses
}

// blocks keeps blocks that were verified: neighbouring reads share the block on
// their border, small reads that of the read before. Their bytes stay right
// whatever becomes of the source.
type blocks struct {
	mu    sync.Mutex
	all   map[place]*block
	idle  block // ring, the longest idle first
	idles int
	free  []*block
}

func (c *blocks) init() {
	c.all = map[place]*block{}
	c.idle.prev, c.idle.next = &c.idle, &c.idle
}

// acquire returns the block at a place for use. Where load is true the caller has
// to fill its data and to call loaded; otherwise it may still be loading.
func (c *blocks) acquire(at place, size int) (b *block, load bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b = c.all[at]; b != nil {
		if b.users++; b.users == 1 {
			c.unlink(b)
		}
		return b, false
	}
	switch {
	case len(c.free) > 0:
		b = c.free[len(c.free)-1]
		c.free = c.free[:len(c.free)-1]
	case c.idles >= keep:
		b = c.idle.next
		c.unlink(b)
		delete(c.all, b.place)
	default:
		b = &block{data: make([]byte, checksum.BlockLen)}
	}
	*b = block{place: at, data: b.data[:size], users: 1}
	c.all[at] = b
	return b, true
}

func (c *blocks) unlink(b *block) {
	b.prev.next, b.next.prev = b.next, b.prev
	b.prev, b.next = nil, nil
	c.idles--
}

// loaded tells those who wait how loading ended. A failed block is not kept.
func (c *blocks) loaded(b *block, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.ready, b.err = true, err
	if err != nil && c.all[b.place] == b {
		delete(c.all, b.place)
	}
	if b.wait != nil {
		close(b.wait)
	}
}

// ready returns whether b is loaded, and if not what to wait for.
func (c *blocks) ready(b *block) (bool, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !b.ready && b.wait == nil {
		b.wait = make(chan struct{})
	}
	return b.ready, b.wait
}

func (c *blocks) release(b *block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.users--; b.users > 0 {
		return
	}
	if c.all[b.place] != b { // failed, or forgotten
		c.recycle(b)
		return
	}
	last := c.idle.prev
	b.prev, b.next = last, &c.idle
	last.next, c.idle.prev = b, b
	if c.idles++; c.idles > keep {
		b = c.idle.next
		c.unlink(b)
		delete(c.all, b.place)
		c.recycle(b)
	}
}

func (c *blocks) recycle(b *block) {
	if len(c.free) < keep/4 {
		b.data = b.data[:cap(b.data)]
		b.place = place{}
		c.free = append(c.free, b)
	}
}

// forget drops the blocks of sources that will not be read again.
func (c *blocks) forget(x Sources) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at, b := range c.all {
		if at.x != x {
			continue
		}
		delete(c.all, at)
		if b.users == 0 {
			c.unlink(b)
			c.recycle(b)
		}
	}
}

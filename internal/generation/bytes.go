package generation

import "sync"

// Bytes are the bytes that a reader of a [Lease] gets.
type Bytes struct {
	parts [][]byte
	from  []*Data
	wait  []bool // for it to be read
}

var allBytes = sync.Pool{New: func() any { return new(Bytes) }}

func newBytes() *Bytes { return allBytes.Get().(*Bytes) }

// bytesOf takes over the use of a read that has ended.
func bytesOf(d *Data) *Bytes {
	b := newBytes()
	b.add(d, false)
	b.parts[0] = d.Bytes()
	return b
}

// add takes over a use of a part, whose bytes the caller enters.
func (b *Bytes) add(d *Data, wait bool) {
	b.parts, b.from, b.wait = append(b.parts, nil), append(b.from, d), append(b.wait, wait)
}

// Slices are the bytes, in order.
func (b *Bytes) Slices() [][]byte { return b.parts }

// Len is how many bytes there are.
func (b *Bytes) Len() (n int) {
	for _, p := range b.Slices() {
		n += len(p)
	}
	return n
}

// Release gives the memory back. Slices must not be used after it.
func (b *Bytes) Release() {
	for _, d := range b.from {
		d.Release()
	}
	clear(b.parts)
	clear(b.from)
	b.parts, b.from, b.wait = b.parts[:0], b.from[:0], b.wait[:0]
	allBytes.Put(b)
}

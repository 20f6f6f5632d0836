package generation

import "sync"

// Bytes are the bytes that a reader of a [Lease] gets.
type Bytes struct {
	parts [aheadParts][]byte
	from  [aheadParts]*Data
	wait  [aheadParts]bool // for it to be read
	n     int
}

var allBytes = sync.Pool{New: func() any { return new(Bytes) }}

func newBytes() *Bytes { return allBytes.Get().(*Bytes) }

// bytesOf takes over the use of a read that has ended.
func bytesOf(d *Data) *Bytes {
	b := newBytes()
	b.from[0], b.parts[0], b.n = d, d.Bytes(), 1
	return b
}

// add adds a use of a part.
func (b *Bytes) add(d *Data, wait bool) {
	d.users.Add(1)
	b.from[b.n], b.wait[b.n] = d, wait
	b.n++
}

// Slices are the bytes, in order.
func (b *Bytes) Slices() [][]byte { return b.parts[:b.n] }

// Len is how many bytes there are.
func (b *Bytes) Len() (n int) {
	for _, p := range b.Slices() {
		n += len(p)
	}
	return n
}

// Release gives the memory back. Slices must not be used after it.
func (b *Bytes) Release() {
	for _, d := range b.from[:b.n] {
		d.Release()
	}
	*b = Bytes{}
	allBytes.Put(b)
}

package generation

import (
	"math/bits"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Buffers are of sizes that are powers of two, from 4 KiB to 1 MiB, the largest read
// that a mount asks for.
const minBits, maxBits = 12, 20

// buffers keeps what was released, up to a limit: unlike in a sync.Pool what a burst
// of reads needed does not stay.
type buffers struct {
	mu    sync.Mutex
	free  [maxBits - minBits + 1][]*Data
	bytes int
	pages hugePages
}

// maxSpare is how much released memory is kept, in bytes, beside huge pages.
const maxSpare = 8 << 20

var spare buffers

func class(n int) int { return max(bits.Len(uint(max(n, 1)-1)), minBits) - minBits }

func (b *buffers) get(n int) *Data {
	c := class(n)
	if c >= len(b.free) {
		return newData(make([]byte, n), false)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if last := len(b.free[c]) - 1; last >= 0 {
		d := b.free[c][last]
		b.free[c][last] = nil
		b.free[c] = b.free[c][:last]
		if !d.huge {
			b.bytes -= len(d.buf)
		}
		return d
	}
	size := 1 << (c + minBits)
	if p := b.pages.cut(size); p != nil {
		return newData(p, true)
	}
	return newData(make([]byte, size), false)
}

func newData(buf []byte, huge bool) *Data {
	return &Data{buf: buf, huge: huge, done: make(chan struct{}, 1)}
}

func (b *buffers) put(d *Data) {
	c := class(len(d.buf))
	d.a, d.text = nil, nil
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case d.huge:
	case c < len(b.free) && b.bytes+len(d.buf) <= maxSpare:
		b.bytes += len(d.buf)
	default:
		return
	}
	b.free[c] = append(b.free[c], d)
}

// hugePages is memory for large buffers that the kernel copies from and to with less
// work, where it has such pages. It is never given back.
type hugePages struct {
	left  []byte
	taken int
}

const (
	// hugePage is the size of a huge page, in bytes.
	hugePage = 2 << 20
	// maxHuge bounds them, in bytes.
	maxHuge = 12 << 20
	// leastHuge is the smallest buffer that gets a part of one.
	leastHuge = 128 << 10
)

// cut returns size bytes, or nothing where it has no more.
func (h *hugePages) cut(size int) []byte {
	if size < leastHuge {
		return nil
	}
	if len(h.left) < size {
		if h.taken >= maxHuge {
			return nil
		}
		m, err := unix.Mmap(-1, 0, 2*hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return nil
		}
		h.taken += hugePage
		start := int(-uintptr(unsafe.Pointer(&m[0])) & (hugePage - 1)) // the rest is never touched
		h.left = m[start:][:hugePage]
		_ = unix.Madvise(h.left, unix.MADV_HUGEPAGE) // for speed alone
	}
	p := h.left[:size:size]
	h.left = h.left[size:]
	return p
}

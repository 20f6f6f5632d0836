package layout

import (
	"math/bits"
	"sort"

	"vzip/internal/checksum"
)

// leastHole is the least that holes save that count, in bytes: one of a whole block.
const leastHole = checksum.BlockLen

// Sparse returns the entries, in order, whose source files may have holes: they took
// less room than they have bytes when they were scanned. On file systems that compress
// that can be all of the large ones. The list is the plan's own.
func (p *Plan) Sparse() []uint32 { return p.sparse }

// FirstSparse returns the place in Sparse of the first entry whose data ends after byte
// off of the archive.
func (p *Plan) FirstSparse(off int64) int {
	return sort.Search(len(p.sparse), func(n int) bool {
		i := int(p.sparse[n])
		return p.DataOffset(i)+p.EntrySize(i) > off
	})
}

// Holes returns how many of the n bytes of the archive from off on take no room, as
// st_blocks of the sources has it. Of an entry that is in the range in part its share
// counts, wherever its holes are.
func (p *Plan) Holes(off, n int64) (saved int64) {
	for k := p.FirstSparse(off); k < len(p.sparse); k++ {
		i := int(p.sparse[k])
		start, size := p.DataOffset(i), p.EntrySize(i)
		if start >= off+n {
			break
		}
		part := min(start+size, off+n) - max(start, off)
		high, low := bits.Mul64(p.saved.At(k), uint64(part))
		share, _ := bits.Div64(high, low, uint64(size))
		saved += int64(share)
	}
	return saved
}

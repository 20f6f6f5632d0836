package rig

import "math/rand/v2"

// maxRead is the longest read that Draw asks for, in bytes: more than a FUSE
// request holds.
const maxRead = 2 << 20

// Draw returns a random range to read: mostly near where something begins or ends,
// sometimes past the end.
func (o *Oracle) Draw(rnd *rand.Rand, most int) (off int64, n int) {
	size := o.Size()
	switch rnd.IntN(8) {
	case 0, 1:
		off = rnd.Int64N(size)
	case 2: // a page's edge
		off = rnd.Int64N(size/pageLen+1)*pageLen + rnd.Int64N(3) - 1
	case 3: // the end
		off = size - rnd.Int64N(1000)
	default:
		off = o.points[rnd.IntN(len(o.points))]
		if rnd.IntN(3) > 0 {
			off += rnd.Int64N(41) - 20
		}
	}
	switch rnd.IntN(16) {
	case 0:
		n = most
	case 1, 2:
		n = BlockLen + rnd.IntN(BlockLen)
	case 3, 4, 5:
		n = 1 + rnd.IntN(16*pageLen)
	case 6, 7: // whole pages
		off, n = off&^(pageLen-1), pageLen*(1+rnd.IntN(8))
	default:
		n = 1 + rnd.IntN(300)
	}
	if rnd.IntN(4) == 0 {
		off -= int64(n) // up to the point
	}
	return max(off, 0), min(n, most)
}

package generation

import (
	"math/bits"
	"sync/atomic"
)

// flags are yes or no that are only ever set, one an entry. Who finds one set sees all
// that was written before it was.
type flags []atomic.Uint64

func newFlags(n int) flags { return make(flags, (n+63)/64) }

func (f flags) get(i int) bool { return f[i/64].Load()>>(i%64)&1 != 0 }

func (f flags) set(i int) { f[i/64].Or(1 << (i % 64)) }

// clear returns the first flag from i on, of n, that is not set; n if there is none.
func (f flags) clear(i, n int) int {
	for i < n {
		if free := bits.TrailingZeros64(^f[i/64].Load() >> (i % 64)); free < 64-i%64 {
			return min(i+free, n)
		}
		i += 64 - i%64
	}
	return n
}

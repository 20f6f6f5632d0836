package generation

import (
	"encoding/binary"
	"iter"
	"math/bits"

	"vzip/internal/crccache"
)

// wanted finds numbers by key; several may have the same one. Keys are halves of
// hashes, so their first bits put about one into each bucket.
type wanted struct {
	keys    []crccache.Key
	numbers []uint32
	order   []uint32 // indexes into both, by bucket
	start   []uint32 // of each bucket in order
	shift   int      // what of a key's first 64 bits does not count for its bucket
}

func newWanted(n int) *wanted {
	return &wanted{keys: make([]crccache.Key, 0, n), numbers: make([]uint32, 0, n)}
}

func (w *wanted) add(k crccache.Key, number uint32) {
	w.keys, w.numbers = append(w.keys, k), append(w.numbers, number)
}

// index is called after the last add and before the first find.
func (w *wanted) index() {
	size := bits.Len(uint(len(w.keys)))
	w.shift = 64 - size
	w.start = make([]uint32, 1<<size+1)
	w.order = make([]uint32, len(w.keys))
	for i := range w.keys {
		w.start[w.bucket(&w.keys[i])]++
	}
	sum := uint32(0)
	for i, n := range w.start {
		sum += n
		w.start[i] = sum // the end, until the keys are put before it
	}
	for i := len(w.keys) - 1; i >= 0; i-- { // those of one bucket keep their order
		at := &w.start[w.bucket(&w.keys[i])]
		*at--
		w.order[*at] = uint32(i)
	}
}

func (w *wanted) bucket(k *crccache.Key) uint64 { return binary.BigEndian.Uint64(k[:]) >> w.shift }

// find yields the numbers of a key.
func (w *wanted) find(k *crccache.Key) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		b := w.bucket(k)
		for _, i := range w.order[w.start[b]:w.start[b+1]] {
			if w.keys[i] == *k && !yield(w.numbers[i]) {
				return
			}
		}
	}
}

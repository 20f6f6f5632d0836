package zipgen

import (
	"encoding/binary"
	"math"
)

// runLen is how many numbers, or names, are packed together.
const runLen = 4096

// Column is a list of numbers, one for each entry, as an [Archive] keeps its own:
// callers can keep theirs beside it. A run of 4,096 numbers is packed as what they
// differ from a straight line, in as many bytes each as the largest difference
// takes: 0 where all are equal or equally far apart, 8 at most. Numbers are bare
// 64-bit words, and all arithmetic wraps.
//
// Numbers are added, then the column is sealed, then they are read, by any number
// of goroutines.
type Column struct {
	runs []run
	open []uint64 // not packed yet
}

// run is a run of packed numbers: number i is base + slope*i + what data has for it.
type run struct {
	base, slope uint64
	width       int // bytes a number in data
	data        []byte
}

// Add appends a number.
func (c *Column) Add(v uint64) {
	if len(c.open) == runLen {
		c.pack()
	}
	c.open = append(c.open, v)
}

// Seal ends adding.
func (c *Column) Seal() {
	if len(c.open) > 0 {
		c.pack()
	}
	c.open = nil
}

func (c *Column) pack() {
	v := c.open
	r := flat(v, 0)
	if n := len(v) - 1; n > 1 && r.width > 0 {
		if line := flat(v, uint64(int64(v[n]-v[0])/int64(n))); line.width < r.width {
			r = line
		}
	}
	r.data = make([]byte, r.width*len(v))
	var word [8]byte
	for i, v := range v {
		binary.LittleEndian.PutUint64(word[:], v-r.base-r.slope*uint64(i))
		copy(r.data[i*r.width:], word[:r.width])
	}
	c.runs = append(c.runs, r)
	c.open = c.open[:0]
}

// flat returns the run for a slope, without data.
func flat(v []uint64, slope uint64) run {
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for i, v := range v {
		d := int64(v - slope*uint64(i))
		least, most = min(least, d), max(most, d)
	}
	r := run{base: uint64(least), slope: slope}
	for spread := uint64(most) - uint64(least); spread > 0; spread >>= 8 {
		r.width++
	}
	return r
}

// At returns number i.
func (c *Column) At(i int) uint64 { return c.runs[i/runLen].at(i % runLen) }

func (r *run) at(i int) uint64 {
	v := r.base + r.slope*uint64(i)
	end := (i + 1) * r.width
	if end >= 8 {
		// The word that ends where the number does: its highest bytes are the number's.
		return v + binary.LittleEndian.Uint64(r.data[end-8:])>>(64-8*r.width)
	}
	for shift := 0; shift < r.width; shift++ {
		v += uint64(r.data[i*r.width+shift]) << (8 * shift)
	}
	return v
}

// last returns the index of the last number that is at most v, of a column that
// ascends, in O(log n); -1 where there is none.
func (c *Column) last(v uint64, count int) int {
	// The first numbers of the runs lie far apart: find the run, then look inside.
	low, high := 0, len(c.runs)
	for low < high {
		if mid := (low + high) / 2; c.runs[mid].at(0) <= v {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 {
		return -1
	}
	k := low - 1
	r := &c.runs[k]
	low, high = 1, min(runLen, count-k*runLen)
	for low < high {
		if mid := (low + high) / 2; r.at(mid) <= v {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return k*runLen + low - 1
}

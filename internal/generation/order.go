package generation

import (
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// order decides which file is hashed next when nobody waits for one: from where
// somebody reads onward, in the order of the archives; and not so far ahead of a
// reader that what was read for its CRC is no longer in the kernel's memory when the
// reader comes there. It is used under hashing's lock.
type order struct {
	g      *Generation
	window int64   // in bytes of archives
	base   []int64 // of each archive: how many bytes those before it have; and of all

	from, next uint64 // keys: where the present run began, and where it goes on
	wrapped    bool   // it has come to the end of all since a file was found last
}

// minWindow is the least that hashing may be ahead of a reader, in bytes.
const minWindow = 256 << 20

func newOrder(g *Generation) order {
	o := order{g: g, window: max(minWindow, memory()/4), base: []int64{0}}
	for i, archive := range g.Archives {
		o.base = append(o.base, o.base[i]+archive.Size())
	}
	return o
}

// memory returns how many bytes the kernel can use for what was read.
func memory() int64 {
	available := int64(0)
	text, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemAvailable:" {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			available = kib << 10
		}
	}
	if limit, err := memlimit.FromCgroup(); err == nil && limit < math.MaxInt64 {
		available = min(available, int64(limit))
	}
	return available
}

// pick returns the next file whose CRC is not known and that can be taken. far tells
// that there is one, but too far ahead of who reads at the key at.
func (o *order) pick(at uint64, reading bool, free func(key uint64) bool) (key uint64, ok, far bool) {
	if reading && (at < o.from || at > o.next) {
		o.from, o.next, o.wrapped = at, at, false
	}
	for {
		n, e := int(o.next>>entryBits), int(o.next&(1<<entryBits-1))
		if n >= len(o.g.Archives) {
			if o.wrapped {
				o.wrapped = false
				return 0, false, false
			}
			o.from, o.next, o.wrapped = 0, 0, true
			continue
		}
		archive := o.g.Archives[n]
		if e = archive.known.clear(e, archive.Len()); e >= archive.Len() {
			o.next = uint64(n+1) << entryBits
			continue
		}
		key = archive.key(e)
		o.next = key
		if !free(key) {
			o.next = key + 1
			continue
		}
		if reading && o.distance(at, key) > o.window {
			return 0, false, true
		}
		o.next, o.wrapped = key+1, false
		return key, true, false
	}
}

// distance is how far a key is ahead of another one, in bytes. What follows the end
// of all is the beginning.
func (o *order) distance(from, to uint64) int64 {
	d := o.offset(to) - o.offset(from)
	if d < 0 {
		d += o.base[len(o.base)-1]
	}
	return d
}

func (o *order) offset(key uint64) int64 {
	archive, i := o.g.at(key)
	return o.base[archive.index] + archive.HeaderOffset(i)
}

// readFor is how long after a read somebody counts as reading.
const readFor = time.Second

package generation

import (
	"context"
	"encoding/binary"
	"hash"
	"math"
	"runtime"
	"sort"

	"vzip/internal/checksum"
	"vzip/internal/deflate"
	"vzip/internal/spool"
	"vzip/internal/verified"
	"vzip/zipgen"
)

// packs is what an archive keeps of its entries that are deflated.
type packs struct {
	entries []uint32 // in order; nil before Pack
	first   []uint32 // number of each one's first block
	// ends are how many bytes all blocks have up to each one's end, crcs their CRC-32s.
	ends  []int64
	crcs  []uint32
	saved int64 // bytes that the entries take less than inflated
}

// find returns the place of entry i in entries, if it is deflated.
func (p *packs) find(i int) (at int, ok bool) {
	if len(p.entries) == 0 {
		return 0, false
	}
	at = sort.Search(len(p.entries), func(n int) bool { return int(p.entries[n]) >= i })
	return at, at < len(p.entries) && int(p.entries[at]) == i
}

// base returns how many bytes the blocks before block n have.
func (p *packs) base(n int) int64 {
	if n == 0 {
		return 0
	}
	return p.ends[n-1]
}

// block returns block n.
func (p *packs) block(n int) checksum.Packed {
	return checksum.Packed{Len: uint32(p.ends[n] - p.base(n)), CRC32: p.crcs[n]}
}

// last returns the number of the block behind those of the entry at a place.
func (p *packs) last(at int) int {
	if at+1 < len(p.first) {
		return int(p.first[at+1])
	}
	return len(p.ends)
}

// blocks returns what entry i was deflated to; nil if it is not.
func (p *packs) blocks(i int) (list []checksum.Packed) {
	if at, ok := p.find(i); ok {
		for n := int(p.first[at]); n < p.last(at); n++ {
			list = append(list, p.block(n))
		}
	}
	return list
}

func (p *packs) add(i int, blocks []checksum.Packed) {
	p.entries, p.first = append(p.entries, uint32(i)), append(p.first, uint32(len(p.ends)))
	for _, b := range blocks {
		p.ends = append(p.ends, p.base(len(p.ends))+int64(b.Len))
		p.crcs = append(p.crcs, b.CRC32)
	}
}

// Packed tells whether the archive's size, and where its entries are, are known: where
// files are deflated not before Pack.
func (a *Archive) Packed() bool { return !a.Packs() || a.packs.entries != nil }

// DataSize returns how many bytes the data of all entries has, inflated and as it is in the
// archive. The latter is right once the archive is Packed.
func (a *Archive) DataSize() (inflated, stored int64) { return a.data, a.data - a.packs.saved }

// Percent returns what part of whole is; of nothing it is all.
func Percent(part, whole int64) int {
	if whole == 0 {
		return 100
	}
	return int(math.Round(float64(part) / float64(whole) * 100))
}

// Pack lays the archives out for what their files are deflated to, as far as that is known
// of all of them. A *layout.Problems error tells what does not go with that.
func (g *Generation) Pack() error {
	if g.packed == nil {
		return nil
	}
	groups := make([][]uint32, len(g.Archives)) // of entries
	for i, a := range g.Archives {
		if a.Packs() {
			groups[i] = make([]uint32, a.Len())
		}
	}
	for group, blocks := range g.packed {
		for _, f := range g.members(group) {
			if blocks != nil && groups[f.archive] != nil {
				groups[f.archive][f.entry] = uint32(group) + 1
			}
		}
	}
	all := true
	for i, a := range g.Archives {
		if !a.Packs() {
			continue
		}
		if !a.allKnown() {
			all = false
			continue
		}
		p := packs{entries: []uint32{}}
		plan, err := a.Plan.Deflated(func(entry int) int64 {
			group := groups[i][entry]
			if group == 0 {
				return 0
			}
			blocks := g.packed[group-1]
			p.add(entry, blocks)
			n := checksum.PackedLen(blocks)
			p.saved += a.EntrySize(entry) - n
			return n
		})
		if err != nil {
			return err
		}
		a.Plan, a.packs = plan, p
		if dir, size := plan.Spool(); dir != "" && len(p.entries) > 0 {
			a.spool = spool.New(dir, size, func(err error) { g.reportFailure(a.failed(err)) })
		}
	}
	if all {
		g.packed = nil // the archives have it
	}
	return nil
}

// deflatedBlock returns where in the archive the block starts and ends that byte off is of,
// if it is of deflated data.
func (a *Archive) deflatedBlock(off int64) (start, end int64, ok bool) {
	if len(a.packs.entries) == 0 {
		return 0, 0, false
	}
	x := a.Extent(off)
	at, ok := a.packs.find(x.Entry)
	if !ok || x.Kind != zipgen.Data {
		return 0, 0, false
	}
	n := a.packs.at(at, off-x.Offset)
	from := x.Offset - a.packs.base(int(a.packs.first[at]))
	return from + a.packs.base(n), from + a.packs.ends[n], true
}

// at returns the number of the block that has byte off of the deflated data of the entry at
// a place.
func (p *packs) at(at int, off int64) int {
	first := int(p.first[at])
	off += p.base(first)
	return first + sort.Search(p.last(at)-first, func(n int) bool { return p.ends[first+n] > off })
}

// deflateCores is how many blocks of one read are made at a time: one can be read while
// another is deflated.
var deflateCores = max(runtime.GOMAXPROCS(0), 2)

// readDeflated fills p with the deflated data of entry i, which is at a place in a.packs,
// from off on.
func (d *Data) readDeflated(i, at int, p []byte, off int64) error {
	a, key := d.a, d.a.key(i)
	if err := a.g.refuse(key); err != nil {
		return d.failed(key, err)
	}
	first, level := int(a.packs.first[at]), a.Packing(i).Level()
	n, last := a.packs.at(at, off), a.packs.at(at, off+int64(len(p))-1)
	off += a.packs.base(first)
	// The blocks of one read are made at the same time: those that follow by reads of a byte.
	var beside []*Data
	defer func() {
		for _, x := range beside {
			x.drop()
		}
	}()
	data, next := int64(0), n+1
	if n < last {
		data = a.DataOffset(i) - a.packs.base(first)
	}
	for block := n; len(p) > 0; block++ {
		for ; next <= min(last, block+deflateCores-1); next++ {
			beside = append(beside, a.start(context.Background(), data+a.packs.base(next), 1))
		}
		q := p[:min(int64(len(p)), a.packs.ends[block]-off)]
		b := verified.Deflated{
			Block: block - first, Level: level, Packed: a.packs.block(block),
			Spool: a.spool, Key: spool.Key{Entry: i, Block: block - first},
		}
		if err := a.g.reader.ReadDeflated(&d.call, a.g, key, b, q, off-a.packs.base(block)); err != nil {
			return d.failed(key, err)
		}
		p, off = p[len(q):], off+int64(len(q))
		if block > n {
			beside[0].end()
			beside = beside[1:]
		}
	}
	return nil
}

// hashPacks adds what tells deflated data apart beyond sizes and CRC-32s of what it is made
// of: how it was made, and its own.
func (a *Archive) hashPacks(h hash.Hash) {
	if len(a.packs.entries) == 0 {
		return
	}
	b := binary.LittleEndian.AppendUint32([]byte("deflate\x00"), deflate.Version)
	h.Write(b)
	for at, i := range a.packs.entries {
		b = append(b[:0], byte(a.Packing(int(i)).Level()))
		for n := int(a.packs.first[at]); n < a.packs.last(at); n++ {
			b = binary.LittleEndian.AppendUint64(b, uint64(a.packs.ends[n]))
			b = binary.LittleEndian.AppendUint32(b, a.packs.crcs[n])
			h.Write(b)
			b = b[:0]
		}
	}
}

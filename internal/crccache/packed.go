package crccache

import (
	"fmt"
	"slices"

	"vzip/internal/checksum"
	"vzip/internal/deflate"
	"vzip/internal/seeded"
)

// PackedKey returns the key of a file's record where it is deflated at a level, or auto
// has decided whether it is. Records of other versions of package deflate are never found.
func PackedKey(path string, level int, auto bool) Key {
	return packedKey(deflate.Version, path, level, auto)
}

func packedKey(version int, path string, level int, auto bool) Key {
	if seeded.On("deflate-version") {
		version = 0
	}
	// Files' paths start with a slash.
	return KeyOf(fmt.Sprintf("deflate %d %d %t\x00%s", version, level, auto, path))
}

// A file that is deflated, or that auto has decided not to deflate, has a record that says
// so, under a key of its own. It has the form of one for a file with that many blocks, and
// these numbers in place of their CRC-32s:
//
//	number  what
//	     0  low half of the file's size
//	     1  high half of it
//	     2  CRC-32 of the file
//	     3  blocks that it was deflated to; 0: it is stored
//	     4  CRC-32 of each block of checksum.BlockLen, if there are several
//	        compressed size and CRC-32 of each block of deflate.BlockLen
const packedHead = 4

// Pack returns the record that has all of r under another key.
func (r Record) Pack(key Key) Record {
	v := make([]uint32, 0, packedHead+len(r.Blocks)+2*len(r.Packed))
	v = append(v, uint32(r.Size), uint32(r.Size>>32), r.CRC32, uint32(len(r.Packed)))
	v = append(v, r.Blocks...)
	for _, b := range r.Packed {
		v = append(v, b.Len, b.CRC32)
	}
	p := Record{Key: key, Identity: r.Identity}
	p.Size = int64(len(v)) * checksum.BlockLen
	p.Sum = checksum.Sum{CRC32: checksum.Join(v, p.Size), Blocks: v}
	return p
}

// Unpack returns what Pack was given. Nothing of r is kept.
func (r Record) Unpack() (Record, bool) {
	v := r.Blocks
	if len(v) < packedHead {
		return Record{}, false
	}
	r.Size = int64(uint64(v[1])<<32 | uint64(v[0]))
	packed := int(v[3])
	r.Sum = checksum.Sum{CRC32: v[2]}
	v = v[packedHead:]
	if r.Size <= 0 || r.Size > checksum.MaxSize || packed != 0 && packed != deflate.Blocks(r.Size) {
		return Record{}, false
	}
	blocks := checksum.Blocks(r.Size)
	if blocks == 1 {
		blocks = 0
	}
	if len(v) != blocks+2*packed {
		return Record{}, false
	}
	if blocks > 0 {
		r.Blocks = slices.Clone(v[:blocks])
	}
	for v = v[blocks:]; len(v) > 0; v = v[2:] {
		if v[0] == 0 || int(v[0]) > deflate.MaxLen(deflate.BlockLen) {
			return Record{}, false
		}
		if r.Packed == nil {
			r.Packed = make([]checksum.Packed, 0, packed)
		}
		r.Packed = append(r.Packed, checksum.Packed{Len: v[0], CRC32: v[1]})
	}
	return r, true
}

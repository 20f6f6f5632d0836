package strictzip

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

const (
	sentinel16 = math.MaxUint16 // the value is in a ZIP64 record (4.4.1.4)
	sentinel32 = math.MaxUint32

	// Compression methods (4.4.5).
	methodStore   = 0
	methodDeflate = 8
)

// numbers takes little-endian numbers (4.4.1.1) off bytes that are long enough.
type numbers []byte

func (n *numbers) u16() uint16 { return binary.LittleEndian.Uint16(n.bytes(2)) }
func (n *numbers) u32() uint32 { return binary.LittleEndian.Uint32(n.bytes(4)) }
func (n *numbers) u64() uint64 { return binary.LittleEndian.Uint64(n.bytes(8)) }

func (n *numbers) bytes(k int) []byte {
	p := (*n)[:k]
	*n = (*n)[k:]
	return p
}

// header holds the fields that both headers have, in the order that both have
// them in (4.3.7, 4.3.12).
type header struct {
	needed, flags, method, clock, date uint16
	crc, compressed, size              uint32
	nameLen, extraLen                  uint16

	// wide says that the entry before has 0xFFFFFFFF bytes, compressed or not: sizes
	// then stand in the ZIP64 field, whatever they are.
	wide bool
}

func (n *numbers) header() header {
	return header{
		needed: n.u16(), flags: n.u16(), method: n.u16(), clock: n.u16(), date: n.u16(),
		crc: n.u32(), compressed: n.u32(), size: n.u32(),
		nameLen: n.u16(), extraLen: n.u16(),
	}
}

// pair is the size of the entry's data, and of what stands for it in the archive.
type pair struct{ uncompressed, compressed int64 }

// sizes returns both sizes as the header tells them, and the ZIP64 numbers that are
// left over. Either both are saturated or none is.
func (h *header) sizes(zip64 numbers) (pair, numbers, error) {
	if (h.compressed == sentinel32) != (h.size == sentinel32) {
		return pair{}, nil, fmt.Errorf("%w: sizes %#x compressed, %#x uncompressed: one is saturated alone", ErrZIP64, h.compressed, h.size)
	}
	if h.size != sentinel32 {
		if h.wide {
			return pair{}, nil, fmt.Errorf("%w: size %#x behind an entry of 0xFFFFFFFF bytes is not saturated", ErrZIP64, h.size)
		}
		p := pair{int64(h.size), int64(h.compressed)}
		return p, zip64, p.check(h.method)
	}
	if len(zip64) < 16 {
		return pair{}, nil, fmt.Errorf("%w: saturated sizes, and %d bytes in the field", ErrZIP64, len(zip64))
	}
	size, compressed := zip64.u64(), zip64.u64()
	if size > math.MaxInt64 || compressed > math.MaxInt64 {
		return pair{}, nil, fmt.Errorf("%w: %d bytes compressed, %d uncompressed", ErrSize, compressed, size)
	}
	if max(size, compressed) < sentinel32 && !h.wide {
		return pair{}, nil, fmt.Errorf("%w: sizes %d compressed, %d uncompressed need no field", ErrZIP64, compressed, size)
	}
	p := pair{int64(size), int64(compressed)}
	return p, zip64, p.check(h.method)
}

// check holds the sizes to the method. Stored data is as long as what it holds.
// Deflated data is never empty, and a block that would grow is made of deflate's
// stored blocks, each of 65,535 bytes at most behind 5.
func (p pair) check(method uint16) error {
	wrong := p.uncompressed != p.compressed
	if method == methodDeflate {
		heads := func(n int64) int64 { return 5 * ((n + sentinel16 - 1) / sentinel16) }
		most := p.uncompressed/blockLen*heads(blockLen) + heads(p.uncompressed%blockLen)
		wrong = p.uncompressed == 0 || p.compressed == 0 || p.compressed-p.uncompressed > most
	}
	if wrong {
		return fmt.Errorf("%w: %d bytes compressed, %d uncompressed, method %d", ErrSize, p.compressed, p.uncompressed, method)
	}
	return nil
}

// checkFlags allows bit 11 alone (4.4.4), exactly where the name calls for it.
func (h *header) checkFlags(name string) error {
	want := uint16(0)
	for i := range len(name) {
		if name[i] >= 0x80 && utf8.ValidString(name) {
			want = 1 << 11
			break
		}
	}
	if h.flags != want {
		return fmt.Errorf("%w: %#04x, want %#04x", ErrFlags, h.flags, want)
	}
	return nil
}

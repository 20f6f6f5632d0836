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

	// wide says that the entry before has 0xFFFFFFFF bytes: sizes then stand in the
	// ZIP64 field, whatever they are.
	wide bool
}

func (n *numbers) header() header {
	return header{
		needed: n.u16(), flags: n.u16(), method: n.u16(), clock: n.u16(), date: n.u16(),
		crc: n.u32(), compressed: n.u32(), size: n.u32(),
		nameLen: n.u16(), extraLen: n.u16(),
	}
}

// sizes returns the size of the entry's data as the header tells it, and the
// ZIP64 numbers that are left over. Stored data is as long as what it holds.
func (h *header) sizes(zip64 numbers) (int64, numbers, error) {
	if (h.compressed == sentinel32) != (h.size == sentinel32) {
		return 0, nil, fmt.Errorf("%w: sizes %#x compressed, %#x uncompressed: one is saturated alone", ErrZIP64, h.compressed, h.size)
	}
	if h.compressed != h.size {
		return 0, nil, fmt.Errorf("%w: %d bytes compressed, %d uncompressed", ErrSize, h.compressed, h.size)
	}
	if h.size != sentinel32 {
		if h.wide {
			return 0, nil, fmt.Errorf("%w: size %#x behind an entry of 0xFFFFFFFF bytes is not saturated", ErrZIP64, h.size)
		}
		return int64(h.size), zip64, nil
	}
	if len(zip64) < 16 {
		return 0, nil, fmt.Errorf("%w: saturated sizes, and %d bytes in the field", ErrZIP64, len(zip64))
	}
	size, compressed := zip64.u64(), zip64.u64()
	switch {
	case size != compressed:
		return 0, nil, fmt.Errorf("%w: %d bytes compressed, %d uncompressed", ErrSize, compressed, size)
	case size < sentinel32 && !h.wide:
		return 0, nil, fmt.Errorf("%w: size %d needs no field", ErrZIP64, size)
	case size > math.MaxInt64:
		return 0, nil, fmt.Errorf("%w: size %d", ErrSize, size)
	}
	return int64(size), zip64, nil
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

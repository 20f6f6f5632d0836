package strictzip

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
)

// A builder of archives at the level of bytes. layOut fills in what follows from
// the records' lengths; then every field can still be set to anything.

type field struct {
	id   uint16
	data []byte
}

type rawHeader struct {
	header
	name  string
	extra []field
	junk  []byte // after the extra fields, counted as part of them
}

type rawEntry struct {
	before, between, after []byte // around the local header; before the central one
	local, central         rawHeader
	madeBy                 uint16
	disk, internal         uint16
	comment                string
	attributes, offset     uint32
	data                   []byte
	size                   int64 // of the data; zeros follow data
}

type rawEnd struct {
	disk, directoryDisk, here, total uint16
	length, offset                   uint32
	commentLen                       uint16
}

type rawEnd64 struct {
	rest                          uint64
	madeBy, needed                uint16
	disk, directoryDisk           uint32
	here, total, length, offset   uint64
	locatorDisk, locatorDisks     uint32
	locatorOffset                 uint64
	withoutRecord, withoutLocator bool
	before, between, after        []byte
}

type raw struct {
	entries []*rawEntry
	order   []int // of the central headers, if not the entries'
	end64   *rawEnd64
	end     rawEnd
	before  []byte // the directory's end; counted as part of it
	comment string
	after   []byte
}

func (f field) bytes() []byte {
	b := binary.LittleEndian.AppendUint16(nil, f.id)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(f.data)))
	return append(b, f.data...)
}

func (h *rawHeader) extraBytes() []byte {
	var b []byte
	for _, f := range h.extra {
		b = append(b, f.bytes()...)
	}
	return append(b, h.junk...)
}

// appendTo appends the fields that both headers have, without name and extra field.
func (h *rawHeader) appendTo(b []byte) []byte {
	for _, v := range []uint16{h.needed, h.flags, h.method, h.clock, h.date} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	for _, v := range []uint32{h.crc, h.compressed, h.size} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = binary.LittleEndian.AppendUint16(b, h.nameLen)
	return binary.LittleEndian.AppendUint16(b, h.extraLen)
}

func (e *rawEntry) localBytes() []byte {
	b := e.local.appendTo([]byte("PK\x03\x04"))
	return append(append(b, e.local.name...), e.local.extraBytes()...)
}

func (e *rawEntry) centralBytes() []byte {
	b := binary.LittleEndian.AppendUint16([]byte("PK\x01\x02"), e.madeBy)
	b = e.central.appendTo(b)
	for _, v := range []uint16{uint16(len(e.comment)), e.disk, e.internal} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, e.attributes)
	b = binary.LittleEndian.AppendUint32(b, e.offset)
	b = append(append(b, e.central.name...), e.central.extraBytes()...)
	return append(b, e.comment...)
}

// layOut sets lengths and offsets. Saturated ones go to the ZIP64 fields.
func (a *raw) layOut() {
	at := uint64(0)
	for _, e := range a.entries {
		at += uint64(len(e.before))
		for _, h := range []*rawHeader{&e.local, &e.central} {
			h.nameLen, h.extraLen = uint16(len(h.name)), uint16(len(h.extraBytes()))
		}
		if e.offset == sentinel32 {
			for _, f := range e.central.extra {
				if f.id == idZIP64 && len(f.data) >= 8 {
					binary.LittleEndian.PutUint64(f.data[len(f.data)-8:], at)
				}
			}
		} else {
			e.offset = uint32(at)
		}
		at += localLen + uint64(e.local.nameLen) + uint64(e.local.extraLen) + uint64(len(e.between)) + uint64(e.size)
	}
	length := uint64(len(a.before))
	for _, e := range a.entries {
		length += uint64(len(e.after)) + centralLen + uint64(e.central.nameLen) + uint64(e.central.extraLen) + uint64(len(e.comment))
	}
	a.end = rawEnd{
		here: uint16(len(a.entries)), total: uint16(len(a.entries)),
		length: uint32(length), offset: uint32(at), commentLen: uint16(len(a.comment)),
	}
	if z := a.end64; z != nil {
		*z = rawEnd64{
			rest: 44, madeBy: 0x032d, needed: 45, locatorDisks: 1,
			here: uint64(len(a.entries)), total: uint64(len(a.entries)), length: length, offset: at,
			locatorOffset: at + length,
		}
		a.end = rawEnd{here: sentinel16, total: sentinel16, length: sentinel32, offset: sentinel32, commentLen: uint16(len(a.comment))}
	}
}

func (z *rawEnd64) bytes() []byte {
	var b []byte
	if !z.withoutRecord {
		b = append(slices.Clone(z.before), "PK\x06\x06"...)
		b = binary.LittleEndian.AppendUint64(b, z.rest)
		b = binary.LittleEndian.AppendUint16(b, z.madeBy)
		b = binary.LittleEndian.AppendUint16(b, z.needed)
		b = binary.LittleEndian.AppendUint32(b, z.disk)
		b = binary.LittleEndian.AppendUint32(b, z.directoryDisk)
		for _, v := range []uint64{z.here, z.total, z.length, z.offset} {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	b = append(b, z.between...)
	if !z.withoutLocator {
		b = binary.LittleEndian.AppendUint32(append(b, "PK\x06\x07"...), z.locatorDisk)
		b = binary.LittleEndian.AppendUint64(b, z.locatorOffset)
		b = binary.LittleEndian.AppendUint32(b, z.locatorDisks)
	}
	return append(b, z.after...)
}

// render makes the archive's bytes. Data's zeros take no memory.
func (a *raw) render() *sparse {
	s := new(sparse)
	for _, e := range a.entries {
		s.add(e.before)
		s.add(e.localBytes())
		s.add(e.between)
		s.add(e.data)
		s.size += max(0, e.size-int64(len(e.data)))
	}
	for i := range a.entries {
		e := a.entries[i]
		if a.order != nil {
			e = a.entries[a.order[i]]
		}
		s.add(e.after)
		s.add(e.centralBytes())
	}
	s.add(a.before)
	if a.end64 != nil {
		s.add(a.end64.bytes())
	}
	b := []byte("PK\x05\x06")
	for _, v := range []uint16{a.end.disk, a.end.directoryDisk, a.end.here, a.end.total} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	b = binary.LittleEndian.AppendUint32(b, a.end.length)
	b = binary.LittleEndian.AppendUint32(b, a.end.offset)
	b = binary.LittleEndian.AppendUint16(b, a.end.commentLen)
	s.add(append(append(b, a.comment...), a.after...))
	return s
}

// sparse is a file of pieces with zeros between them.
type sparse struct {
	pieces []piece // in order
	size   int64
}

type piece struct {
	at int64
	b  []byte
}

func (s *sparse) add(b []byte) {
	// Pieces that touch become one, or 65,535 entries would be slow to read.
	if n := len(s.pieces); n > 0 && s.pieces[n-1].at+int64(len(s.pieces[n-1].b)) == s.size {
		s.pieces[n-1].b = append(s.pieces[n-1].b, b...)
	} else if len(b) > 0 {
		s.pieces = append(s.pieces, piece{s.size, slices.Clip(b)})
	}
	s.size += int64(len(b))
}

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.size-off))
	clear(p[:n])
	for _, x := range s.pieces {
		if from := max(off, x.at); from < min(off+int64(n), x.at+int64(len(x.b))) {
			copy(p[from-off:n], x.b[from-x.at:])
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// bytes returns a small archive's bytes.
func (s *sparse) bytes() []byte {
	b := make([]byte, s.size)
	if _, err := s.ReadAt(b, 0); err != nil {
		panic(err)
	}
	return b
}

func sum(data string) uint32 { return crc32.ChecksumIEEE([]byte(data)) }

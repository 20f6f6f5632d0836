package zipgen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// This parser knows nothing of the package: it is written from APPNOTE.TXT and
// refuses what the format's rules here don't allow, gaps between records too.

// parsed is one entry as the archive's bytes tell it.
type parsed struct {
	name                               string
	madeBy, needed, flags, clock, date uint16
	crc, attrs                         uint32
	size, headerAt, dataAt, centralAt  int64
	modTime                            []byte // the extended timestamp, 4 bytes or none
	localZIP64, centralZIP64           int    // length of the ZIP64 field's data
}

// parsedEnd is what the records after the directory tell.
type parsedEnd struct {
	zip64                  bool
	count                  int
	directory, directoryAt int64
	comment                string
}

// cursor takes numbers off bytes; too few of them make it short, not panic.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.b, c.short = nil, true
		return make([]byte, n)
	}
	var p []byte
	p, c.b = c.b[:n], c.b[n:]
	return p
}

func (c *cursor) u16() uint16 { return binary.LittleEndian.Uint16(c.take(2)) }
func (c *cursor) u32() uint32 { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64 { return binary.LittleEndian.Uint64(c.take(8)) }

func readBytes(r io.ReaderAt, off, n int64) ([]byte, error) {
	b := make([]byte, n)
	if got, err := r.ReadAt(b, off); int64(got) != n {
		return nil, fmt.Errorf("%d of %d bytes at %d: %w", got, n, off, err)
	}
	return b, nil
}

// parse reads an archive's headers, none of its data.
func parse(r io.ReaderAt, size int64) ([]parsed, parsedEnd, error) {
	e, err := parseEnd(r, size)
	if err != nil {
		return nil, e, fmt.Errorf("end: %w", err)
	}
	b, err := readBytes(r, e.directoryAt, e.directory)
	if err != nil {
		return nil, e, err
	}
	var entries []parsed
	at := int64(0)
	for c := (cursor{b: b}); len(c.b) > 0; {
		centralAt := e.directoryAt + int64(len(b)-len(c.b))
		p, err := parseCentral(&c)
		p.centralAt = centralAt
		if err == nil && p.headerAt != at {
			err = fmt.Errorf("local header at %d, the entry before ends at %d", p.headerAt, at)
		}
		if err == nil {
			err = parseLocal(r, &p)
		}
		if err != nil {
			return nil, e, fmt.Errorf("entry %d: %w", len(entries), err)
		}
		entries = append(entries, p)
		at = p.dataAt + p.size
	}
	if at != e.directoryAt {
		return nil, e, fmt.Errorf("directory at %d, the last entry ends at %d", e.directoryAt, at)
	}
	if len(entries) != e.count {
		return nil, e, fmt.Errorf("%d entries, the end record says %d", len(entries), e.count)
	}
	return entries, e, nil
}

func parseEnd(r io.ReaderAt, size int64) (e parsedEnd, err error) {
	most := min(size, 22+65535)
	b, err := readBytes(r, size-most, most)
	if err != nil {
		return e, err
	}
	if len(b) < 22 {
		return e, errors.New("fewer than 22 bytes")
	}
	i := bytes.LastIndex(b[:len(b)-18], []byte("PK\x05\x06")) // 18 bytes must follow
	if i < 0 {
		return e, errors.New("no end record")
	}
	at := size - most + int64(i) // of the end record
	c := cursor{b: b[i+4:]}
	disks, here, total, directory, directoryAt := c.u32(), c.u16(), c.u16(), c.u32(), c.u32()
	comment := c.take(int(c.u16()))
	e = parsedEnd{count: int(total), directory: int64(directory), directoryAt: int64(directoryAt), comment: string(comment)}
	if c.short || len(c.b) > 0 || disks != 0 || here != total {
		return e, fmt.Errorf("end record % x", b[i:])
	}

	if total == 0xffff || directory == 0xffffffff || directoryAt == 0xffffffff {
		if total != 0xffff || directory != 0xffffffff || directoryAt != 0xffffffff {
			return e, fmt.Errorf("only a part is saturated: count %#x, size %#x, offset %#x", total, directory, directoryAt)
		}
		e.zip64 = true
		at -= 56 + 20
		b, err := readBytes(r, at, 56+20)
		if err != nil {
			return e, err
		}
		c := cursor{b: b}
		fixed := c.take(24)
		here, total, directory, directoryAt := c.u64(), c.u64(), c.u64(), c.u64()
		// Signature; size of the rest 44; Unix 4.5; needs 4.5; disks 0, 0.
		if string(fixed) != "PK\x06\x06\x2c\x00\x00\x00\x00\x00\x00\x00\x2d\x03\x2d\x00\x00\x00\x00\x00\x00\x00\x00\x00" || here != total {
			return e, fmt.Errorf("ZIP64 end record % x", b[:56])
		}
		if string(c.take(8)) != "PK\x06\x07\x00\x00\x00\x00" || c.u64() != uint64(at) || c.u32() != 1 {
			return e, fmt.Errorf("ZIP64 locator % x, the record is at %#x", b[56:], at)
		}
		if total < 0xffff && directory < 0xffffffff && directoryAt < 0xffffffff {
			return e, errors.New("ZIP64 end record without need")
		}
		e.count, e.directory, e.directoryAt = int(total), int64(directory), int64(directoryAt)
	}
	if e.directoryAt < 0 || e.directory < 0 || e.directoryAt+e.directory != at {
		return e, fmt.Errorf("directory at %d with %d bytes, the end records are at %d", e.directoryAt, e.directory, at)
	}
	return e, nil
}

func parseCentral(c *cursor) (p parsed, err error) {
	if sig := c.take(4); string(sig) != "PK\x01\x02" {
		return p, fmt.Errorf("central header's signature % x", sig)
	}
	p.madeBy, p.needed, p.flags = c.u16(), c.u16(), c.u16()
	method := c.u16()
	p.clock, p.date, p.crc = c.u16(), c.u16(), c.u32()
	compressed, size := c.u32(), c.u32()
	nameLen, extraLen := int(c.u16()), int(c.u16())
	// Comment length, disk, internal attributes.
	if rest := c.take(6); method != 0 || string(rest) != "\x00\x00\x00\x00\x00\x00" || compressed != size {
		return p, fmt.Errorf("method %d, % x, sizes %d and %d", method, rest, compressed, size)
	}
	p.attrs = c.u32()
	offset := c.u32()
	p.name = string(c.take(nameLen))
	zip64, modTime, err := parseExtra(c.take(extraLen))
	if err != nil || c.short {
		return p, fmt.Errorf("cut %v: %w", c.short, err)
	}
	p.modTime, p.centralZIP64 = modTime, len(zip64)
	p.size, p.headerAt = int64(size), int64(offset)

	// Exactly the saturated fields, in this order.
	z := cursor{b: zip64}
	if size == 0xffffffff {
		a, b := z.u64(), z.u64()
		if a != b || a < 0xffffffff {
			return p, fmt.Errorf("ZIP64 sizes %d and %d", a, b)
		}
		p.size = int64(a)
	}
	if offset == 0xffffffff {
		if p.headerAt = int64(z.u64()); p.headerAt < 0xffffffff {
			return p, fmt.Errorf("ZIP64 offset %d", p.headerAt)
		}
	}
	if z.short || len(z.b) > 0 {
		return p, fmt.Errorf("ZIP64 field % x, size %#x, offset %#x", zip64, size, offset)
	}
	return p, nil
}

// parseLocal reads the local header of p and holds it against the central one.
func parseLocal(r io.ReaderAt, p *parsed) error {
	b, err := readBytes(r, p.headerAt, 30)
	if err != nil {
		return err
	}
	c := cursor{b: b}
	sig, needed, flags, method, clock, date, crc := c.u32(), c.u16(), c.u16(), c.u16(), c.u16(), c.u16(), c.u32()
	compressed, size := c.u32(), c.u32()
	nameLen, extraLen := int64(c.u16()), int64(c.u16())
	if sig != 0x04034b50 || method != 0 || needed != p.needed || flags != p.flags || clock != p.clock || date != p.date || crc != p.crc {
		return fmt.Errorf("local header % x of %+v", b, *p)
	}
	rest, err := readBytes(r, p.headerAt+30, nameLen+extraLen)
	if err != nil {
		return err
	}
	if name := string(rest[:nameLen]); name != p.name {
		return fmt.Errorf("names %q and %q", name, p.name)
	}
	zip64, modTime, err := parseExtra(rest[nameLen:])
	if err != nil {
		return err
	}
	if !bytes.Equal(modTime, p.modTime) {
		return fmt.Errorf("extended timestamps % x and % x", modTime, p.modTime)
	}
	sizes := [2]int64{int64(compressed), int64(size)}
	if compressed == 0xffffffff && size == 0xffffffff {
		z := cursor{b: zip64}
		sizes = [2]int64{int64(z.u64()), int64(z.u64())}
		zip64 = z.b
		p.localZIP64 = 16
	}
	if sizes != [2]int64{p.size, p.size} || len(zip64) > 0 || p.localZIP64 > 0 != (p.size >= 0xffffffff) {
		return fmt.Errorf("local sizes %d, ZIP64 %d bytes and %d too many; size %d", sizes, p.localZIP64, len(zip64), p.size)
	}
	p.dataAt = p.headerAt + 30 + nameLen + extraLen
	return nil
}

// parseExtra takes an extra field apart: ZIP64, then an extended timestamp with
// the modification time alone; each may be missing.
func parseExtra(b []byte) (zip64, modTime []byte, err error) {
	c := cursor{b: b}
	for last := -1; len(c.b) > 0; {
		id, data := int(c.u16()), c.take(int(c.u16()))
		switch {
		case c.short || id <= last || len(data) == 0:
			return nil, nil, fmt.Errorf("extra field % x", b)
		case id == 0x0001:
			zip64 = data
		case id == 0x5455 && len(data) == 5 && data[0] == 1:
			modTime = data[1:]
		default:
			return nil, nil, fmt.Errorf("extra field %#04x % x", id, data)
		}
		last = id
	}
	return zip64, modTime, nil
}

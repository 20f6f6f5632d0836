package strictzip

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	centralLen       = 46 // + name + extra field
	centralSignature = "PK\x01\x02"
)

// directory reads central headers (4.3.12) one after the other, through a buffer.
type directory struct {
	b   *bufio.Reader
	at  int64  // of the next header
	buf []byte // of name and extra field, used again

	wide bool // a size of the entry before is 0xFFFFFFFF
}

func newDirectory(r io.ReaderAt, at, length int64) *directory {
	const bufferLen = 64 << 10
	return &directory{b: bufio.NewReaderSize(io.NewSectionReader(r, at, length), int(min(length, bufferLen))), at: at}
}

// take reads n bytes, which are good until it is called again.
func (d *directory) take(n int) ([]byte, error) {
	if cap(d.buf) < n {
		d.buf = make([]byte, n)
	}
	p := d.buf[:n]
	switch got, err := io.ReadFull(d.b, p); {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: the directory ends %d bytes after %d", ErrTruncated, got, d.at)
	case err != nil:
		return nil, fmt.Errorf("reading the directory at %d: %w", d.at, err)
	}
	d.at += int64(n)
	return p, nil
}

// close says whether the directory ends here.
func (d *directory) close() error {
	switch p, err := d.b.Peek(4); {
	case len(p) == 4 && string(p) == centralSignature:
		return fmt.Errorf("%w: the directory has more entries", ErrEnd)
	case len(p) > 0:
		return fmt.Errorf("%w: the directory goes on with % x", ErrGap, p)
	case err != io.EOF:
		return fmt.Errorf("reading the directory at %d: %w", d.at, err)
	}
	return nil
}

// next reads one header and holds it to all that can be said without the local one.
func (d *directory) next() (Entry, header, error) {
	e := Entry{CentralAt: d.at}
	if _, err := d.b.Peek(1); err == io.EOF {
		return e, header{}, fmt.Errorf("%w: the directory has no more entries", ErrEnd)
	}
	b, err := d.take(centralLen)
	if err != nil {
		return e, header{}, err
	}
	n := numbers(b)
	if sig := n.bytes(4); string(sig) != centralSignature {
		return e, header{}, fmt.Errorf("%w: central header with % x", ErrSignature, sig)
	}
	e.MadeBy = n.u16()
	h := n.header()
	h.wide = d.wide
	commentLen, disk, internal := n.u16(), n.u16(), n.u16()
	e.ExternalAttributes = n.u32()
	offset := n.u32()
	e.Method = h.method
	e.Needed, e.Flags, e.Clock, e.Date, e.CRC32 = h.needed, h.flags, h.clock, h.date, h.crc
	if int(h.extraLen) > maxExtraLen {
		return e, h, fmt.Errorf("%w: central, %d bytes", ErrExtra, h.extraLen)
	}
	if b, err = d.take(int(h.nameLen) + int(h.extraLen)); err != nil {
		return e, h, err
	}
	e.Name = string(b[:h.nameLen])

	switch {
	case h.method != methodStore && h.method != methodDeflate:
		err = fmt.Errorf("%w: method %d", ErrMethod, h.method)
	case commentLen != 0:
		err = fmt.Errorf("%w: %d bytes", ErrComment, commentLen)
	case disk != 0:
		err = fmt.Errorf("%w: number %d", ErrDisk, disk)
	case internal != 0:
		err = fmt.Errorf("%w: internal %#04x", ErrAttributes, internal)
	default:
		err = e.fill(h, offset, b[h.nameLen:])
	}
	if err != nil {
		return e, h, fmt.Errorf("%q: central header: %w", clip(e.Name), err)
	}
	d.wide = e.Size == sentinel32 || e.CompressedSize == sentinel32
	return e, h, nil
}

// fill sets what the ZIP64 and other extra fields tell, and checks the whole.
func (e *Entry) fill(h header, offset uint32, extraField []byte) error {
	x, err := parseExtra(extraField)
	if err != nil {
		return err
	}
	if x.align != nil {
		return fmt.Errorf("%w: alignment in the directory", ErrExtra)
	}
	e.ModTime, e.NTFSTime, e.Owner, e.CentralZIP64 = x.modTime, x.ntfsTime, x.owner, len(x.zip64)
	if x.zip64 != nil && h.size != sentinel32 && h.compressed != sentinel32 && offset != sentinel32 {
		return fmt.Errorf("%w: a field, though nothing is saturated", ErrZIP64)
	}

	// Exactly the saturated ones, in this order (4.5.3).
	sizes, rest, err := h.sizes(x.zip64)
	if err != nil {
		return err
	}
	e.Size, e.CompressedSize, e.HeaderAt = sizes.uncompressed, sizes.compressed, int64(offset)
	if offset == sentinel32 {
		if len(rest) < 8 {
			return fmt.Errorf("%w: saturated offset, and %d bytes left in the field", ErrZIP64, len(rest))
		}
		v := rest.u64()
		if v < sentinel32 || v > math.MaxInt64 {
			return fmt.Errorf("%w: offset %d in the field", ErrZIP64, v)
		}
		e.HeaderAt = int64(v)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes too many in the field", ErrZIP64, len(rest))
	}
	return e.check(h)
}

// check holds an entry to the rules for its kind.
func (e *Entry) check(h header) error {
	if err := checkName(e.Name); err != nil {
		return err
	}
	if err := e.checkAttributes(); err != nil {
		return err
	}
	if e.Method == methodDeflate && e.ExternalAttributes>>16&typeMask != typeFile {
		return fmt.Errorf("%w: deflated, though it is no file", ErrMethod)
	}
	if err := h.checkFlags(e.Name); err != nil {
		return err
	}
	if err := e.checkVersions(); err != nil {
		return err
	}
	if e.Size == 0 && e.CRC32 != 0 {
		return fmt.Errorf("%w: %08x of no data", ErrCRC, e.CRC32)
	}
	return e.checkTime()
}

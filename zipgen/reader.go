package zipgen

import (
	"errors"
	"fmt"
	"io"
)

// Content gives what a layout does not hold. Its methods are called by as many
// goroutines as there are readers.
type Content interface {
	// CRC32 returns the CRC-32 (4.4.7) of entry i's data. It is not asked for
	// entries without data.
	CRC32(i int) (uint32, error)
	// ReadEntryAt fills p with the data of entry i, as it stands in the archive, from
	// off on; never more than its size, or CompressedSize where it is deflated, is asked
	// for. It fills p whole or returns an error.
	ReadEntryAt(i int, p []byte, off int64) error
}

// Reader reads an archive's bytes. It implements [io.ReaderAt] and is safe for
// any number of goroutines.
type Reader struct {
	*Archive
	content Content
}

// NewReader returns a reader that takes CRCs and data from c.
func (a *Archive) NewReader(c Content) *Reader { return &Reader{a, c} }

var errNegativeOffset = errors.New("zipgen: negative offset")

// ReadAt reads len(p) bytes from offset off of the archive, less only at the
// archive's end, with [io.EOF]. Errors of the content come back wrapped, with
// the entry's name, and the number of right bytes before.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) { return r.Archive.ReadAt(r.content, p, off) }

// ReadAt is [Reader.ReadAt] with CRCs and data from c.
func (a *Archive) ReadAt(c Content, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errNegativeOffset
	}
	size := a.Size()
	if off >= size {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := 0
	for x := a.seek(off); n < len(p); {
		at := off + int64(n) - x.Offset // inside the extent
		q := p[n : n+int(min(int64(len(p)-n), x.Len-at))]
		if err := a.readExtent(c, &x, q, at); err != nil {
			return n, err
		}
		n += len(q)
		if x.Kind == End {
			break
		}
		if n < len(p) {
			x.next(a)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (a *Archive) readExtent(c Content, x *cursor, p []byte, off int64) error {
	var err error
	switch x.Kind {
	case Data:
		err = c.ReadEntryAt(x.Entry, p, off)
	case End:
		copy(p, a.end[off:])
	default:
		var crc uint32
		if x.record.size > 0 {
			crc, err = c.CRC32(x.Entry)
		}
		if err == nil {
			x.render(p, off, crc, a.owner(x.Entry))
		}
	}
	if err != nil {
		return fmt.Errorf("%q: %w", clip(x.name.String()), err)
	}
	return nil
}

// localLen and centralLen return the lengths of the headers.
func (r *record) localLen(nameLen int) int {
	return localHeaderLen + nameLen + r.localExtraLen(nameLen)
}

func (r *record) centralLen(nameLen int) int { return centralHeaderLen + nameLen + r.centralExtraLen() }

// render puts the bytes from off on of a header into p, with name and extra
// field, on the stack alone.
func (x *cursor) render(p []byte, off int64, crc uint32, o owner) {
	r, name := &x.record, &x.name
	if off == 0 && int64(len(p)) == x.Len {
		// The whole of it, in place.
		if b := p[:0]; x.Kind == LocalHeader {
			b = r.appendLocalHeader(b, name.len(), crc, r.localExtraLen(name.len()))
			b, _ = r.appendLocalExtra(append(append(b, name.folder...), name.own...), o, name.len())
			clear(p[len(b):])
		} else {
			b = r.appendCentralHeader(b, name.len(), crc, r.centralExtraLen())
			r.appendCentralExtra(append(append(b, name.folder...), name.own...), o)
		}
		return
	}
	var fixedBuf [centralHeaderLen]byte
	var extraBuf [maxExtraLen]byte
	var fixed, extra []byte
	if x.Kind == LocalHeader {
		zeros := 0
		extra, zeros = r.appendLocalExtra(extraBuf[:0], o, name.len())
		fixed = r.appendLocalHeader(fixedBuf[:0], name.len(), crc, len(extra)+zeros)
	} else {
		extra = r.appendCentralExtra(extraBuf[:0], o)
		fixed = r.appendCentralHeader(fixedBuf[:0], name.len(), crc, len(extra))
	}
	skip := int(off)
	p, skip = copyFrom(p, fixed, skip)
	p, skip = copyFrom(p, name.folder, skip)
	p, skip = copyFrom(p, name.own, skip)
	p, _ = copyFrom(p, extra, skip)
	clear(p)
}

// copyFrom copies src without its first skip bytes to p, and returns what is
// left of p and of skip.
func copyFrom(p, src []byte, skip int) ([]byte, int) {
	if skip >= len(src) {
		return p, skip - len(src)
	}
	return p[copy(p, src[skip:]):], 0
}

package strictzip

import (
	"fmt"
	"io"
)

const (
	localLen       = 30 // + name + extra field
	localSignature = "PK\x03\x04"
)

// readLocal reads the local header (4.3.7) of an entry, holds it against the
// central one, and sets what it alone tells. Data may not pass the limit.
func readLocal(r io.ReaderAt, e *Entry, central header, limit int64) error {
	if e.HeaderAt > limit-localLen {
		return fmt.Errorf("%w: it reaches into the directory", ErrOverlap)
	}
	var fixed [localLen]byte
	if err := readFull(r, fixed[:], e.HeaderAt); err != nil {
		return err
	}
	n := numbers(fixed[:])
	if sig := n.bytes(4); string(sig) != localSignature {
		return fmt.Errorf("%w: % x", ErrSignature, sig)
	}
	h := n.header()
	h.wide = central.wide
	if err := h.same(central); err != nil {
		return err
	}
	e.DataAt = e.HeaderAt + localLen + int64(h.nameLen) + int64(h.extraLen)
	if e.DataAt > limit || e.CompressedSize > limit-e.DataAt {
		return fmt.Errorf("%w: header or data reach into the directory", ErrOverlap)
	}
	b := make([]byte, int(h.nameLen)+int(h.extraLen))
	if err := readFull(r, b, e.HeaderAt+localLen); err != nil {
		return err
	}
	if name := string(b[:h.nameLen]); name != e.Name {
		return fmt.Errorf("%w: name %q", ErrMismatch, clip(name))
	}
	return e.checkLocalExtra(&h, b[h.nameLen:])
}

// same compares the fields that need no others to be understood.
func (h *header) same(central header) error {
	for _, f := range []struct {
		name           string
		local, central uint32
	}{
		{"version needed", uint32(h.needed), uint32(central.needed)},
		{"flags", uint32(h.flags), uint32(central.flags)},
		{"method", uint32(h.method), uint32(central.method)},
		{"time", uint32(h.clock), uint32(central.clock)},
		{"date", uint32(h.date), uint32(central.date)},
		{"crc-32", h.crc, central.crc},
		{"name length", uint32(h.nameLen), uint32(central.nameLen)},
	} {
		if f.local != f.central {
			return fmt.Errorf("%w: %s %#x, central %#x", ErrMismatch, f.name, f.local, f.central)
		}
	}
	return nil
}

// checkLocalExtra compares sizes and extra fields. ZIP64 holds both sizes or is
// not there (4.5.3); everything else is the same in both headers.
func (e *Entry) checkLocalExtra(h *header, extraField []byte) error {
	x, err := parseExtra(extraField)
	if err != nil {
		return err
	}
	sizes, rest, err := h.sizes(x.zip64)
	if err != nil {
		return err
	}
	if x.zip64 != nil && h.size != sentinel32 || len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes in the field for nothing", ErrZIP64, len(rest))
	}
	e.LocalZIP64 = len(x.zip64)
	if e.Align, err = checkAlign(x.align, e.DataAt); err != nil {
		return err
	}
	if x.align != nil && e.Method == methodDeflate {
		return fmt.Errorf("%w: alignment of deflated data", ErrExtra)
	}
	if e.Align > e.Size {
		return fmt.Errorf("%w: alignment of %d bytes to %d", ErrExtra, e.Size, e.Align)
	}
	switch {
	case sizes != pair{e.Size, e.CompressedSize}:
		return fmt.Errorf("%w: sizes %d compressed, %d uncompressed, central %d, %d", ErrMismatch,
			sizes.compressed, sizes.uncompressed, e.CompressedSize, e.Size)
	case !equal(x.modTime, e.ModTime):
		return fmt.Errorf("%w: extended timestamp", ErrMismatch)
	case !equal(x.ntfsTime, e.NTFSTime):
		return fmt.Errorf("%w: NTFS times", ErrMismatch)
	case !equal(x.owner, e.Owner):
		return fmt.Errorf("%w: owner", ErrMismatch)
	}
	return nil
}

// equal compares what may be missing.
func equal[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

package generation

import (
	"context"

	"github.com/klauspost/crc32"

	"vzip/internal/checksum"
	"vzip/zipgen"
)

// allHashed returns when every CRC of the archive is known.
func (d *Data) allHashed() error {
	a := d.a
	for i := a.known.clear(0, a.Len()); i < a.Len(); i = a.known.clear(i+1, a.Len()) {
		if err := d.crcOf(i); err != nil {
			return err
		}
	}
	return nil
}

// crcOf returns when the CRC of entry i is known. The call's clock stands still, as
// before.
func (d *Data) crcOf(i int) error {
	if d.call.Left() {
		return context.Canceled
	}
	defer d.call.Hold() // waiting starts it
	return d.hashed(i)
}

// wholeCRC returns the CRC-32 of the whole archive. No source is read for it.
func (d *Data) wholeCRC() (uint32, error) {
	if crc, ok := d.a.knownWhole(); ok {
		return crc, nil
	}
	if err := d.allHashed(); err != nil {
		return 0, err
	}
	return d.a.combine(d.call.Left)
}

// wholeKnown marks a CRC-32 in Archive.whole as known.
const wholeKnown = 1 << 32

func (a *Archive) knownWhole() (crc uint32, ok bool) {
	v := a.whole.Load()
	return uint32(v), v&wholeKnown != 0
}

// combine works out the CRC-32 of the archive from those of its entries, which have to be
// known, and its headers, unless left tells that nobody wants it any more.
func (a *Archive) combine(left func() bool) (uint32, error) {
	if crc, ok := a.knownWhole(); ok {
		return crc, nil
	}
	crc, content := uint32(0), headers{a}
	var buf []byte
	add := func(off int64, n int) error {
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		if _, err := a.Plan.ReadAt(content, buf[:n], off); err != nil {
			return err
		}
		crc = crc32.Update(crc, crc32.IEEETable, buf[:n])
		return nil
	}
	dir, _ := a.Directory()
	for x := range a.Extents(0, dir) {
		switch x.Kind {
		case zipgen.LocalHeader:
			if err := add(x.Offset, int(x.Len)); err != nil {
				return 0, err
			}
		case zipgen.Data:
			if blocks := a.packs.blocks(x.Entry); blocks != nil {
				for _, b := range blocks {
					crc = checksum.Combine(crc, b.CRC32, int64(b.Len))
				}
			} else {
				crc = checksum.Combine(crc, a.crcs[x.Entry], x.Len)
			}
		}
		if x.Entry%1024 == 0 && left() {
			return 0, context.Canceled
		}
	}
	for off := dir; off < a.Size(); {
		n := min(64<<10, a.Size()-off)
		if err := add(off, int(n)); err != nil {
			return 0, err
		}
		off += n
	}
	a.whole.Store(wholeKnown | uint64(crc))
	return crc, nil
}

// headers is content for reads of headers alone.
type headers struct{ *Archive }

func (h headers) CRC32(i int) (uint32, error) {
	if !h.known.get(i) {
		return 0, errUnknownCRC
	}
	return h.crcs[i], nil
}

func (headers) ReadEntryAt(int, []byte, int64) error { return errUnknownCRC }

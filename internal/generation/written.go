package generation

import (
	"context"
	"fmt"

	"github.com/klauspost/crc32"
	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/source"
)

// OpenSource opens the source of entry i, which is a file, as it was scanned; it fails
// where it is another one now. The file is the caller's to close. What is read of it is
// not checked.
func (a *Archive) OpenSource(i int) (*source.File, error) {
	key := a.key(i)
	if err := a.g.refuse(key); err != nil {
		return nil, err
	}
	ref, id, root := a.g.Source(key)
	return a.g.reader.Open(a.g, ref, root, id)
}

// Unchanged tells whether an open source of entry i is what was hashed: then so is all
// that was read of it before.
func (a *Archive) Unchanged(i int, f *source.File) bool {
	is, err := f.Identity()
	return err == nil && a.g.Known(a.key(i), is)
}

// NextData returns the first run of entry i's data from off on and before end that is not
// in a hole, as [Handle.Seek] has it: its start and end. Where nothing is left but a hole
// both are end.
func (a *Archive) NextData(ctx context.Context, i int, off, end int64) (start, stop int64) {
	var data, hole int64
	d, err := a.startText(ctx, 0, 0, func(d *Data, _ []byte, _ int64) (err error) {
		if data, err = d.seekEntry(i, off, end, unix.SEEK_DATA); err == nil && data < end {
			hole, err = d.seekEntry(i, data, end, unix.SEEK_HOLE)
		} else {
			hole = end
		}
		return err
	}).result(ctx)
	if err != nil {
		return off, end // a read tells what is wrong
	}
	d.Release()
	return data, hole
}

// CheckBlocks compares bytes of entry i's data from off on with the CRC-32s of their
// blocks. They have to be whole blocks; the last one ends where the data does.
func (a *Archive) CheckBlocks(i int, p []byte, off int64) error {
	for len(p) > 0 {
		block := p[:min(len(p), checksum.BlockLen)]
		want, err := a.g.BlockCRC(a.key(i), int(off/checksum.BlockLen))
		if err != nil {
			return err
		}
		if got := crc32.ChecksumIEEE(block); got != want {
			return fmt.Errorf("entry %q has other bytes than were hashed, from its byte %d on (CRC-32 %08x, want %08x): the disk of this file or of its source may be damaged", a.EntryName(i), off, got, want)
		}
		p, off = p[len(block):], off+int64(len(block))
	}
	return nil
}

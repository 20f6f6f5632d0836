package verified

import (
	"context"

	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/seeded"
	"vzip/internal/source"
)

// Seek returns the smallest offset of a source from off on and below end that is in a
// hole (unix.SEEK_HOLE) or is not (unix.SEEK_DATA); end where there is none.
// 0 <= off < end <= the source's size.
//
// A hole is what its file system says is one, in whole blocks, each with the CRC-32 that
// zeros have, in a file that is Known after it was asked. All else is data, for a read to
// find out about. So errors are those of BlockCRC, and of sources that don't answer. It
// may hang as long as the source's file system does.
func (r *Reader) Seek(c *Call, x Sources, key uint64, off, end int64, whence int) (int64, error) {
	if err := r.Enter(c, x, key); err != nil {
		return 0, err
	}
	d, _ := c.where()
	allData := off
	if whence == unix.SEEK_HOLE {
		allData = end
	}
	o, err := r.set.Acquire(x, key)
	d.answered.Store(now())
	if err != nil {
		return allData, nil
	}
	defer r.set.Release(o)
	if o.Size() != x.Size(key) {
		return allData, nil
	}
	found, known, err := r.find(c, d, x, key, o, off, end, whence)
	if err != nil || !known || found == allData {
		return allData, err
	}
	if is, err := o.Identity(); (err != nil || !x.Known(key, is)) && !seeded.On("hole-of-another") {
		return allData, nil
	}
	return found, nil
}

// find is Seek in a file that is what was hashed; known is false where its file system
// doesn't tell. It looks from a block's start on, so that what is a hole does not depend
// on where it was asked.
func (r *Reader) find(c *Call, d *device, x Sources, key uint64, o *source.Opened, off, end int64, whence int) (found int64, known bool, err error) {
	size := o.Size()
	for at := off - off%checksum.BlockLen; at < end; {
		start, stop, err := o.NextData(at)
		if err != nil {
			return 0, false, nil
		}
		d.answered.Store(now())
		c.Resume(r.Timeout) // for the next answer
		if c.Left() {
			return 0, false, context.Canceled
		}
		if start < size {
			start -= start % checksum.BlockLen
		}
		for ; at < min(start, end); at += checksum.BlockLen {
			n := int(at / checksum.BlockLen)
			crc, err := x.BlockCRC(key, n)
			if err != nil {
				return 0, false, err
			}
			zeros := crc == checksum.ZeroBlock(n, size) || seeded.On("hole-unchecked")
			if zeros == (whence == unix.SEEK_HOLE) {
				return max(off, at), true, nil
			}
		}
		if start < end && whence == unix.SEEK_DATA {
			return max(off, at), true, nil
		}
		at = max(at+1, stop) + checksum.BlockLen - 1
		at -= at % checksum.BlockLen
	}
	return end, true, nil
}

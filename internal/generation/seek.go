package generation

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"vzip/internal/verified"
)

// holeUnit is what holes begin and end at multiples of, in bytes, as on disks: GNU tar
// makes of others what only it can read.
const holeUnit = 4096

// window is a part of the archive that is shown as a file.
type window struct{ from, size int64 }

// seek is [Handle.Seek] for a window. What vzip makes itself is data, and so is all of
// which it is not sure that it is zeros. Sources are asked one after the other, of those
// that may have holes.
func (a *Archive) seek(ctx context.Context, x window, off int64, whence int) (int64, error) {
	next, at := a.FirstSparse(x.from+off), x.size
	if next < len(a.Sparse()) {
		at = a.DataOffset(int(a.Sparse()[next])) - x.from
	}
	if at >= x.size || whence == unix.SEEK_DATA && at > off {
		return allData(off, x.size, whence), nil
	}
	var found int64
	d, err := a.startText(ctx, off, 0, func(d *Data, _ []byte, _ int64) (err error) {
		found, err = d.seekUnits(x, off, whence)
		return err
	}).result(ctx)
	switch {
	case errors.Is(err, context.Canceled):
		return 0, err
	case err != nil:
		return allData(off, x.size, whence), nil
	}
	d.Release()
	return found, nil
}

// allData is what a file that has no holes answers.
func allData(off, size int64, whence int) int64 {
	if whence == unix.SEEK_DATA {
		return off
	}
	return size
}

// seekUnits looks for whole units, from the start of one on.
func (d *Data) seekUnits(x window, off int64, whence int) (int64, error) {
	at := off - off%holeUnit
	if whence == unix.SEEK_DATA {
		data, err := d.seek(x, at, x.size, unix.SEEK_DATA)
		if data < x.size {
			data -= data % holeUnit
		}
		return max(off, data), err
	}
	for {
		hole, err := d.seek(x, at, x.size, unix.SEEK_HOLE)
		unit := (hole + holeUnit - 1) / holeUnit * holeUnit
		if err != nil || unit >= x.size {
			return x.size, err
		}
		end := min(unit+holeUnit, x.size)
		if at, err = d.seek(x, hole, end, unix.SEEK_DATA); err != nil || at == end {
			return max(off, unit), err
		}
	}
}

// seek looks from off on and below end, in sparse entries alone. For data it looks at
// one: behind it is a header.
func (d *Data) seek(x window, off, end int64, whence int) (int64, error) {
	a := d.a
	for _, entry := range a.Sparse()[a.FirstSparse(x.from+off):] {
		i := int(entry)
		start := a.DataOffset(i) - x.from
		if start >= end || whence == unix.SEEK_DATA && start > off {
			break
		}
		stop := min(start+a.EntrySize(i), end)
		found, err := d.seekEntry(i, max(0, off-start), stop-start, whence)
		if found += start; err != nil || found < stop || whence == unix.SEEK_DATA {
			return found, err
		}
	}
	return allData(off, end, whence), nil
}

// seekEntry is [verified.Reader.Seek] in entry i. Its CRC is needed only if it has a hole.
func (d *Data) seekEntry(i int, off, end int64, whence int) (int64, error) {
	g, key := d.a.g, d.a.key(i)
	d.call.Resume(g.reader.Timeout)
	err := g.refuse(key)
	for try := 1; err == nil; try++ {
		var found int64
		if found, err = g.reader.Seek(&d.call, g, key, off, end, whence); err == nil {
			return found, nil
		}
		if try == 1 && errors.Is(err, errUnknownCRC) {
			err = g.need(&d.call, key)
		}
	}
	if errors.Is(err, context.Canceled) || errors.As(err, new(*verified.TimeoutError)) {
		return 0, d.failed(key, err)
	}
	return allData(off, end, whence), nil // a read tells what is wrong with it
}

// Seek implements [Handle].
func (l *Lease) Seek(ctx context.Context, off int64, whence int) (int64, error) {
	if a := l.archive.Load(); a != nil {
		return a.seek(ctx, window{0, l.whole}, off, whence)
	}
	return allData(off, l.whole, whence), nil
}

// Seek implements [Handle].
func (v *volume) Seek(ctx context.Context, off int64, whence int) (int64, error) {
	if a := v.archive.Load(); a != nil {
		return a.seek(ctx, v.window, off, whence)
	}
	return allData(off, v.size, whence), nil
}

// Seek implements [Handle].
func (s *sidecar) Seek(_ context.Context, off int64, whence int) (int64, error) {
	return allData(off, s.size, whence), nil
}

// Holes returns how many of the file's bytes take no room on disk, about: see
// [layout.Plan.Holes].
func (f *File) Holes() int64 {
	switch f.kind {
	case "", volumeKind:
		return f.Archive.Plan.Holes(f.from, f.Size)
	}
	return 0
}

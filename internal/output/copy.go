package output

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"vzip/internal/seeded"
	"vzip/internal/source"
	"vzip/zipgen"
)

// write fills the file.
func (w *writer) write(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	parts := make(chan part)
	for range max(1, w.Workers) {
		g.Go(func() (err error) {
			defer recoverAs(&err)
			for p := range parts {
				if err := w.writePart(ctx, p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() (err error) {
		defer recoverAs(&err)
		defer close(parts)
		for p := range w.parts {
			select {
			case parts <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return g.Wait()
}

// recoverAs makes an error of a panic.
func recoverAs(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("a defect in vzip: %v", v)
	}
}

// copy writes n bytes from off on, each block checked.
func (w *writer) copy(ctx context.Context, off, n int64) error {
	for end := off + n; off < end; {
		d, err := w.a.Read(ctx, off, int(min(end-off, stepLen)))
		if err != nil {
			return err
		}
		b := d.Bytes()
		err = w.t.writeAt(b, off)
		off += int64(len(b))
		d.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// writePart writes a part of the archive.
func (w *writer) writePart(ctx context.Context, p part) error {
	r, err := w.writeData(ctx, p)
	if err != nil {
		return err
	}
	if r == nil {
		if err := w.copy(ctx, p.off, p.n); err != nil {
			return err
		}
		r = &Result{Copied: p.n}
	}
	w.cloned.Add(r.Cloned)
	w.copied.Add(r.Copied)
	w.holes.Add(r.Holes)
	w.Progress(p.n)
	return nil
}

// writeData writes a part of a file's data without looking at it, as far as that can be
// done: that the source is what was hashed says that its bytes are right. It returns nil
// where the part is to be copied by way of the archive, which tells what is wrong.
func (w *writer) writeData(ctx context.Context, p part) (*Result, error) {
	if p.entry < 0 {
		return nil, nil
	}
	f, err := w.a.OpenSource(p.entry)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	d, x := w.devices[w.a.Device(p.entry)], w.extent(p.entry)
	_, sparse := slices.BinarySearch(w.a.Sparse(), uint32(p.entry))
	clone := w.cloneable(x) && (d.clones == nil || d.clones == errNotTried)
	r := new(Result)
	from, end := p.off-x.Offset, p.off-x.Offset+p.n
	for from < end {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, dataEnd := from, end
		if sparse {
			data, dataEnd = w.a.NextData(ctx, p.entry, from, end)
		}
		n := dataEnd - data
		r.Holes += data - from
		from = dataEnd
		if n == 0 {
			continue
		}
		if clone {
			err := w.clone(f, x, data, n)
			if err != nil && (w.Reflink == Always || w.t.failed(err)) {
				return nil, err
			}
			if clone = err == nil; clone {
				r.Cloned += n
				continue
			}
		}
		if err := w.kernelCopy(ctx, f, d, data, n, x.Offset+data); err == errNoKernelCopy {
			err = w.copy(ctx, x.Offset+data, n)
			if err != nil {
				return nil, err
			}
		} else if err != nil {
			return nil, err
		}
		r.Copied += n
	}
	if !w.a.Unchanged(p.entry, f) && !seeded.On("write-unchecked") {
		return nil, nil
	}
	return r, nil
}

// clone clones n bytes of a file's data from from on, which are whole blocks but perhaps at
// their start and end.
func (w *writer) clone(f *source.File, x zipgen.Extent, from, n int64) error {
	err := f.CloneRange(w.t.fd(), from, n, x.Offset+from)
	switch {
	case w.t.failed(err):
		return w.t.error(err)
	case err != nil && w.Reflink == Always:
		return w.notCloned(x, err)
	}
	return err
}

// extent is the extent of a file's data.
func (w *writer) extent(entry int) zipgen.Extent {
	return zipgen.Extent{Kind: zipgen.Data, Entry: entry, Offset: w.a.DataOffset(entry), Len: w.a.EntrySize(entry)}
}

// errNoKernelCopy tells that the kernel is not asked to copy.
var errNoKernelCopy = errors.New("copying is not left to the kernel")

// kernelCopy has the kernel copy n bytes of a source (copy_file_range(2)), on file systems
// that are trusted.
func (w *writer) kernelCopy(ctx context.Context, f *source.File, d *device, from, n, to int64) error {
	if !d.copies.Load() || !w.trusts(f) {
		return errNoKernelCopy
	}
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		did, err := f.CopyRange(w.t.fd(), from, min(n, 16<<20), to)
		switch {
		case w.t.failed(err):
			return w.t.error(err)
		case isAny(err, unix.EXDEV, unix.EOPNOTSUPP, unix.ENOSYS, unix.EPERM):
			d.copies.Store(false) // between these two it never will
			return errNoKernelCopy
		case err != nil, did == 0:
			return errNoKernelCopy // who reads it says what is wrong
		}
		from, n, to = from+did, n-did, to+did
	}
	return nil
}

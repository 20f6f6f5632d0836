package output

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"vzip/zipgen"
)

// readBack reads the file, past what the kernel has cached where that can be done, and
// compares it with the archive: data by the CRC-32s of its blocks, all else by its bytes.
func (w *writer) readBack(ctx context.Context) error {
	if err := w.t.sync(); err != nil {
		return err
	}
	w.t.dropCached()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, w.Workers))
	for off, n := range w.runs {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			defer recoverAs(&err)
			return w.compare(ctx, off, n)
		})
	}
	return g.Wait()
}

// runs yields offsets and lengths of all of the archive, in order: whole extents of
// together at most stepLen bytes, or a part of one that is larger.
func (w *writer) runs(yield func(off, n int64) bool) {
	off, n := int64(0), int64(0)
	for x := range w.a.Extents(0, w.a.Size()) {
		if n > 0 && n+x.Len > stepLen {
			if !yield(off, n) {
				return
			}
			off, n = x.Offset, 0
		}
		if n += x.Len; n <= stepLen {
			continue
		}
		for n > 0 {
			part := min(n, partLen)
			if !yield(off, part) {
				return
			}
			off, n = off+part, n-part
		}
	}
	if n > 0 {
		yield(off, n)
	}
}

// compare compares what runs yields.
func (w *writer) compare(ctx context.Context, off, n int64) error {
	buf := make([]byte, min(n, stepLen))
	for end := off + n; off < end; off += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf = buf[:min(end-off, stepLen)]
		if w.t.isHole(off, int64(len(buf))) {
			clear(buf)
		} else if err := w.t.readAt(buf, off); err != nil {
			return err
		}
		for x := range w.a.Extents(off, int64(len(buf))) {
			at := max(x.Offset, off)
			if err := w.compareExtent(x, at, buf[at-off:min(x.Offset+x.Len, off+int64(len(buf)))-off]); err != nil {
				return err
			}
		}
		w.Progress(int64(len(buf)))
	}
	return nil
}

// compareExtent compares p with the bytes of an extent from off on.
func (w *writer) compareExtent(x zipgen.Extent, off int64, p []byte) error {
	if w.isSource(x) {
		if err := w.a.CheckBlocks(x.Entry, p, off-x.Offset); err != nil {
			return fmt.Errorf("%s: read back: %w", w.t.name, err)
		}
		return nil
	}
	want := make([]byte, len(p))
	if _, err := w.a.ReadAt(want, off); err != nil {
		return err
	}
	if !bytes.Equal(p, want) {
		return fmt.Errorf("%s: read back: other bytes than were written, from byte %d on: the disk may be damaged", w.t.name, off)
	}
	return nil
}

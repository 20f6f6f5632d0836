package checksum

import (
	"context"
	"sync"

	"vzip/internal/source"
)

// BufferLen is the size in bytes of the buffer that [Work.Do] takes.
const BufferLen = bufferLen

// Work is the summing of one open file by workers that come and go, of which any
// number may be at it. Unlike Run it can be left for something more urgent, and
// gone on with later.
type Work struct {
	progress func(int64)

	mu   sync.Mutex
	l    large
	rest []part // handed back before their end
	over bool
}

type part struct{ start, end int64 }

// NewWork begins to sum a file. Progress is told bytes as they are done, holes
// included. The file is the caller's to close.
func NewWork(f *source.File, progress func(int64)) (*Work, error) {
	size := f.Size()
	if size > MaxSize {
		return nil, ErrTooLarge
	}
	w := &Work{progress: progress, l: large{file: f, blocks: make([]uint32, Blocks(size))}}
	if size > 2*partLen {
		f.WillReadAll()
	} else if size > 0 { // not worth parting
		w.l.at, w.rest = size, []part{{0, size}}
	}
	return w, nil
}

// Left tells whether there is something to do for one worker more.
func (w *Work) Left() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.l.err == nil && (len(w.rest) > 0 || w.l.at < w.l.file.Size())
}

// Do works until nothing is left, or pause says to leave it. It returns true to one
// of all workers, once: when all is done, or failed. buf has BufferLen bytes.
func (w *Work) Do(ctx context.Context, buf []byte, pause func() bool) (finished bool) {
	for {
		p, ok, finished := w.take(ctx)
		if !ok {
			return finished
		}
		at, err := sumRange(ctx, w.l.file, p.start, p.end, w.l.blocks, buf, w.progress, pause)
		if w.end(part{at, p.end}, err) {
			return false
		}
	}
}

func (w *Work) take(ctx context.Context) (p part, ok, finished bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return part{}, false, false
	}
	if w.l.err == nil {
		w.l.err = ctx.Err()
	}
	if last := len(w.rest) - 1; last >= 0 && w.l.err == nil {
		p, w.rest = w.rest[last], w.rest[:last]
		w.l.open++
		return p, true, false
	}
	if p.start, p.end, ok = w.l.next(ctx, w.progress); ok {
		return p, true, false
	}
	if w.l.open > 0 {
		return part{}, false, false
	}
	w.over = true
	return part{}, false, true
}

// end takes note of what was done of a part: all but rest.
func (w *Work) end(rest part, err error) (paused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.l.open--
	if w.l.err == nil {
		w.l.err = err
	}
	if w.l.err == nil && rest.start < rest.end {
		w.rest = append(w.rest, rest)
		return true
	}
	return false
}

// Sum returns the file's CRC-32s after Do has returned true.
func (w *Work) Sum() (Sum, error) {
	if w.l.err != nil {
		return Sum{}, w.l.err
	}
	return sumOf(w.l.file, w.l.blocks)
}

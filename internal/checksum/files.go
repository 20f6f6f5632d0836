package checksum

import (
	"context"
	"slices"
	"sync"

	"github.com/klauspost/crc32"

	"vzip/internal/source"
)

const (
	// bufferLen is the size of one read: large enough to make system calls
	// cheap, small enough to stay in a core's cache until it is summed.
	bufferLen = 1 << 20
	// partLen is the size of the parts that a large file is cut into, in bytes.
	partLen = 32 << 20
)

// Files is what Run works on: files numbered from 0 to Len-1.
type Files struct {
	Len int
	// Open opens file i. It is called by several goroutines.
	Open func(ctx context.Context, i int) (*source.File, error)
	// Check tells whether file i is still what it was, after it was read.
	Check func(i int, f *source.File) error
	// Done takes the CRC-32 of file i, or the error that Open, Check or reading
	// gave. It is called once a file, by several goroutines, in any order.
	Done func(i int, crc uint32, err error)
	// Progress, if set, is told the bytes that are dealt with, holes included.
	Progress func(bytes int64)
}

// Run works out the CRC-32 of every file with the given number of workers. It
// returns early only when ctx ends, with ctx's error.
func Run(ctx context.Context, workers int, files Files) error {
	if files.Progress == nil {
		files.Progress = func(int64) {}
	}
	r := &run{Files: files}
	r.changed.L = &r.mu
	var wg sync.WaitGroup
	for range max(1, workers) {
		wg.Go(func() { r.work(ctx) })
	}
	wg.Wait()
	return ctx.Err()
}

type run struct {
	Files

	mu      sync.Mutex
	changed sync.Cond // opening or large changed
	next    int       // the next file that nobody has taken
	opening int       // files taken of which it isn't known yet whether they are large
	large   []*large  // files with parts that nobody has taken
}

// large is an open file whose parts are summed by several workers.
type large struct {
	i      int
	file   *source.File
	at     int64   // how far parts have been handed out
	pieces []piece // in the file's order
	open   int     // parts handed out and not finished
	err    error
}

// piece is a run of a file with its CRC-32.
type piece struct {
	len int64
	crc uint32
}

// task is either a file to open or a part of a large file.
type task struct {
	file       int
	large      *large
	start, end int64 // the part, in bytes of the file
	piece      int
}

func (r *run) work(ctx context.Context) {
	buf := make([]byte, bufferLen)
	for {
		t, ok := r.take(ctx)
		if !ok {
			return
		}
		if t.large == nil {
			r.sumFile(ctx, t.file, buf)
			continue
		}
		crc, err := r.sumRange(ctx, t.large.file, t.start, t.end, buf)
		r.finishPart(t, crc, err)
	}
}

// take returns the next task: parts of large files before new files, so that
// few files are open at a time. When ctx ends no new files are handed out.
func (r *run) take(ctx context.Context) (task, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for len(r.large) > 0 {
			l := r.large[0]
			if t, ok := r.takePart(ctx, l); ok {
				return t, true
			}
			r.large = r.large[1:]
			if l.open == 0 {
				// Nothing is left but a hole: an empty part ends the file.
				l.open++
				t := task{large: l, start: l.file.Size(), end: l.file.Size(), piece: len(l.pieces)}
				l.pieces = append(l.pieces, piece{})
				return t, true
			}
		}
		if r.next < r.Len && ctx.Err() == nil {
			r.next++
			r.opening++
			return task{file: r.next - 1}, true
		}
		if r.opening == 0 {
			return task{}, false
		}
		r.changed.Wait()
	}
}

// takePart hands out the next part with data in it; holes before it become
// pieces of their own.
func (r *run) takePart(ctx context.Context, l *large) (task, bool) {
	if l.err == nil {
		l.err = ctx.Err()
	}
	if l.err != nil || l.at >= l.file.Size() {
		return task{}, false
	}
	start, _, err := l.file.NextData(l.at)
	if err != nil {
		l.err = err
		return task{}, false
	}
	if start > l.at {
		l.pieces = append(l.pieces, piece{len: start - l.at, crc: AppendZeros(0, start-l.at)})
		r.Progress(start - l.at)
	}
	l.at = start
	if start == l.file.Size() {
		return task{}, false
	}
	l.at = min(start+partLen, l.file.Size())
	l.open++
	l.pieces = append(l.pieces, piece{len: l.at - start})
	return task{large: l, start: start, end: l.at, piece: len(l.pieces) - 1}, true
}

// opened ends the time in which others wait for a file to turn out large.
func (r *run) opened(l *large) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opening--
	if l != nil {
		r.large = append(r.large, l)
	}
	r.changed.Broadcast()
}

// sumFile does a small file whole, and offers a large one to all workers.
func (r *run) sumFile(ctx context.Context, i int, buf []byte) {
	f, err := r.Open(ctx, i)
	if err != nil {
		r.opened(nil)
		r.Done(i, 0, err)
		return
	}
	if f.Size() > 2*partLen {
		f.WillReadAll()
		r.opened(&large{i: i, file: f})
		return
	}
	r.opened(nil)
	crc, err := r.sumRange(ctx, f, 0, f.Size(), buf)
	r.closeFile(i, f, crc, err)
}

func (r *run) finishPart(t task, crc uint32, err error) {
	l := t.large
	r.mu.Lock()
	l.pieces[t.piece].crc = crc
	if l.err == nil {
		l.err = err
	}
	l.open--
	last := l.open == 0 && (l.err != nil || l.at >= l.file.Size())
	if last {
		r.large = slices.DeleteFunc(r.large, func(x *large) bool { return x == l })
	}
	r.mu.Unlock()
	if !last {
		return
	}
	crc = 0
	for _, p := range l.pieces {
		crc = Combine(crc, p.crc, p.len)
	}
	r.closeFile(l.i, l.file, crc, l.err)
}

// sumRange returns the CRC-32 of a file's bytes from start to end.
func (r *run) sumRange(ctx context.Context, f *source.File, start, end int64, buf []byte) (uint32, error) {
	crc := uint32(0)
	for at := start; at < end; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		data, dataEnd := at, end
		// A file of one read isn't worth two calls to look for holes.
		if f.Size() > bufferLen {
			var err error
			if data, dataEnd, err = f.NextData(at); err != nil {
				return 0, err
			}
			data, dataEnd = min(data, end), min(dataEnd, end)
		}
		if data > at {
			crc = AppendZeros(crc, data-at)
			r.Progress(data - at)
			at = data
		}
		for at < dataEnd {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			p := buf[:min(int64(len(buf)), dataEnd-at)]
			if err := f.ReadFull(p, at); err != nil {
				return 0, err
			}
			crc = crc32.Update(crc, crc32.IEEETable, p)
			at += int64(len(p))
			r.Progress(int64(len(p)))
		}
	}
	return crc, nil
}

// closeFile hands over a file's CRC if the file is still what it was.
func (r *run) closeFile(i int, f *source.File, crc uint32, err error) {
	if err == nil {
		err = f.CheckEnd()
	}
	if err == nil {
		err = r.Check(i, f)
	}
	f.Close()
	r.Done(i, crc, err)
}

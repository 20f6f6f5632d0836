package checksum

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/crc32"

	"vzip/internal/source"
)

const (
	// bufferLen is the size of one read: large enough to make system calls
	// cheap, small enough to stay in a core's cache until it is summed.
	bufferLen = 256 << 10
	// partLen is the size of the parts that a large file is cut into, in bytes.
	// Reads and parts are whole blocks.
	partLen = 32 << 20
)

// Files is what Run works on: files numbered from 0 to Len-1.
type Files struct {
	Len int
	// Open opens file i. It is called by several goroutines.
	Open func(ctx context.Context, i int) (*source.File, error)
	// Check tells whether file i is still what it was, after it was read.
	Check func(i int, f *source.File) error
	// Done takes the CRC-32s of file i, or the error that Open, Check or reading
	// gave. It is called once a file, by several goroutines, in any order. The sum
	// is Done's to keep.
	Done func(i int, sum Sum, err error)
	// Progress, if set, is told the bytes that are dealt with, holes included.
	Progress func(bytes int64)
	// Level, if set, tells at which level file i is to be deflated, 0 for not at all, and
	// whether only if that makes it enough smaller.
	Level func(i int) (level int, auto bool)
}

// Run works out the CRC-32 of every file with the given number of workers. It
// returns early only when ctx ends, with ctx's error, or when a worker panics.
func Run(ctx context.Context, workers int, files Files) error {
	if files.Progress == nil {
		files.Progress = func(int64) {}
	}
	r := &run{Files: files}
	r.changed.L = &r.mu
	var wg sync.WaitGroup
	for range max(1, workers) {
		wg.Go(func() {
			defer r.recover()
			r.work(ctx)
		})
	}
	wg.Wait()
	if r.defect != nil {
		return r.defect
	}
	return ctx.Err()
}

// recover makes an error of a panic, and lets the other workers end.
func (r *run) recover() {
	if v := recover(); v != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.defect = fmt.Errorf("a defect in vzip: %v", v)
		r.changed.Broadcast()
	}
}

type run struct {
	Files

	mu      sync.Mutex
	changed sync.Cond // opening or large changed
	next    int       // the next file that nobody has taken
	opening int       // files taken of which it isn't known yet whether they are large
	large   []*large  // files with parts that nobody has taken
	defect  error     // a worker's panic
}

// large is an open file whose parts are summed by several workers.
type large struct {
	i      int
	file   *source.File
	at     int64    // how far parts have been handed out: a block's start, or the end
	blocks []uint32 // CRC-32 of each; those of a part are its worker's to enter
	pack   *packing // nil: it is not deflated
	open   int      // parts handed out and not finished
	err    error
}

// task is either a file to open or a part of a large file.
type task struct {
	file       int
	large      *large
	start, end int64 // the part, in bytes of the file
}

func (r *run) work(ctx context.Context) {
	p := &packer{buf: make([]byte, bufferLen)}
	for {
		t, ok := r.take(ctx)
		if !ok {
			return
		}
		if t.large == nil {
			r.sumFile(ctx, t.file, p)
			continue
		}
		r.finishPart(t, p.sum(ctx, t.large.file, t.large.pack, t.start, t.end, t.large.blocks, r.Progress))
	}
}

// take returns the next task: parts of large files before new files, so that
// few files are open at a time. When ctx ends no new files are handed out.
func (r *run) take(ctx context.Context) (task, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.defect == nil {
		for len(r.large) > 0 {
			l := r.large[0]
			if t, ok := r.takePart(ctx, l); ok {
				return t, true
			}
			r.large = r.large[1:]
			if l.open == 0 {
				// Nothing is left but a hole: an empty part ends the file.
				l.open++
				return task{large: l, start: l.file.Size(), end: l.file.Size()}, true
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
	return task{}, false
}

// takePart hands out the next part of a large file.
func (r *run) takePart(ctx context.Context, l *large) (task, bool) {
	start, end, ok := l.next(ctx, r.Progress)
	return task{large: l, start: start, end: end}, ok
}

// next hands out the next part with data in it. It starts with the block that
// the data starts in; the blocks before are nothing but holes.
func (l *large) next(ctx context.Context, progress func(int64)) (start, end int64, ok bool) {
	if l.err == nil {
		l.err = ctx.Err()
	}
	size := l.file.Size()
	if l.err != nil || l.at >= size {
		return 0, 0, false
	}
	if l.pack != nil { // holes are deflated, too
		start, l.at = l.at, min(l.at+l.pack.partLen(), size)
		l.open++
		return start, l.at, true
	}
	start, _, err := l.file.NextData(l.at)
	if err != nil {
		l.err = err
		return 0, 0, false
	}
	if start < size {
		start -= start % BlockLen
	}
	if start > l.at {
		hole(l.blocks, l.at, start)
		progress(start - l.at)
	}
	l.at = start
	if start == size {
		return 0, 0, false
	}
	l.at = min(start+partLen, size)
	l.open++
	return start, l.at, true
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
func (r *run) sumFile(ctx context.Context, i int, p *packer) {
	f, err := r.Open(ctx, i)
	if err == nil && f.Size() > MaxSize {
		f.Close()
		err = ErrTooLarge
	}
	if err != nil {
		r.opened(nil)
		r.Done(i, Sum{}, err)
		return
	}
	pack, err := r.packing(ctx, i, f, p)
	if err != nil {
		r.opened(nil)
		r.closeFile(i, f, nil, nil, err)
		return
	}
	if f.Size() > 2*pack.partLen() {
		f.WillReadAll()
		r.opened(&large{i: i, file: f, pack: pack, blocks: make([]uint32, Blocks(f.Size()))})
		return
	}
	r.opened(nil)
	var only [1]uint32
	blocks := only[:]
	if f.Size() > BlockLen {
		blocks = make([]uint32, Blocks(f.Size()))
	}
	err = p.sum(ctx, f, pack, 0, f.Size(), blocks, r.Progress)
	r.closeFile(i, f, blocks, pack, err)
}

func (r *run) finishPart(t task, err error) {
	l := t.large
	r.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	l.open--
	last := l.open == 0 && (l.err != nil || l.at >= l.file.Size())
	if last {
		r.large = slices.DeleteFunc(r.large, func(x *large) bool { return x == l })
	}
	r.mu.Unlock()
	if last {
		r.closeFile(l.i, l.file, l.blocks, l.pack, l.err)
	}
}

// sumRange enters the CRC-32s of a file's blocks from start to end, in bytes.
// Start is a block's, end is as well or is the file's. It stops where pause, if set,
// says so after a read, and returns how far it came.
func sumRange(ctx context.Context, f *source.File, start, end int64, blocks []uint32, buf []byte, progress func(int64), pause func() bool) (at int64, err error) {
	for at = start; at < end; {
		if err := ctx.Err(); err != nil {
			return at, err
		}
		data, dataEnd := at, end
		// A file of one read isn't worth two calls to look for holes.
		if f.Size() > bufferLen {
			var err error
			if data, dataEnd, err = f.NextData(at); err != nil {
				return at, err
			}
			// Blocks that are data in part are read whole.
			data, dataEnd = min(data, end), min(dataEnd, end)
			if data < end {
				data -= data % BlockLen
			}
			dataEnd = min((dataEnd+BlockLen-1)/BlockLen*BlockLen, end)
		}
		if data > at {
			hole(blocks, at, data)
			progress(data - at)
			at = data
		}
		for at < dataEnd {
			if err := ctx.Err(); err != nil {
				return at, err
			}
			p := buf[:min(int64(len(buf)), dataEnd-at)]
			if err := f.ReadFull(p, at); err != nil {
				return at, err
			}
			first := int(at / BlockLen)
			for i := 0; i*BlockLen < len(p); i++ {
				blocks[first+i] = crc32.ChecksumIEEE(p[i*BlockLen : min((i+1)*BlockLen, len(p))])
			}
			at += int64(len(p))
			progress(int64(len(p)))
			if at < end && pause != nil && pause() {
				return at, nil
			}
		}
	}
	return at, nil
}

// closeFile hands over a file's CRCs if the file is still what it was.
func (r *run) closeFile(i int, f *source.File, blocks []uint32, pack *packing, err error) {
	var sum Sum
	if err == nil {
		sum, err = sumOf(f, blocks)
		sum.Packed = pack.result(f.Size())
	}
	if err == nil {
		err = r.Check(i, f)
	}
	f.Close()
	if err != nil {
		sum = Sum{}
	}
	r.Done(i, sum, err)
}

// sumOf returns the sum of a file all of whose blocks are summed.
func sumOf(f *source.File, blocks []uint32) (Sum, error) {
	if err := f.CheckEnd(); err != nil {
		return Sum{}, err
	}
	size := f.Size()
	sum := Sum{CRC32: Join(blocks[:Blocks(size)], size)}
	if size > BlockLen {
		sum.Blocks = blocks
	}
	return sum, nil
}

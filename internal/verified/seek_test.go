package verified

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/klauspost/crc32"
	"golang.org/x/sys/unix"

	"vzip/internal/source"
)

// span is data of a sparse file, in bytes.
type span struct{ start, end int64 }

// holed makes a file of holes but for some spans, and hashes it.
func holed(t *testing.T, size int64, data ...span) *sources {
	t.Helper()
	ref := source.Ref{Root: t.TempDir(), Rel: "f"}
	f, err := os.Create(ref.Path())
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(size))
	for _, s := range data {
		_, err := f.WriteAt(bytes.Repeat([]byte{7}, int(s.end-s.start)), s.start)
		must(t, err)
	}
	must(t, f.Sync())
	s := &sources{refs: []source.Ref{ref}}
	s.rehash(t)
	time.Sleep(25 * time.Millisecond) // the next change gets another stamp
	return s
}

// rehash notes what the file is now.
func (s *sources) rehash(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile(s.refs[0].Path())
	must(t, err)
	stat, err := s.refs[0].Lstat()
	must(t, err)
	var crcs []uint32
	for at := 0; at < len(data); at += blockLen {
		crcs = append(crcs, crc32.ChecksumIEEE(data[at:min(len(data), at+blockLen)]))
	}
	s.ids, s.blocks = []source.Identity{stat.Identity}, [][]uint32{crcs}
}

func seek(t *testing.T, s *sources, off int64, whence int) int64 {
	t.Helper()
	r := NewReader(modes[0])
	defer r.Close()
	var c Call
	c.Begin(context.Background(), time.Minute)
	defer r.Leave(&c)
	at, err := r.Seek(&c, s, 0, off, s.Size(0), whence)
	must(t, err)
	return at
}

// at is what Seek should give at an offset.
type at struct{ off, data, hole int64 }

func wantSeek(t *testing.T, s *sources, wants ...at) {
	t.Helper()
	for _, w := range wants {
		if data, hole := seek(t, s, w.off, unix.SEEK_DATA), seek(t, s, w.off, unix.SEEK_HOLE); data != w.data || hole != w.hole {
			t.Errorf("at %d: data at %d, a hole at %d, want %d and %d", w.off, data, hole, w.data, w.hole)
		}
	}
}

// Holes are whole blocks; the last one may be short.
func TestSeek(t *testing.T) {
	t.Parallel()
	const b, size = blockLen, 9*blockLen + 1000
	s := holed(t, size, span{b + 10, b + 20}, span{4*b - 1, 4*b + 1})
	wantSeek(t, s,
		at{0, b, 0}, at{1, b, 1}, at{b - 1, b, b - 1},
		at{b, b, 2 * b}, at{2*b - 1, 2*b - 1, 2 * b},
		at{2 * b, 3 * b, 2 * b}, at{3*b - 1, 3 * b, 3*b - 1},
		at{3 * b, 3 * b, 5 * b}, at{4*b + 5, 4*b + 5, 5 * b},
		at{5 * b, size, 5 * b}, at{9 * b, size, 9 * b}, at{size - 1, size, size - 1},
	)
	full := holed(t, size, span{0, size})
	wantSeek(t, full, at{0, 0, size}, at{size - 1, size - 1, size})
	// A hole of two halves is no hole.
	halves := holed(t, 4*b, span{0, b / 2}, span{b + b/2, 4 * b})
	wantSeek(t, halves, at{0, 0, 4 * b}, at{b - 1, b - 1, 4 * b})
	// No further than to an end.
	for _, end := range []int64{1, b, b + 1, 2*b + 7} {
		r := NewReader(modes[0])
		var c Call
		c.Begin(context.Background(), time.Minute)
		data, err := r.Seek(&c, s, 0, 0, end, unix.SEEK_DATA)
		must(t, err)
		hole, err := r.Seek(&c, full, 0, 0, end, unix.SEEK_HOLE)
		must(t, err)
		if data != min(b, end) || hole != end {
			t.Errorf("up to %d: data at %d, a hole at %d", end, data, hole)
		}
		r.Leave(&c)
		r.Close()
	}
	none := holed(t, 4*b)
	wantSeek(t, none, at{0, 4 * b, 0}, at{4*b - 1, 4 * b, 4*b - 1})
}

// Where data was there is no hole, whatever the file system says now: neither in a file
// that says that it was changed, nor in one that doesn't.
func TestSeekPunched(t *testing.T) {
	t.Parallel()
	const b, size = blockLen, 4 * blockLen
	s := holed(t, size, span{0, 2 * b})
	f, err := os.OpenFile(s.refs[0].Path(), os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	must(t, unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 2*b))
	wantSeek(t, s, at{0, 0, size}, at{2 * b, 2 * b, size})
	stat, err := s.refs[0].Lstat()
	must(t, err)
	s.ids[0] = stat.Identity // as where stamps are coarse
	wantSeek(t, s, at{0, 0, 2 * b}, at{b, b, 2 * b}, at{2 * b, size, 2 * b})
}

// A file of which nobody knows whether it is what was hashed has no holes.
func TestSeekDrifted(t *testing.T) {
	t.Parallel()
	const size = 4 * blockLen
	s := holed(t, size)
	must(t, os.Chmod(s.refs[0].Path(), 0o600))
	wantSeek(t, s, at{0, 0, size}, at{5, 5, size})
	s.rehash(t)
	wantSeek(t, s, at{0, size, 0})
	for _, other := range []int64{size - 1, size + 1, 2 * size, 1, 0} {
		must(t, os.Truncate(s.refs[0].Path(), other))
		wantSeek(t, s, at{0, 0, size}, at{size - 1, size - 1, size})
	}
	must(t, os.Remove(s.refs[0].Path()))
	wantSeek(t, s, at{0, 0, size}, at{5, 5, size})
}

package zipgen

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

var _ io.ReaderAt = (*Reader)(nil)

// Every slice, with those past the end: content that is asked out of range
// returns an error.
func TestReadAtEverySlice(t *testing.T) {
	t.Parallel()
	r := layOut(t, Options{Comment: "end"}, kinds()...)
	full := readFull(t, r)
	checkFiles(t, r, "end")
	buf := make([]byte, len(full)+2)
	filler := bytes.Repeat([]byte{0xa5}, len(buf))
	for off := range len(full) + 2 {
		for n := range len(full) + 2 - off {
			copy(buf, filler[:n+1])
			got, err := r.ReadAt(buf[:n], int64(off))
			want := full[min(off, len(full)):min(off+n, len(full))]
			if got != len(want) || !bytes.Equal(buf[:got], want) {
				t.Fatalf("ReadAt of %d bytes at %d: got %d bytes % x, want %d bytes % x", n, off, got, buf[:got], len(want), want)
			}
			if wantEOF := len(want) < n; wantEOF && err != io.EOF || !wantEOF && err != nil {
				t.Fatalf("ReadAt of %d bytes at %d: got error %v", n, off, err)
			}
			if buf[n] != 0xa5 {
				t.Fatalf("ReadAt of %d bytes at %d: wrote past them", n, off)
			}
		}
	}
}

// So it is where padding stands before the data.
func TestReadAtAligned(t *testing.T) {
	t.Parallel()
	r := layOut(t, Options{Align: MinAlign}, append(kinds(), regular("padded", strings.Repeat("x", MinAlign)))...)
	full := readFull(t, r)
	checkFiles(t, r, "")
	checkExtents(t, r)
	buf := make([]byte, len(full))
	for off := range full {
		for _, n := range []int{1, 7, 100, 1000} {
			n = min(n, len(full)-off)
			for i := range buf[:n] {
				buf[i] = 0xa5
			}
			if got, err := r.ReadAt(buf[:n], int64(off)); got != n || err != nil || !bytes.Equal(buf[:n], full[off:off+n]) {
				t.Fatalf("ReadAt of %d bytes at %d: got %d, %v", n, off, got, err)
			}
		}
	}
}

func TestReadAtOutside(t *testing.T) {
	t.Parallel()
	r := layOut(t, Options{}, kinds()...)
	for _, test := range []struct {
		name string
		n    int
		off  int64
		want error
	}{
		{"at the end", 1, r.Size(), io.EOF},
		{"nothing at the end", 0, r.Size(), nil},
		{"past the end", 1, r.Size() + 1, io.EOF},
		{"nothing past the end", 0, r.Size() + 1, nil},
		{"far past the end", 100, math.MaxInt64, io.EOF},
		{"nothing within", 0, 1, nil},
		{"before the start", 1, -1, errNegativeOffset},
		{"far before the start", 100, math.MinInt64, errNegativeOffset},
		{"nothing before the start", 0, -1, errNegativeOffset},
	} {
		if n, err := r.ReadAt(make([]byte, test.n), test.off); n != 0 || !errors.Is(err, test.want) {
			t.Errorf("%s: got %d, %v; want 0, %v", test.name, n, err, test.want)
		}
	}
}

func TestSectionReader(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]file{"empty": nil, "kinds": kinds()} {
		r := layOut(t, Options{}, files...)
		if err := iotest.TestReader(io.NewSectionReader(r, 0, r.Size()), readFull(t, r)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Any number of goroutines may read: the race detector watches this one.
func TestReadAtConcurrently(t *testing.T) {
	t.Parallel()
	r := layOut(t, Options{}, kinds()...)
	full := readFull(t, r)
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, g))
			buf := make([]byte, len(full))
			for range 500 {
				off := rnd.IntN(len(full))
				n := rnd.IntN(len(full) - off)
				if got, err := r.ReadAt(buf[:n], int64(off)); got != n || err != nil || !bytes.Equal(buf[:n], full[off:off+n]) {
					t.Errorf("ReadAt of %d bytes at %d: got %d, %v", n, off, got, err)
				}
			}
		})
	}
	wg.Wait()
}

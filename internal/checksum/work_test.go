package checksum

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"vzip/internal/source"
)

// open makes a file with data at some offsets and holes between, and opens it.
func openSparse(t *testing.T, size int64, data ...int64) (*source.File, source.Ref) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	f, err := os.Create(path)
	if err == nil {
		err = f.Truncate(size)
	}
	for _, at := range data {
		if err == nil {
			_, err = f.WriteAt([]byte("data"), at)
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	ref := source.Ref{Root: filepath.Dir(path), Rel: "f"}
	s, _, err := source.OpenNow(ref)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, ref
}

// Any number of workers, who leave again and again, give the sums that Run gives, and
// one of them is told that it is done.
func TestWork(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{0, 1, BlockLen, BlockLen + 1, bufferLen + 5, 3*bufferLen + 5, 2 * partLen, 2*partLen + 1, 5*partLen + 77} {
		data := []int64{}
		for _, at := range []int64{0, BlockLen - 2, bufferLen - 3, partLen + 3*bufferLen, 2*partLen - 4, 4 * partLen} {
			if at+4 <= size {
				data = append(data, at)
			}
		}
		f, ref := openSparse(t, size, data...)
		var want Sum
		must(t, Run(context.Background(), 1, Files{
			Len: 1,
			Open: func(context.Context, int) (*source.File, error) {
				fd, _, err := source.OpenNow(ref)
				return fd, err
			},
			Check: func(int, *source.File) error { return nil },
			Done:  func(_ int, sum Sum, err error) { must(t, err); want = sum },
		}))
		for _, workers := range []int{1, 3} {
			var done, bytes atomic.Int64
			w, err := NewWork(f, func(n int64) { bytes.Add(n) })
			must(t, err)
			if w.Left() != (size > 0) {
				t.Errorf("size %d: left %v at the beginning", size, w.Left())
			}
			var wg sync.WaitGroup
			for range workers {
				wg.Go(func() {
					buf := make([]byte, BufferLen)
					n := 0
					for first := true; first || w.Left(); first = false {
						if w.Do(context.Background(), buf, func() bool { n++; return n%3 == 0 }) {
							done.Add(1)
						}
					}
				})
			}
			wg.Wait()
			if w.Do(context.Background(), nil, nil) {
				t.Errorf("size %d: it was done twice", size)
			}
			got, err := w.Sum()
			must(t, err)
			if got.CRC32 != want.CRC32 || len(got.Blocks) != len(want.Blocks) || done.Load() != 1 || bytes.Load() != size {
				t.Errorf("size %d, %d workers: CRC-32 %08x with %d blocks, done %d times, %d bytes; want %08x with %d, once", size, workers, got.CRC32, len(got.Blocks), done.Load(), bytes.Load(), want.CRC32, len(want.Blocks))
			}
			for i := range got.Blocks {
				if got.Blocks[i] != want.Blocks[i] {
					t.Errorf("size %d: block %d differs", size, i)
				}
			}
		}
	}
}

// A context that ends makes it fail.
func TestWorkFails(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f, _ := openSparse(t, 3*partLen, 0)
	w, err := NewWork(f, func(int64) {})
	must(t, err)
	if !w.Do(ctx, make([]byte, BufferLen), nil) {
		t.Error("it is not done")
	}
	if _, err := w.Sum(); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	if w.Left() {
		t.Error("something is left")
	}
}

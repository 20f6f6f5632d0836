package checksum

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/deflate"
	"vzip/internal/source"
)

// blockOf returns n bytes that deflate to about that share of them, in percent.
func blockOf(n int, percent int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(percent), byte(n)}).Read(b)
	clear(b[n*percent/100:])
	return b
}

// mebibytes returns blocks that deflate to those shares.
func mebibytes(percents ...int) (data []byte) {
	for i, p := range percents {
		b := blockOf(deflate.BlockLen, p)
		b[0] = byte(i) // no two are equal
		data = append(data, b...)
	}
	return data
}

// packTest is a file, how it is to be deflated, and whether it is in the end.
type packTest struct {
	name   string
	data   []byte
	level  int
	auto   bool
	packed bool
}

func packTests() []packTest {
	const block = deflate.BlockLen
	// Files of several parts. Blocks 0, 2, 4, 6 are the sample of one of 9 blocks.
	zeros, noise := mebibytes(0, 0, 0, 0, 0, 0, 0, 0, 0), mebibytes(100, 100, 100, 100, 100, 100, 100, 100, 100)
	list := []packTest{
		{"not at all", mebibytes(50), 0, false, false},
		{"auto, at no level", mebibytes(50), 0, true, false},
		{"9 MiB", zeros, 6, false, true},
		{"9 MiB of noise", noise, 6, false, true},
		{"9 MiB, auto", zeros, 6, true, true},
		{"9 MiB of noise, auto", noise, 6, true, false},
		{"9 MiB and a byte", append(mebibytes(50, 0, 100, 0, 50, 30, 20, 10, 90), 7), 9, false, true},
		{"8 MiB", mebibytes(50, 0, 100, 0, 50, 30, 20, 10), 1, true, true},
		{"the sample shrinks, the whole hardly", mebibytes(90, 100, 90, 100, 90, 100, 90, 100, 100), 6, true, false},
		{"the sample shrinks, and the whole just so", mebibytes(85, 100, 85, 100, 85, 100, 85, 100, 100), 6, true, true},
		{"the whole shrinks, but not the sample", mebibytes(100, 0, 100, 0, 100, 0, 100, 0, 0), 6, true, false},
		{"4 blocks are their own sample", mebibytes(100, 100, 100, 50), 6, true, true},
		{"5 blocks have one beyond", mebibytes(100, 100, 100, 100, 0), 6, true, false},
	}
	for _, n := range []int{0, 1, 2, BlockLen - 1, BlockLen, BlockLen + 1, block - 1, block, block + 1, 2*block + BlockLen} {
		for _, percent := range []int{0, 100} {
			list = append(list,
				packTest{fmt.Sprint(n, " bytes to ", percent, " %"), blockOf(n, percent), 1 + n%9, false, n > 0},
				packTest{fmt.Sprint(n, " bytes to ", percent, " %, auto"), blockOf(n, percent), 6, true, percent == 0 && n > 2})
		}
	}
	return list
}

func packFolder(t *testing.T, tests []packTest) *folder {
	t.Helper()
	files := make([]file, len(tests))
	for i, tt := range tests {
		files[i] = file{tt.name, int64(len(tt.data)), nil}
	}
	d := makeFiles(t, files)
	for i, tt := range tests {
		must(t, os.WriteFile(d.refs[i].Path(), tt.data, 0o644))
		s, err := d.refs[i].Lstat()
		must(t, err)
		d.ids[i] = s.Identity
	}
	return d
}

// Whoever deflates a file, its blocks are those that package deflate makes; they are one
// stream, which inflates to the file; and its sum is what it is without.
func TestPack(t *testing.T) {
	t.Parallel()
	tests := packTests()
	d := packFolder(t, tests)
	total := int64(0)
	for _, tt := range tests {
		total += int64(len(tt.data))
	}
	var first []Sum
	for _, workers := range []int{1, 8} {
		got, err := d.run(testContext(t), workers, func(f *Files) {
			f.Level = func(i int) (int, bool) { return tests[i].level, tests[i].auto }
		})
		must(t, err)
		if got.progress != total || got.mostOpen > workers {
			t.Errorf("%d workers: progress adds up to %d, want %d; %d files were open at once", workers, got.progress, total, got.mostOpen)
		}
		if first == nil {
			first = got.sum
		}
		for i, tt := range tests {
			want := d.plainSum(t, i)
			if got.done[i] != 1 || got.err[i] != nil || !equal(got.sum[i], want) {
				t.Errorf("%d workers, %s: %s; error %v, %d times, want once", workers, tt.name, brief(got.sum[i], want), got.err[i], got.done[i])
			}
			if isPacked := got.sum[i].Packed != nil; isPacked != tt.packed {
				t.Errorf("%d workers, %s: deflated: %v, want %v", workers, tt.name, isPacked, tt.packed)
			}
			if !reflect.DeepEqual(got.sum[i].Packed, first[i].Packed) {
				t.Errorf("%d workers, %s: other blocks than from 1 worker", workers, tt.name)
			}
		}
	}
	wantClosed(t, d.dir)
	for i, tt := range tests {
		if blocks := first[i].Packed; tt.packed && blocks != nil {
			wantStream(t, tt, blocks)
		}
	}
}

// wantStream compares what is told of blocks with what they are made to, and inflates that.
func wantStream(t *testing.T, tt packTest, blocks []Packed) {
	t.Helper()
	var stream []byte
	c := deflate.New(tt.level)
	for n, at := 0, 0; at < len(tt.data); n++ {
		end := min(at+deflate.BlockLen, len(tt.data))
		out := c.Block(nil, tt.data[at:end], end == len(tt.data))
		if want := (Packed{uint32(len(out)), crc32.ChecksumIEEE(out)}); n >= len(blocks) || blocks[n] != want {
			t.Fatalf("%s: block %d: want %+v; got %+v", tt.name, n, want, blocks)
		}
		stream, at = append(stream, out...), end
	}
	if int64(len(stream)) != PackedLen(blocks) {
		t.Errorf("%s: %d bytes, want %d", tt.name, PackedLen(blocks), len(stream))
	}
	in := bytes.NewReader(stream)
	if got, err := io.ReadAll(flate.NewReader(in)); err != nil || in.Len() != 0 || !bytes.Equal(got, tt.data) {
		t.Errorf("%s: inflated to %d bytes of %d, %d are left, error %v", tt.name, len(got), len(tt.data), in.Len(), err)
	}
}

// Holes of a file that is deflated are data.
func TestPackHoles(t *testing.T) {
	t.Parallel()
	d := makeFiles(t, []file{{"sparse", 20*mib + 5, []span{{3 * mib, 100}, {17*mib - 50, 100}}}})
	data, err := os.ReadFile(d.refs[0].Path())
	must(t, err)
	for _, workers := range []int{1, 8} {
		got, err := d.run(testContext(t), workers, func(f *Files) {
			f.Level = func(int) (int, bool) { return 6, true }
		})
		must(t, err)
		if got.err[0] != nil || !equal(got.sum[0], d.plainSum(t, 0)) || got.progress != int64(len(data)) {
			t.Errorf("%s; error %v, progress of %d", brief(got.sum[0], d.plainSum(t, 0)), got.err[0], got.progress)
		}
		wantStream(t, packTest{"sparse", data, 6, true, true}, got.sum[0].Packed)
	}
}

// A file that changes while it is deflated, or sampled, has no sum.
func TestPackChanging(t *testing.T) {
	t.Parallel()
	for _, size := range []int{3, 9} { // small, and of parts
		for _, tt := range changing {
			for _, workers := range []int{1, 4} {
				t.Run(fmt.Sprintf("%d MiB %s, %d workers", size, tt.name, workers), func(t *testing.T) {
					t.Parallel()
					d := packFolder(t, []packTest{{"file", mebibytes(make([]int, size)...), 6, false, true}})
					time.Sleep(25 * time.Millisecond) // older kernels' time stamps are that coarse
					var changed atomic.Bool
					got, err := d.run(testContext(t), workers, func(f *Files) {
						f.Level = func(int) (int, bool) { return 6, false }
						f.Progress = func(int64) {
							if changed.CompareAndSwap(false, true) {
								tt.do(t, d.refs[0].Path(), d.files[0].size)
							}
						}
					})
					must(t, err)
					if got.done[0] != 1 || !errors.Is(got.err[0], unix.ESTALE) || !reflect.DeepEqual(got.sum[0], Sum{}) {
						t.Errorf("got error %v, %d times; want %v once, and no sum", got.err[0], got.done[0], unix.ESTALE)
					}
					wantClosed(t, d.dir)
				})
			}
		}
	}
	t.Run("before the sample", func(t *testing.T) {
		t.Parallel()
		d := packFolder(t, []packTest{{"file", mebibytes(make([]int, 9)...), 6, true, true}})
		got, err := d.run(testContext(t), 2, func(f *Files) {
			f.Level = func(int) (int, bool) {
				must(t, os.Truncate(d.refs[0].Path(), 5*mib))
				return 6, true
			}
		})
		must(t, err)
		if got.done[0] != 1 || !errors.Is(got.err[0], unix.ESTALE) {
			t.Errorf("got error %v, %d times; want %v once", got.err[0], got.done[0], unix.ESTALE)
		}
		wantClosed(t, d.dir)
	})
}

// Who gives up waits for no more than the blocks under way, a sample's as well.
func TestPackCancel(t *testing.T) {
	t.Parallel()
	d := packFolder(t, []packTest{{"file", mebibytes(make([]int, 9)...), 6, true, true}})
	for name, change := range map[string]func(cancel func(), f *Files){
		"in the sample": func(cancel func(), f *Files) {
			f.Level = func(int) (int, bool) { cancel(); return 6, true }
		},
		"in a part": func(cancel func(), f *Files) {
			f.Level = func(int) (int, bool) { return 6, false }
			f.Progress = func(int64) { cancel() }
		},
	} {
		for _, workers := range []int{1, 8} {
			ctx, cancel := context.WithCancel(testContext(t))
			defer cancel()
			var bytes atomic.Int64
			got, err := d.run(ctx, workers, func(f *Files) {
				change(cancel, f)
				progress := f.Progress
				f.Progress = func(n int64) { bytes.Add(n); progress(n) }
			})
			if !errors.Is(err, context.Canceled) || got.done[0] != 1 || !errors.Is(got.err[0], context.Canceled) || got.sum[0].Packed != nil {
				t.Errorf("%s, %d workers: got errors %v and %v, %d times", name, workers, err, got.err[0], got.done[0])
			}
			if n := bytes.Load(); n > int64(workers)*deflate.BlockLen || name == "in the sample" && n > 0 {
				t.Errorf("%s, %d workers: %d bytes were deflated", name, workers, n)
			}
			wantClosed(t, d.dir)
		}
	}
}

// Files that are deflated and files that are not take the same places.
func TestPackErrors(t *testing.T) {
	t.Parallel()
	d := packFolder(t, []packTest{
		{"a", mebibytes(0), 6, false, true}, {"b", mebibytes(50), 6, false, true}, {"c", mebibytes(make([]int, 9)...), 6, false, true},
	})
	broken := errors.New("broken")
	got, err := d.run(testContext(t), 2, func(f *Files) {
		f.Level = func(int) (int, bool) { return 6, false }
		f.Check = func(i int, _ *source.File) error {
			if i == 1 {
				return nil
			}
			return broken
		}
	})
	must(t, err)
	for i := range d.files {
		if want := i != 1; errors.Is(got.err[i], broken) != want || (got.sum[i].Packed == nil) != want {
			t.Errorf("file %d: got error %v and %d blocks", i, got.err[i], len(got.sum[i].Packed))
		}
	}
	wantClosed(t, d.dir)
}

package checksum

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"vzip/internal/figure"
	"vzip/internal/source"
)

func TestBlocks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size int64
		want int
	}{
		{0, 0}, {1, 1}, {BlockLen - 1, 1}, {BlockLen, 1}, {BlockLen + 1, 2}, {2 * BlockLen, 2}, {2*BlockLen + 1, 3},
		{MaxSize, MaxSize / BlockLen}, {1<<63 - 1, 1 << 46},
	} {
		if got := Blocks(tt.size); got != tt.want {
			t.Errorf("Blocks of %d: got %d, want %d", tt.size, got, tt.want)
		}
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	if got := (Sum{CRC32: 7}).Block(0); got != 7 {
		t.Errorf("only block: got %d, want 7", got)
	}
	s := Sum{CRC32: 7, Blocks: []uint32{1, 2}}
	if s.Block(0) != 1 || s.Block(1) != 2 {
		t.Errorf("got blocks %d and %d, want 1 and 2", s.Block(0), s.Block(1))
	}
}

// sizesAround are sizes near bounds of blocks, reads and parts, and others.
func sizesAround(rnd *rand.Rand, n int) []int64 {
	sizes := []int64{0, 1, BlockLen - 1, BlockLen, BlockLen + 1, 2*BlockLen - 1, 2 * BlockLen, 2*BlockLen + 1}
	for range n {
		edge := []int64{BlockLen, bufferLen, partLen, 2 * partLen}[rnd.IntN(4)]
		switch size := edge*rnd.Int64N(4) + rnd.Int64N(5) - 2; rnd.IntN(3) {
		case 0:
			sizes = append(sizes, max(0, size))
		case 1:
			sizes = append(sizes, max(0, size+rnd.Int64N(9)*BlockLen))
		default:
			sizes = append(sizes, rnd.Int64N(4*BlockLen))
		}
	}
	return sizes
}

func TestJoin(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	p := make([]byte, 5*mib)
	rand.NewChaCha8([32]byte{7}).Read(p)
	for _, size := range sizesAround(rnd, 100) {
		if size > int64(len(p)) {
			continue
		}
		p := p[:size]
		var blocks []uint32
		for at := 0; at < len(p); at += BlockLen {
			blocks = append(blocks, crc32.ChecksumIEEE(p[at:min(at+BlockLen, len(p))]))
		}
		if got, want := Join(blocks, size), crc32.ChecksumIEEE(p); got != want {
			t.Errorf("Join of %d bytes: got %08x, want %08x", size, got, want)
		}
	}
}

// Whatever size and holes a file has, its sums are those of plain reads.
func TestRandomFiles(t *testing.T) {
	t.Parallel()
	rounds, n := figure.N(2, 20), 0
	for round := range rounds {
		rnd := rand.New(rand.NewPCG(8, uint64(round)))
		var files []file
		for i, size := range sizesAround(rnd, 20) {
			f := file{name: fmt.Sprint(i, ", ", size, " bytes"), size: size}
			for range rnd.IntN(8) {
				if size > 0 {
					// Near bounds, so that blocks are holes in part.
					off := min(rnd.Int64N(size)/BlockLen*BlockLen+rnd.Int64N(16*kib), size-1)
					f.data = append(f.data, span{off, 1 + rnd.Int64N([]int64{10, 300 * kib, 2 * mib}[rnd.IntN(3)])})
				}
			}
			if rnd.IntN(4) == 0 && size < 4*mib {
				f.data = []span{{0, size}}
			}
			files = append(files, f)
		}
		d := makeFiles(t, files)
		for _, workers := range []int{1 + rnd.IntN(2), 3 + rnd.IntN(10)} {
			got, err := d.run(testContext(t), workers, nil)
			must(t, err)
			for i, f := range d.files {
				n++
				if want := d.plainSum(t, i); !equal(got.sum[i], want) || got.err[i] != nil {
					t.Errorf("%d workers, file %s, data %v: %s; error %v", workers, f.name, f.data, brief(got.sum[i], want), got.err[i])
				}
			}
		}
	}
	figure.Print(t, "CRCs of blocks: %d files of random size and holes summed, all as by plain reads", n)
}

// A huge sparse file costs nothing to make, and must not cost all memory to sum.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	dir := "/dev/shm" // ext4 has no larger files
	if _, err := os.Stat(dir); err != nil {
		dir = t.TempDir()
	}
	dir, err := os.MkdirTemp(dir, "vzip-test-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.WriteFile(filepath.Join(dir, "huge"), nil, 0o600))
	must(t, os.Truncate(filepath.Join(dir, "huge"), MaxSize+1))
	r := source.Ref{Root: dir, Rel: "huge"}
	s, err := r.Lstat()
	must(t, err)
	done := 0
	must(t, Run(testContext(t), 2, Files{
		Len:   1,
		Open:  func(context.Context, int) (*source.File, error) { return source.Open(r, s.Identity) },
		Check: func(int, *source.File) error { return nil },
		Done: func(_ int, sum Sum, err error) {
			if done++; !errors.Is(err, ErrTooLarge) || !equal(sum, Sum{}) {
				t.Errorf("got sum of %d blocks and error %v, want %v", len(sum.Blocks), err, ErrTooLarge)
			}
		},
	}))
	if done != 1 {
		t.Errorf("Done %d times, want once", done)
	}
	wantClosed(t, dir)
}

// What ZeroBlock says is what blocks of zeros have.
func TestZeroBlock(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{1, 1000, BlockLen, BlockLen + 1, 3*BlockLen - 1, 3 * BlockLen} {
		for i := range Blocks(size) {
			n := min(BlockLen, size-int64(i)*BlockLen)
			if got, want := ZeroBlock(i, size), crc32.ChecksumIEEE(make([]byte, n)); got != want {
				t.Errorf("block %d of %d bytes: got %08x, want %08x", i, size, got, want)
			}
		}
	}
}

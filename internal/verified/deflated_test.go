package verified

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/crc32"
	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/deflate"
	"vzip/internal/figure"
)

// deflatedFiles are sources whose blocks are deflated to known bytes, and that tell who
// reads them.
type deflatedFiles struct {
	*sources
	want  map[uint64][][]byte // bytes of each source's blocks
	level int
	read  func(key uint64, n int) // if set, is told of each block of checksum.BlockLen
}

func (d *deflatedFiles) BlockCRC(key uint64, n int) (uint32, error) {
	if d.read != nil {
		d.read(key, n)
	}
	return d.sources.BlockCRC(key, n)
}

// deflatedOf writes files of these sizes, and deflates them.
func deflatedOf(t *testing.T, level int, sizes ...int) *deflatedFiles {
	t.Helper()
	s, contents := hashed(t, t.TempDir(), sizes...)
	d := &deflatedFiles{sources: s, want: map[uint64][][]byte{}, level: level}
	for key, data := range contents {
		c := deflate.New(level)
		for at := 0; at < len(data); at += deflate.BlockLen {
			end := min(at+deflate.BlockLen, len(data))
			d.want[uint64(key)] = append(d.want[uint64(key)], c.Block(nil, data[at:end], end == len(data)))
		}
	}
	return d
}

// block is block n of a source.
func (d *deflatedFiles) block(key uint64, n int) Deflated {
	b := d.want[key][n]
	return Deflated{Block: n, Level: d.level, Packed: checksum.Packed{Len: uint32(len(b)), CRC32: crc32.ChecksumIEEE(b)}}
}

func newCall(ctx context.Context, timeout time.Duration) *Call {
	c := new(Call)
	c.Begin(ctx, timeout)
	return c
}

// readDeflated reads n bytes of a block, as one call.
func readDeflated(r *Reader, x Sources, key uint64, b Deflated, in, n int) ([]byte, error) {
	c := newCall(context.Background(), time.Minute)
	defer r.Leave(c)
	p := make([]byte, n)
	err := r.ReadDeflated(c, x, key, b, p, int64(in))
	return p, err
}

// wantBlock reads a whole block.
func wantBlock(t *testing.T, r *Reader, d *deflatedFiles, key uint64, n int) {
	t.Helper()
	want := d.want[key][n]
	if got, err := readDeflated(r, d, key, d.block(key, n), 0, len(want)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("source %d, block %d: other bytes, or error %v", key, n, err)
	}
}

// wantIdle fails the test if a slot is taken, or memory to deflate in.
func wantIdle(t *testing.T, r *Reader) {
	t.Helper()
	if d := r.devices.get(1); len(d.slots) != 0 || cap(d.deflating)-len(d.deflating) != 0 || d.parked.Load() != 0 {
		t.Errorf("%d slots are taken, %d blocks are deflated, %d calls are parked", len(d.slots), cap(d.deflating)-len(d.deflating), d.parked.Load())
	}
}

// kept returns how many bytes are kept, and whether all that is counted is right.
func (d *deflatedBlocks) kept(t *testing.T) (n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	loaded := 0
	for x := d.used.Front(); x != nil; x = x.Next() {
		e := x.Value.(*deflatedBlock)
		n += int64(len(e.data))
		loaded++
		if d.all[e.deflatedPlace] != e || cap(e.data) > len(e.data)+len(e.data)/7+64 {
			t.Errorf("block %v of %d bytes in memory of %d: is kept, and not found", e.deflatedPlace, len(e.data), cap(e.data))
		}
	}
	if n != d.bytes || loaded > len(d.all) {
		t.Errorf("%d bytes of %d blocks are kept, %d are counted of %d", n, loaded, d.bytes, len(d.all))
	}
	return n
}

// Any part of any block is right, whoever reads at the same time, and no more is kept than
// may be.
func TestReadDeflated(t *testing.T) {
	t.Parallel()
	const block = deflate.BlockLen
	sizes := []int{1, 100, blockLen + 1, block - 1, block, block + 1, 4*block + 77}
	d := deflatedOf(t, 1, sizes...)
	for _, most := range []int64{-1, 1, block, 3*block + block/2, 0} {
		for _, statOnly := range []bool{false, true} {
			t.Run(fmt.Sprint(most, statOnly), func(t *testing.T) {
				t.Parallel()
				r := NewReader(Options{Timeout: time.Minute, StatOnly: statOnly, Deflated: most})
				defer r.Close()
				limit := max(most, 0)
				if most == 0 {
					limit = DefaultDeflated
				}
				var wg sync.WaitGroup
				for w := range 8 {
					wg.Go(func() {
						rnd := rand.New(rand.NewPCG(9, uint64(w)))
						for range figure.N(15, 2000) {
							key := rnd.Uint64N(uint64(len(sizes)))
							n := rnd.IntN(len(d.want[key]))
							want := d.want[key][n]
							in := rnd.IntN(len(want))
							want = want[in : in+1+rnd.IntN(len(want)-in)]
							if got, err := readDeflated(r, d, key, d.block(key, n), in, len(want)); err != nil || !bytes.Equal(got, want) {
								t.Errorf("source %d, block %d, %d bytes at %d: wrong, or error %v", key, n, len(want), in, err)
								return
							}
							if n := r.deflated.kept(t); n > limit {
								t.Errorf("%d bytes are kept, more than %d", n, limit)
							}
						}
					})
				}
				wg.Wait()
				if most == 0 && r.deflated.kept(t) == 0 || most < 1 && most != 0 && len(r.deflated.all) > 0 {
					t.Errorf("%d blocks are kept", len(r.deflated.all))
				}
				r.Forget(d)
				if n := r.deflated.kept(t); n != 0 || len(r.deflated.all) != 0 {
					t.Errorf("%d bytes of %d blocks are kept of forgotten sources", n, len(r.deflated.all))
				}
				wantIdle(t, r)
			})
		}
	}
}

// What was used last is kept, and each level has blocks of its own.
func TestDeflatedKept(t *testing.T) {
	t.Parallel()
	d := deflatedOf(t, 6, 4*deflate.BlockLen)
	var reads atomic.Int32
	d.read = func(_ uint64, n int) {
		if n%8 == 0 {
			reads.Add(1)
		}
	}
	r := NewReader(Options{Timeout: time.Minute, Deflated: 3*deflate.BlockLen + deflate.BlockLen/2})
	defer r.Close()
	for _, step := range []struct{ block, reads int }{
		{0, 1}, {1, 2}, {2, 3}, {0, 3}, {3, 4}, {0, 4}, {2, 4}, {1, 5}, {3, 6},
	} {
		wantBlock(t, r, d, 0, step.block)
		if got := int(reads.Load()); got != step.reads {
			t.Errorf("block %d: %d blocks were deflated, want %d", step.block, got, step.reads)
		}
	}
	other := d.block(0, 1)
	other.Level = 9 // noise is the same at all levels
	if got, err := readDeflated(r, d, 0, other, 0, int(other.Len)); err != nil || !bytes.Equal(got, d.want[0][1]) || reads.Load() != 7 {
		t.Errorf("another level: other bytes, error %v, or %d reads, want 7", err, reads.Load())
	}
}

// A block that is not made to what it was before is not handed out, nor kept.
func TestDeflatedToOthers(t *testing.T) {
	t.Parallel()
	d := deflatedOf(t, 6, 2*deflate.BlockLen+5)
	for _, o := range modes {
		r := NewReader(o)
		for name, change := range map[string]func(*checksum.Packed){
			"CRC-32":  func(p *checksum.Packed) { p.CRC32 ^= 1 },
			"shorter": func(p *checksum.Packed) { p.Len-- },
			"longer":  func(p *checksum.Packed) { p.Len++ },
		} {
			b := d.block(0, 1)
			change(&b.Packed)
			for range 2 {
				_, err := readDeflated(r, d, 0, b, 0, 1)
				var wrong *DeflateError
				if !errors.As(err, &wrong) || !errors.Is(err, unix.EIO) || wrong.Path != d.refs[0].Path() || wrong.Offset != deflate.BlockLen || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: got error %v, want a DeflateError at %d", name, err, deflate.BlockLen)
				}
			}
			if n := r.deflated.kept(t); n != 0 || len(r.deflated.all) != 0 {
				t.Errorf("%s: %d bytes are kept", name, n)
			}
			wantIdle(t, r)
		}
		wantBlock(t, r, d, 0, 1)
		r.Close()
	}
}

// A source that was changed fails the read; what was deflated before stays right.
func TestDeflatedChanged(t *testing.T) {
	t.Parallel()
	for _, o := range modes {
		d := deflatedOf(t, 6, 2*deflate.BlockLen)
		r := NewReader(o)
		wantBlock(t, r, d, 0, 0)
		f, err := os.OpenFile(d.refs[0].Path(), os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteAt(make([]byte, 10), deflate.BlockLen+17)
		must(t, err)
		must(t, f.Close())
		if _, err := readDeflated(r, d, 0, d.block(0, 1), 0, 10); !errors.Is(err, unix.ESTALE) {
			t.Errorf("got error %v, want ESTALE", err)
		}
		if _, changed := d.counts(); changed == 0 {
			t.Error("nobody was told of the change")
		}
		wantBlock(t, r, d, 0, 0)
		wantIdle(t, r)
		r.Close()
	}
}

// Sources that are forgotten while a block of them is loaded keep nothing, and who waits
// for it gets it.
func TestDeflatedForgotten(t *testing.T) {
	t.Parallel()
	d := deflatedOf(t, 6, 1000)
	other := deflatedOf(t, 6, 1000)
	g := d.gate()
	r := NewReader(modes[0])
	defer r.Close()
	wantBlock(t, r, other, 0, 0)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { wantBlock(t, r, d, 0, 0) })
	}
	<-g.entered
	time.Sleep(20 * time.Millisecond)
	r.Forget(d)
	wg.Go(func() { wantBlock(t, r, d, 0, 0) }) // begins anew
	<-g.entered
	r.Forget(d)
	close(g.open)
	wg.Wait()
	if n := r.deflated.kept(t); n != int64(len(other.want[0][0])) || len(r.deflated.all) != 1 {
		t.Errorf("%d bytes of %d blocks are kept, want the other sources' %d", n, len(r.deflated.all), len(other.want[0][0]))
	}
}

// A defect in one load is an error of those who wait for it, and of nobody else.
func TestDeflatedDefect(t *testing.T) {
	t.Parallel()
	d := deflatedOf(t, 6, 1000)
	g := d.gate()
	read := d.read
	d.read = func(key uint64, n int) { read(key, n); panic("the sky falls") }
	r := NewReader(modes[0])
	defer r.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() {
			if recover() == nil {
				t.Error("who loads it does not panic")
			}
		}()
		_, _ = readDeflated(r, d, 0, d.block(0, 0), 0, 1)
	})
	<-g.entered
	wg.Go(func() {
		if _, err := readDeflated(r, d, 0, d.block(0, 0), 0, 1); !errors.Is(err, errDefect) {
			t.Errorf("who waits: got error %v, want %v", err, errDefect)
		}
	})
	time.Sleep(50 * time.Millisecond)
	close(g.open)
	wg.Wait()
	r.Forget(d)
	d.read = nil
	wantBlock(t, r, d, 0, 0)
	wantIdle(t, r)
}

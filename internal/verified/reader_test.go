package verified

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/crc32"
	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/figure"
	"vzip/internal/source"
)

// sources are files that were hashed, by key.
type sources struct {
	refs    []source.Ref
	ids     []source.Identity
	blocks  [][]uint32
	mu      sync.Mutex
	drifted int
	changed int
}

func (s *sources) Source(key uint64) (source.Ref, source.Identity, uint64) {
	return s.refs[key], s.ids[key], 0
}
func (s *sources) Size(key uint64) int64 { return s.ids[key].Size }
func (s *sources) Device(uint64) uint64  { return 1 }
func (s *sources) count(n *int)          { s.mu.Lock(); *n++; s.mu.Unlock() }
func (s *sources) counts() (drifted, changed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drifted, s.changed
}
func (s *sources) BlockCRC(key uint64, n int) (uint32, error) { return s.blocks[key][n], nil }
func (s *sources) Known(key uint64, is source.Identity) bool  { return is == s.ids[key] }
func (s *sources) Drifted(uint64, source.Identity) error      { s.count(&s.drifted); return nil }
func (s *sources) Changed(uint64, source.Identity)            { s.count(&s.changed) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hashed writes files of these sizes and returns them with their content.
func hashed(t *testing.T, dir string, sizes ...int) (*sources, [][]byte) {
	t.Helper()
	s := &sources{}
	var contents [][]byte
	rnd := rand.NewChaCha8([32]byte{1})
	for i, size := range sizes {
		data := make([]byte, size)
		_, _ = rnd.Read(data)
		ref := source.Ref{Root: dir, Rel: fmt.Sprint("f", i)}
		must(t, os.WriteFile(ref.Path(), data, 0o644))
		stat, err := ref.Lstat()
		must(t, err)
		s.refs, s.ids = append(s.refs, ref), append(s.ids, stat.Identity)
		var crcs []uint32
		for at := 0; at < size; at += checksum.BlockLen {
			crcs = append(crcs, crc32.ChecksumIEEE(data[at:min(size, at+checksum.BlockLen)]))
		}
		s.blocks, contents = append(s.blocks, crcs), append(contents, data)
	}
	time.Sleep(25 * time.Millisecond) // the next change gets another stamp
	return s, contents
}

func read(r *Reader, s *sources, key uint64, off, n int) ([]byte, error) {
	var c Call
	c.Begin(context.Background(), time.Minute)
	defer r.Leave(&c)
	p := make([]byte, n)
	err := r.ReadFull(&c, s, key, p, int64(off))
	return p, err
}

const blockLen = checksum.BlockLen

var modes = []Options{{Timeout: time.Minute}, {Timeout: time.Minute, StatOnly: true}}

// Any part of any file is right, whoever reads at the same time.
func TestReadFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sizes := []int{1, 100, blockLen - 1, blockLen, blockLen + 1, 2 * blockLen, 3*blockLen - 1, 9*blockLen + 77, 100_000}
	s, contents := hashed(t, dir, sizes...)
	for _, o := range modes {
		r := NewReader(o)
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(7, uint64(w)))
				for range figure.N(300, 20_000) {
					key := rnd.IntN(len(sizes))
					off := rnd.IntN(sizes[key])
					if rnd.IntN(3) == 0 {
						off = min(sizes[key]-1, off/blockLen*blockLen) // at a block's start
					}
					n := 1 + rnd.IntN(sizes[key]-off)
					if rnd.IntN(3) == 0 {
						n = min(n, 4096)
					}
					got, err := read(r, s, uint64(key), off, n)
					if err != nil || !bytes.Equal(got, contents[key][off:off+n]) {
						t.Errorf("file %d, %d bytes at %d: wrong, or error %v", key, n, off, err)
						return
					}
				}
			})
		}
		wg.Wait()
		r.Forget(s)
		if n := len(r.blocks.all); n != 0 {
			t.Errorf("%d blocks are kept of forgotten sources", n)
		}
		r.Close()
	}
	if drifted, changed := s.counts(); drifted+changed != 0 {
		t.Errorf("%d sources drifted and %d changed, want none", drifted, changed)
	}
}

// A byte that was changed is never handed out, whatever else the read takes.
func TestOneBadByte(t *testing.T) {
	t.Parallel()
	for _, o := range modes {
		dir := t.TempDir()
		const size = 5*blockLen + 1000
		s, contents := hashed(t, dir, size)
		stat, err := os.Stat(s.refs[0].Path())
		must(t, err)
		bad := 2*blockLen + 17
		f, err := os.OpenFile(s.refs[0].Path(), os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteAt([]byte{^contents[0][bad]}, int64(bad))
		must(t, err)
		must(t, f.Close())
		must(t, os.Chtimes(s.refs[0].Path(), time.Time{}, stat.ModTime()))
		r := NewReader(o)
		for _, tt := range []struct{ off, n int }{
			{0, size}, {bad, 1}, {2 * blockLen, blockLen}, {2 * blockLen, 1}, {3*blockLen - 1, 1}, {blockLen, 2 * blockLen}, {bad + 1, 3 * blockLen}, {0, 2 * blockLen}, {3 * blockLen, blockLen}, {2*blockLen - 1, 1}, {5 * blockLen, 1000},
		} {
			got, err := read(r, s, 0, tt.off, tt.n)
			if touches := tt.off < 3*blockLen && tt.off+tt.n > 2*blockLen; touches {
				if !errors.Is(err, unix.ESTALE) {
					t.Errorf("%d bytes at %d: got error %v, want ESTALE", tt.n, tt.off, err)
				}
			} else if err != nil || !bytes.Equal(got, contents[0][tt.off:tt.off+tt.n]) {
				t.Errorf("%d bytes at %d: other bytes, or error %v", tt.n, tt.off, err)
			}
		}
		if drifted, changed := s.counts(); drifted == 0 || changed == 0 {
			t.Errorf("told %d times that it drifted, %d times that it changed, want some of each", drifted, changed)
		}
		r.Close()
	}
}

// Bytes that changed while nothing else did are a disk's fault, or a mapping's.
func TestCorrupt(t *testing.T) {
	t.Parallel()
	s, _ := hashed(t, t.TempDir(), 3*blockLen)
	s.blocks[0][1] ^= 1
	r := NewReader(modes[0])
	defer r.Close()
	for _, n := range []int{3 * blockLen, blockLen + 1} {
		_, err := read(r, s, 0, 0, n)
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || !errors.Is(err, unix.EIO) || errors.Is(err, unix.ESTALE) || corrupt.Offset != blockLen || corrupt.Want != s.blocks[0][1] {
			t.Errorf("got error %v, want a CorruptError at %d", err, blockLen)
		}
	}
}

// What is at the path now counts, even if another file is still open.
func TestReplacedAndBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, contents := hashed(t, dir, 2*blockLen)
	path := s.refs[0].Path()
	must(t, os.WriteFile(path+".other", make([]byte, 2*blockLen), 0o644))
	must(t, os.WriteFile(path+".equal", contents[0], 0o644))
	r := NewReader(modes[0])
	defer r.Close()
	must(t, os.Rename(path+".other", path))
	if _, err := read(r, s, 0, 0, 10); !errors.Is(err, unix.ESTALE) {
		t.Errorf("another file: got error %v, want ESTALE", err)
	}
	must(t, os.Rename(path+".equal", path))
	if got, err := read(r, s, 0, 0, 10); err != nil || !bytes.Equal(got, contents[0][:10]) {
		t.Errorf("an equal file: other bytes, or error %v", err)
	}
	must(t, os.Remove(path))
	r.Reopen(s, 0)
	if _, err := read(r, s, 0, blockLen, 10); !errors.Is(err, unix.ESTALE) {
		t.Errorf("no file: got error %v, want ESTALE", err)
	}
}

// A device that does not answer is asked once a second; one that does again is
// used again at once.
func TestBreaker(t *testing.T) {
	t.Parallel()
	s, _ := hashed(t, t.TempDir(), blockLen)
	r := NewReader(Options{Timeout: 50 * time.Millisecond})
	defer r.Close()
	var stuck Call
	stuck.Begin(context.Background(), r.Timeout)
	must(t, r.Enter(&stuck, s, 0))
	var late *TimeoutError
	if err := r.Late(&stuck, s); !errors.As(err, &late) || !errors.Is(err, unix.EIO) || late.After != r.Timeout || late.Path != s.refs[0].Path() {
		t.Errorf("got error %v, want a TimeoutError", err)
	}
	probes := 0
	for range 100 {
		var c Call
		c.Begin(context.Background(), r.Timeout)
		if err := r.Enter(&c, s, 0); err == nil {
			probes++
			r.Leave(&c)
		} else if !errors.As(err, &late) || late.After != 0 {
			t.Errorf("got error %v, want a TimeoutError at once", err)
		}
	}
	if probes != 1 {
		t.Errorf("%d probes at once, want 1", probes)
	}
	r.Leave(&stuck)
	r.devices.get(1).answered.Store(now())
	for range 100 {
		if _, err := read(r, s, 0, 0, 10); err != nil {
			t.Fatalf("after an answer: %v", err)
		}
	}
}

// Who waits for a slot stops waiting when nobody waits for him.
func TestSlots(t *testing.T) {
	t.Parallel()
	s, _ := hashed(t, t.TempDir(), blockLen)
	r := NewReader(Options{Timeout: time.Minute})
	defer r.Close()
	holders := make([]Call, cap(r.devices.get(1).slots))
	for i := range holders {
		holders[i].Begin(context.Background(), r.Timeout)
		must(t, r.Enter(&holders[i], s, 0))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var c Call
	c.Begin(ctx, r.Timeout)
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := r.Enter(&c, s, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	c.Begin(context.Background(), 20*time.Millisecond)
	if err := r.Enter(&c, s, 0); !errors.As(err, new(*TimeoutError)) {
		t.Errorf("got error %v, want a TimeoutError", err)
	}
	for i := range holders {
		r.Leave(&holders[i])
	}
	c.Begin(context.Background(), r.Timeout)
	must(t, r.Enter(&c, s, 0))
	must(t, r.Enter(&c, s, 0)) // has one there already
	r.Leave(&c)
	r.Leave(&c)
	if n := len(r.devices.get(1).slots); n != 0 {
		t.Errorf("%d slots are taken, want none", n)
	}
}

// A call that nobody waits for gives its slot away, and begins nothing anew; of
// those that hang, no more than there are slots.
func TestAbandon(t *testing.T) {
	t.Parallel()
	s, _ := hashed(t, t.TempDir(), blockLen)
	r := NewReader(Options{Timeout: time.Minute})
	defer r.Close()
	d := r.devices.get(1)
	hung := make([]Call, 2*cap(d.slots))
	for i := range hung {
		hung[i].Begin(context.Background(), r.Timeout)
		must(t, r.Enter(&hung[i], s, 0))
		r.Abandon(&hung[i])
		if err := r.Enter(&hung[i], s, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("abandoned: got error %v, want %v", err, context.Canceled)
		}
	}
	if n, parked := len(d.slots), d.parked.Load(); n != cap(d.slots) || int(parked) != cap(d.slots) {
		t.Errorf("%d slots are taken and %d calls are parked, want %d each", n, parked, cap(d.slots))
	}
	for i := range hung {
		r.Leave(&hung[i])
	}
	if n, parked := len(d.slots), d.parked.Load(); n != 0 || parked != 0 {
		t.Errorf("at the end %d slots are taken and %d calls are parked, want none", n, parked)
	}
}

func BenchmarkReadFull(b *testing.B) {
	dir := b.TempDir()
	s := &sources{}
	data := make([]byte, 64<<20)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(data)
	ref := source.Ref{Root: dir, Rel: "f"}
	if err := os.WriteFile(filepath.Join(dir, "f"), data, 0o644); err != nil {
		b.Fatal(err)
	}
	stat, err := ref.Lstat()
	if err != nil {
		b.Fatal(err)
	}
	s.refs, s.ids, s.blocks = []source.Ref{ref}, []source.Identity{stat.Identity}, make([][]uint32, 1)
	for at := 0; at < len(data); at += blockLen {
		s.blocks[0] = append(s.blocks[0], crc32.ChecksumIEEE(data[at:at+blockLen]))
	}
	p := make([]byte, 1<<20)
	for _, o := range modes {
		for _, tt := range []struct {
			name    string
			n, step int
			span    int
		}{{"sequential 1 MiB", 1 << 20, 1 << 20, len(data) - 2<<20}, {"4 KiB anywhere", 4096, 1_000_003 &^ 4095, len(data) - 1<<20}, {"4 KiB in 4 MiB", 4096, 1_000_003 &^ 4095, 4 << 20}} {
			b.Run(fmt.Sprintf("stat only %v, %s", o.StatOnly, tt.name), func(b *testing.B) {
				r := NewReader(o)
				defer r.Close()
				b.SetBytes(int64(tt.n))
				b.ReportAllocs()
				var c Call
				for i := range b.N {
					c.Begin(context.Background(), time.Minute)
					if err := r.ReadFull(&c, s, 0, p[:tt.n], 77+int64(i*tt.step%tt.span)); err != nil {
						b.Fatal(err)
					}
					r.Leave(&c)
				}
			})
		}
	}
}

// askedOnce are sources whose file changes just after it is asked for the first time
// whether a file is known.
type askedOnce struct {
	*sources
	change func()
}

func (s *askedOnce) Known(key uint64, is source.Identity) bool {
	known := s.sources.Known(key, is)
	if s.change != nil {
		s.change()
		s.change = nil
	}
	return known
}

// The state of a file counts only if it was looked at after the bytes were taken.
func TestStateAfterBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, contents := hashed(t, dir, 1000)
	x := &askedOnce{s, func() {
		must(t, os.WriteFile(s.refs[0].Path(), make([]byte, 1000), 0o644))
	}}
	r := NewReader(modes[1])
	defer r.Close()
	var c Call
	c.Begin(context.Background(), time.Minute)
	defer r.Leave(&c)
	p := make([]byte, 1000)
	if err := r.ReadFull(&c, x, 0, p, 0); err == nil && !bytes.Equal(p, contents[0]) {
		t.Error("got bytes that were written later")
	}
}

// One file that hangs on a device which answers otherwise is no reason to refuse
// the others.
func TestBreakerOneFile(t *testing.T) {
	t.Parallel()
	s, _ := hashed(t, t.TempDir(), blockLen, blockLen)
	r := NewReader(Options{Timeout: 50 * time.Millisecond})
	defer r.Close()
	var stuck Call
	stuck.Begin(context.Background(), r.Timeout)
	must(t, r.Enter(&stuck, s, 0))
	defer r.Leave(&stuck)
	time.Sleep(10 * time.Millisecond)
	if _, err := read(r, s, 1, 0, blockLen); err != nil {
		t.Fatal(err)
	}
	if err := r.Late(&stuck, s); !errors.As(err, new(*TimeoutError)) {
		t.Errorf("got error %v, want a TimeoutError", err)
	}
	for range 2 { // the first could be a probe
		var c Call
		c.Begin(context.Background(), r.Timeout)
		if err := r.Enter(&c, s, 1); err != nil {
			t.Errorf("another file of the device: %v", err)
		}
		r.Leave(&c)
	}
}

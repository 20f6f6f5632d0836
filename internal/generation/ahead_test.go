package generation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/require"
	"vzip/internal/verified"
)

// largeArchive is of one large file and many small ones.
func largeArchive(t testing.TB) *Archive {
	dir := t.TempDir()
	files := map[string]string{"src/x": "", "src/large": strings.Repeat("0123456789abcdef", 4<<20)}
	for i := range 1000 {
		files[fmt.Sprintf("src/small/%d", i)] = strings.Repeat(string(rune('a'+i%26)), i*37)
	}
	write(t, dir, files)
	var r read
	return build(t, load(t, dir, twoArchives), r.options(t, nil)).Archives[0]
}

// Reads of any size in any order, with others under way ahead of them, give the
// archive's bytes; and nothing is left under way, or counted, when the file is closed.
func TestReadAhead(t *testing.T) {
	a := largeArchive(t)
	want, err := io.ReadAll(io.NewSectionReader(a, 0, a.Size()))
	must(t, err)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			l, err := a.Open(true)
			must(t, err)
			rnd := rand.New(rand.NewPCG(7, uint64(w)))
			off, n := int64(0), 1<<20
			for range 150 {
				switch rnd.IntN(10) {
				case 0:
					off = rnd.Int64N(a.Size())
				case 1:
					n = 1 + rnd.IntN(1<<20)
				}
				if off >= a.Size() {
					off = 0
				}
				size := int(min(int64(n), a.Size()-off))
				d, err := l.Read(context.Background(), off, size)
				if err != nil {
					t.Errorf("%d bytes at %d: %v", size, off, err)
					return
				}
				if !bytes.Equal(bytes.Join(d.Slices(), nil), want[off:off+int64(size)]) {
					t.Errorf("%d bytes at %d differ", size, off)
				}
				d.Release()
				off += int64(size)
			}
			l.Close()
		})
	}
	wg.Wait()
	for end := time.Now().Add(10 * time.Second); (aheadBytes.Load() != 0 || InFlight() != 0) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if ahead, under := aheadBytes.Load(), InFlight(); ahead != 0 || under != 0 {
		t.Errorf("%d bytes are counted as read ahead, %d as under way, want none", ahead, under)
	}
}

// What failed when it was read ahead is read once more when it is asked for.
func TestReadAheadFails(t *testing.T) {
	a := largeArchive(t)
	l, err := a.Open(true)
	must(t, err)
	defer l.Close()
	const n = 512 << 10
	failed := 0
	for off := range int64(6) {
		d, err := l.Read(context.Background(), off*n, n)
		if err != nil {
			t.Fatalf("read %d: %v", off, err)
		}
		d.Release()
		for _, p := range l.ahead.parts {
			if !p.ready {
				<-p.done
				// As was true at that time.
				p.err = []error{unix.EIO, &SourceError{&verified.TimeoutError{}}}[failed%2]
				failed++
				p.done <- struct{}{}
			}
		}
	}
	if failed == 0 {
		t.Error("nothing is read ahead")
	}
}

// Who gives up gives up all that was begun for it alone.
func TestReadAheadCanceled(t *testing.T) {
	a := largeArchive(t)
	l, err := a.Open(true)
	must(t, err)
	defer l.Close()
	const n = 128 << 10
	var hang []*Data
	for i := range int64(3) {
		d := newData(make([]byte, n), false)
		d.a, d.off, d.want = a, i*n, n
		d.users.Store(2)
		d.call.Begin(context.Background(), time.Hour)
		aheadBytes.Add(n)
		l.ahead.parts = append(l.ahead.parts, part{Data: d})
		hang = append(hang, d)
	}
	l.ahead.row = 5
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Read(ctx, 0, 2*n); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	for i, d := range hang {
		if !d.call.Left() || d.users.Load() != 1 {
			t.Errorf("part %d: given up: %v, with %d users, want 1", i, d.call.Left(), d.users.Load())
		}
	}
}

// A read takes no memory that is not used again.
func TestReadAllocations(t *testing.T) {
	a := largeArchive(t)
	i, _ := a.Find("src/large")
	for _, n := range []int{4 << 10, 128 << 10, 1 << 20} {
		for _, ahead := range []bool{false, true} {
			l, err := a.Open(ahead)
			must(t, err)
			off := a.DataOffset(i)
			got := testing.AllocsPerRun(40, func() {
				d, err := l.Read(context.Background(), off, n)
				must(t, err)
				d.Release()
				off += int64(n)
			})
			if got > 0 && !require.RaceDetector { // a pool forgets some of what it is given then
				t.Errorf("%d bytes, read ahead %v: %v allocations, want 0", n, ahead, got)
			}
			l.Close()
		}
	}
}

func BenchmarkLeaseRead(b *testing.B) {
	a := largeArchive(b)
	for _, bc := range []struct {
		name  string
		n     int
		ahead bool
	}{{"4K", 4 << 10, false}, {"128K", 128 << 10, false}, {"1M", 1 << 20, false}, {"1M ahead", 1 << 20, true}} {
		b.Run(bc.name, func(b *testing.B) {
			l, err := a.Open(bc.ahead)
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			b.SetBytes(int64(bc.n))
			b.ReportAllocs()
			off := int64(0)
			for b.Loop() {
				d, err := l.Read(context.Background(), off, bc.n)
				if err != nil {
					b.Fatal(err)
				}
				d.Release()
				if off += int64(bc.n); off+int64(bc.n) > a.Size() {
					off = 0
				}
			}
		})
	}
}

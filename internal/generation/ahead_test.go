package generation

import (
	"context"
	"fmt"
	"strings"
	"testing"
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
			if got > 0 {
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

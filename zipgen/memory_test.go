package zipgen

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
)

// What an archive takes, its names included. Not parallel: what others allocate
// would count.
func TestMemory(t *testing.T) {
	const n = 200_000
	rnd := rand.New(rand.NewPCG(7, 8))
	for _, test := range []struct {
		name string
		at   func(i int) Entry
		most float64 // bytes an entry
	}{
		{"numbered", func(i int) Entry {
			return Entry{Name: fmt.Sprintf("folder-%04d/file-%07d.txt", i/1000, i), Mode: mode0644, Size: 7, ModTime: leapDay + int64(i/5000)}
		}, 22}, // 16 of them a name's own part
		{"a source tree", func(i int) Entry {
			folder := fmt.Sprintf("src/module-%03d/internal/component-%02d", i/1000, i/50%20)
			return Entry{Name: fmt.Sprintf("%s/%02d-%0*d.go", folder, i%50, rnd.IntN(20), i), Mode: mode0644, Size: rnd.Int64N(60_000), ModTime: leapDay + rnd.Int64N(3e8), UID: 1000, GID: 1000}
		}, 38}, // 18 of them a name's own part
		{"all different", func(i int) Entry {
			return Entry{Name: fmt.Sprintf("%06d/x", i), Mode: TypeFile | rnd.Uint32N(0o1000), Size: rnd.Int64N(1 << 40), ModTime: rnd.Int64N(1 << 32), UID: rnd.Uint32(), GID: rnd.Uint32()}
		}, 44},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		b := NewBuilder(Options{Owners: true})
		for i := range n {
			if err := b.Add(test.at(i)); err != nil {
				t.Fatal(err)
			}
		}
		a, err := b.Archive()
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if got := (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / n; got > test.most {
			t.Errorf("%s: got %.1f bytes an entry, want at most %v", test.name, got, test.most)
		} else {
			t.Logf("%s: %.1f bytes an entry", test.name, got)
		}
		runtime.KeepAlive(a)
	}
}

package generation

import (
	"context"
	"testing"

	"vzip/internal/checksum"
)

// TestUntil: nothing is read ahead behind what a reader says that it wants.
func TestUntil(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const size = 6 * checksum.BlockLen
	write(t, dir, map[string]string{"src/one": string(make([]byte, size)), "src/two": string(make([]byte, size))})
	l := load(t, dir, "version: 1\ndefaults: {split: 1MiB}\narchives: [{name: a.zip, entries: [{source: src}]}]")
	g := build(t, l, new(read).options(t, nil))
	for _, f := range g.Files() { // the archive, and two volumes
		for _, bounded := range []bool{true, false} {
			h, err := f.Open(true)
			must(t, err)
			const first, end = int64(0), int64(300_007)
			if bounded {
				h.Until(end)
			}
			var ahead *readAhead
			switch h := h.(type) {
			case *Lease:
				ahead = h.ahead
			case *volume:
				ahead = h.Lease.ahead
			}
			furthest, parts := int64(0), 0
			for off := first; off < end; {
				n := int(min(1<<16, end-off))
				b, err := h.Read(context.Background(), off, n)
				must(t, err)
				if b.Len() != n {
					t.Fatalf("got %d bytes of %d", b.Len(), n)
				}
				b.Release()
				off += int64(n)
				for _, p := range ahead.parts {
					furthest, parts = max(furthest, p.until()-f.from), parts+1
				}
			}
			h.Close()
			if parts == 0 || (furthest > end) == bounded {
				t.Errorf("%s, bounded %v: read up to %d, want %d", f.Path, bounded, furthest, end)
			}
		}
	}
}

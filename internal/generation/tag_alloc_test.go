package generation

import (
	"os"
	"path/filepath"
	"testing"

	"vzip/internal/require"
)

// TestEntryTagAlloc: the tag of an entry of very many blocks takes no more memory than
// that of a file of a few.
func TestEntryTagAlloc(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/few": string(make([]byte, 1<<20))})
	must(t, os.WriteFile(filepath.Join(dir, "src/many"), nil, 0o644))
	must(t, os.Truncate(filepath.Join(dir, "src/many"), 1<<30)) // a hole
	g := build(t, load(t, dir, "version: 1\narchives: [{name: a.zip, entries: [{source: src, as: .}]}]"), new(read).options(t, nil))
	a := g.Archives[0]
	allocs := func(name string) float64 {
		i, ok := a.Find(name)
		if !ok {
			t.Fatal(name)
		}
		return testing.AllocsPerRun(20, func() {
			if _, ok := a.EntryTag(i); !ok {
				t.Fatalf("%s has no tag", name)
			}
		})
	}
	if few, many := allocs("few"), allocs("many"); many > few && !require.RaceDetector {
		t.Errorf("got %v allocations, of a few blocks %v", many, few)
	}
}

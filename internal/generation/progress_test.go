package generation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vzip/internal/checksum"
)

// TestProgress: each archive's bytes are counted until all are hashed, also those of files
// that others have, too, and of those that can't be read.
func TestProgress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345", "src/empty": "", "src/large": strings.Repeat("large ", checksum.BlockLen)})
	must(t, os.Link(filepath.Join(dir, "src/x"), filepath.Join(dir, "src/again")))
	const size = 6*checksum.BlockLen + 10
	l := load(t, dir, "version: 1\narchives: [{name: a.zip, entries: [{source: src}]}, {name: b.zip, entries: [{source: src/x}]}]")
	g, start := early(t, l, new(read).options(t, nil))
	want := func(a, b Progress) {
		t.Helper()
		got := g.Progress()
		if len(got) != 2 || got[0] != a || got[1] != b || g.Archives[0].Progress() != a || g.Archives[1].Progress() != b {
			t.Errorf("got %+v, want %+v and %+v", got, a, b)
		}
	}
	want(Progress{Files: 4, Size: size}, Progress{Files: 1, Size: 5})
	if tag, ok := g.Archives[0].EntryTag(1); ok {
		t.Errorf("got tag %s", tag)
	}
	if failed := <-start(); failed > 0 {
		t.Fatalf("%d failed", failed)
	}
	want(Progress{Done: size, Size: size}, Progress{Done: 5, Size: 5})

	must(t, os.Remove(filepath.Join(dir, "src/large")))
	must(t, os.WriteFile(filepath.Join(dir, "src/large"), make([]byte, 7), 0o644))
	g, start = early(t, l, new(read).options(t, nil))
	must(t, os.Chtimes(filepath.Join(dir, "src/large"), time.Now(), time.Unix(1, 0)))
	if failed := <-start(); failed != 1 {
		t.Fatalf("%d failed", failed)
	}
	want(Progress{Files: 1, Done: 10, Size: 17, Ended: true, Changed: true}, Progress{Done: 5, Size: 5})
}

func TestEntryTag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := []byte(strings.Repeat("large ", checksum.BlockLen))
	write(t, dir, map[string]string{"src/a/x": "12345", "src/b/x": "12345", "src/c": "12346", "src/large": string(large), "src/forged": string(forged(t, large))})
	must(t, os.Symlink("12345", filepath.Join(dir, "src/link")))
	g := build(t, load(t, dir, "version: 1\narchives: [{name: a.zip, symlinks: store, entries: [{source: src, as: .}]}]"), new(read).options(t, nil))
	tag := func(name string) string {
		i, ok := g.Archives[0].Find(name)
		if !ok {
			t.Fatalf("there is no %s", name)
		}
		tag, _ := g.Archives[0].EntryTag(i)
		return tag
	}
	if tag("a/x") != tag("b/x") || tag("a/x") == tag("c") || len(tag("c")) != 2*tagLen {
		t.Errorf("got %s, %s, %s", tag("a/x"), tag("b/x"), tag("c"))
	}
	if tag("large") == tag("forged") {
		t.Error("other bytes of one CRC-32 have the same tag")
	}
	if tag("link")+tag("a/") != "" {
		t.Error("what is no file has a tag")
	}
}

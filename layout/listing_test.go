package layout

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// A folder that several mappings store is listed once: what appears between is
// in all archives or in none.
func TestOneListing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{"src/a/b", "src/c"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "layout.yaml")
	text := `version: 1
archives:
  - name: first.zip
    entries:
      - {source: src, as: x}
      - {source: src/a, as: y}
  - name: second.zip
    entries: [{source: src}]
  - name: third.zip
    entries: [{source: src/c}]
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Load(file, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	var archives []*Archive
	for i := range l.Archives {
		archives = append(archives, &l.Archives[i])
	}
	listings := newListings(archives)
	src := archives[1].Mappings[0].ref
	for _, tt := range []struct {
		rel   string
		times int
	}{{".", 2}, {"a", 3}, {"a/b", 3}, {"c", 3}} {
		ref := src
		ref.Rel = tt.rel
		_, before, err := listings.read(ref, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(ref.Path(), "new"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		for range tt.times - 1 {
			if _, kept := listings.kept[listed{ref.Path(), false}]; !kept {
				t.Errorf("%s: forgotten too early", tt.rel)
			}
			_, again, err := listings.read(ref, false)
			if err != nil || len(again) != len(before) {
				t.Errorf("%s: listed again: got %d names and %v, want %d", tt.rel, len(again), err, len(before))
			}
		}
		if _, kept := listings.kept[listed{ref.Path(), false}]; kept {
			t.Errorf("%s: kept after all mappings have it", tt.rel)
		}
		_, fresh, err := listings.read(ref, false)
		if err != nil || len(fresh) != len(before)+1 {
			t.Errorf("%s: after all mappings: got %d names and %v, want %d", tt.rel, len(fresh), err, len(before)+1)
		}
		delete(listings.kept, listed{ref.Path(), false})
		if err := os.Remove(filepath.Join(ref.Path(), "new")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Scan(context.Background(), ScanOptions{Warn: func(s string) { t.Error(s) }}); err != nil {
		t.Error(err)
	}
}

package layout

import (
	"context"
	"os"
	"path/filepath"
	"strings"
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

// Each folder is told once and before it is listed, though folders are listed ahead:
// what is put into it then is in the archive.
func TestToldBeforeListed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a/1/x", "src/a/2/", "src/a/3/deep/", "src/b", "src/c/", "src/c-/", "src/d/out/x")
	told := map[string]int{}
	l := load(t, dir, one("directories: false", "{source: src, as: ., exclude: [d/out]}"))
	plans, err := l.Scan(t.Context(), ScanOptions{Folder: func(p string) {
		told[strings.TrimPrefix(p, dir+"/")]++
		must(t, os.WriteFile(p+"/late", nil, 0o644))
	}})
	must(t, err)
	wantLines(t, show(t, plans[0]), []string{
		"a/1/late = ", "a/1/x = src/a/1/x", "a/2/late = ", "a/3/deep/late = ", "a/3/late = ",
		"a/late = ", "b = src/b", "c-/late = ", "c/late = ", "d/late = ", "late = ",
	})
	for _, folder := range []string{"src", "src/a", "src/a/1", "src/a/2", "src/a/3", "src/a/3/deep", "src/c", "src/c-", "src/d"} {
		if told[folder] != 1 {
			t.Errorf("%s was told %d times, want 1", folder, told[folder])
		}
		delete(told, folder)
	}
	if len(told) > 0 {
		t.Errorf("told of %v too", told)
	}
}

package layout

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStores(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "src/sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "src/file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, entry, only, file string
		want                    bool
	}{
		{"in it", "{source: src}", "", "src/x", true},
		{"below it", "{source: src}", "", "src/.cache/vzip/x", true},
		{"beside it", "{source: src}", "", "src2/x", false},
		{"above it", "{source: src/sub}", "", "src/x", false},
		{"this archive", "{source: src}", "a.zip", "src/x", true},
		{"another archive", "{source: src}", "b.zip", "src/x", false},
		{"the file itself", "{source: src/file}", "", "src/file", true},
		{"beside a file", "{source: src/file}", "", "src/x", false},
		{"excluded", `{source: src, exclude: ["**/x"]}`, "", "src/c/x", false},
		{"its folder excluded", `{source: src, exclude: [".cache/"]}`, "", "src/.cache/vzip/x", false},
		{"included", `{source: src, include: ["c/**"]}`, "", "src/c/x", true},
		{"its folder included", `{source: src, include: ["c"]}`, "", "src/c/d/x", true},
		{"not included", `{source: src, include: ["*.txt"]}`, "", "src/c/x", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(dir, "layout.yaml")
			text := "version: 1\narchives:\n  - {name: a.zip, entries: [" + tt.entry + "]}\n  - {name: b.zip, entries: []}\n"
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			l, err := Load(file, func(string) (string, bool) { return "", false })
			if err != nil {
				t.Fatal(err)
			}
			if archive, got := l.Stores(filepath.Join(dir, tt.file), tt.only); got != tt.want || got && archive != "a.zip" {
				t.Errorf("got %v in %q, want %v", got, archive, tt.want)
			}
		})
	}
}

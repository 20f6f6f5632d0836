package portable

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vzip/layout"
)

func TestIsReserved(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"CON": true, "con": true, "Con.txt": true, "nul.tar.gz": true, "aux .x": true, "PRN": true, "COM1": true, "lpt9.log": true, "com²": true, "CONIN$": true,
		"console": false, "COM": false, "com0": false, "com10": false, "lpt": false, "acon": false, "com1x": false, "": false, ".con": false, "nul_": false,
	} {
		if got := isReserved(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// plan archives a tree: names that end in "/" are folders, "a -> b" a link.
func plan(t *testing.T, options string, names ...string) *layout.Plan {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		name, target, isLink := strings.Cut(name, " -> ")
		path := filepath.Join(dir, "src", name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(target, path)
		default:
			err = os.WriteFile(path, nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "layout.yaml")
	text := "version: 1\narchives:\n  - name: a.zip\n    " + options + "\n    entries: [{source: src, as: .}]\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := layout.Load(file, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	plans, err := l.Scan(t.Context(), layout.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return plans[0]
}

// Both sides of each limit of a name.
func TestNames(t *testing.T) {
	t.Parallel()
	folder := strings.Repeat("d", 200) + "/"
	for _, test := range []struct {
		name, want string // want: a part of the only message, "" for none
	}{
		{"plain.txt", ""},
		{folder + strings.Repeat("f", 58), ""},
		{folder + strings.Repeat("f", 59), "1 path is longer than 259 characters"},
		{strings.Repeat("é", 100) + "/" + strings.Repeat("é", 127), ""}, // 455 bytes
		{strings.Repeat("x", 255), ""},
		{"a.b", ""}, {"a.", "ends in a dot or blank"}, {"a ", "ends in a dot or blank"}, {" a", ""}, {"...", "ends in a dot"},
		{"a:b", "1 name starts as paths on a Windows drive do"}, {"Z:/x", "as paths on a Windows drive do"}, {"1:b", "holds one of"}, {"d/a:b", "holds one of"}, {"a*", "holds one of"}, {"a;b", ""},
		{"back\\slash", "bytes that are not UTF-8"}, {"tab\t", "bytes that are not UTF-8"}, {"\xff", "bytes that are not UTF-8"}, {"del\x7f", "bytes that are not UTF-8"},
	} {
		got := Check(plan(t, "names: raw", test.name), true)
		if test.want == "" && len(got) > 0 || test.want != "" && (len(got) == 0 || !strings.Contains(got[0], test.want)) {
			t.Errorf("%.80q: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	for link, out := range map[string]bool{
		"a -> b": false, "d/a -> ../b": false, "d/a -> ../../b": true, "a -> ..": true, "a -> /b": true, "a -> ./b/../c": false, "a -> ..b": false, "d/a -> ..": false,
	} {
		got := strings.Join(Check(plan(t, "names: error", link), true), "\n")
		if strings.Contains(got, "out of the archive") != out || !strings.Contains(got, "1 entry is a symbolic link") {
			t.Errorf("%s: got %q", link, got)
		}
	}
}

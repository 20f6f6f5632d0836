package layout

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What lies on disk and a layout can't have.
func TestBrokenDisk(t *testing.T) {
	t.Parallel()
	follow := one("symlinks: follow", "source: src")
	for _, tt := range []struct {
		name        string
		files       []string
		text        string
		sourcesOnly bool
		want        []string
	}{
		{"FIFO as source", []string{"fifo |"}, one("", "source: fifo"), true, []string{
			"5:17: source fifo is no file or folder: name one of these"}},
		{"device as source", nil, one("", "source: /dev/null"), true, []string{
			"5:17: source /dev/null is no file or folder: name one of these"}},
		{"link to nothing as source", []string{"link -> nothing"}, one("", "source: link"), true, []string{
			"5:17: source link: no such file or directory: check the path and its permissions"}},
		{"link to itself as source", []string{"loop -> loop"}, one("", "source: loop/x"), true, []string{
			"5:17: source loop/x: too many levels of symbolic links: check the path and its permissions"}},
		{"source with a long name", nil, one("", "source: "+strings.Repeat("n", 256)), true, []string{
			"5:17: source " + strings.Repeat("n", 256) + ": file name too long: check the path and its permissions"}},
		{"bad name as source", []string{`a\b`, "c\nd/e"}, one("", `source: 'a\b'`, `source: "c\nd"`), false, []string{
			`5:17: source a\b: the name "a\\b" holds a backslash, which some readers refuse: rename it, exclude it, or set names: escape`,
			`6:17: source c\nd: the name "c\nd" holds a control character, which some readers refuse: rename it, exclude it, or set names: escape`}},

		{"a bad name on the way", []string{"src/\x1b[2J\u0085/a\\b", "src/\n\xff/c\\d"}, one("", "{source: src, as: .}"), false, []string{
			`5:18: in src: the name "\n\xff" holds a control character, which some readers refuse: rename it, exclude it, or set names: escape`,
			`5:18: in src: the name "\x1b[2J\u0085" holds a control character, which some readers refuse: rename it, exclude it, or set names: escape`}},
		{"a steering name on the way", []string{"src/\x1b[2J\n/link -> nothing"}, one("symlinks: follow\n    names: raw", "{source: src, as: .}"), true, []string{
			`7:18: the symbolic link src/\x1b[2J\n/link leads nowhere: exclude it, or use symlinks: store`}},
		{"bad names", []string{"src/a\\b", "src/d\x7f/x", "src/e\tf", "src/ok", "src/\xff\xfe", "src/sub/caf\xe9 -> x"}, one("", "source: src"), false, []string{
			`5:17: in src: the name "a\\b" holds a backslash, which some readers refuse: rename it, exclude it, or set names: escape`,
			`5:17: in src: the name "d\x7f" holds a control character, which some readers refuse: rename it, exclude it, or set names: escape`,
			`5:17: in src: the name "e\tf" holds a control character, which some readers refuse: rename it, exclude it, or set names: escape`,
			`5:17: in src: the name "\xff\xfe" is not UTF-8, which some readers refuse: rename it, exclude it, or set names: escape`,
			`5:17: in src/sub: the name "caf\xe9" is not UTF-8, which some readers refuse: rename it, exclude it, or set names: escape`}},
		{"links forbidden", []string{"src/link -> f", "src/f", "src/sub/up -> .."}, one("symlinks: error", "source: src"), false, []string{
			"6:17: src/link is a symbolic link, and symlinks: error forbids them: exclude it, or use store, follow or skip",
			"6:17: src/sub/up is a symbolic link, and symlinks: error forbids them: exclude it, or use store, follow or skip"}},
		{"special files forbidden", []string{"src/fifo |", "src/f"}, one("special: error", "source: src"), false, []string{
			"6:17: src/fifo is a FIFO, and special: error forbids it: exclude it, or use skip"}},

		{"followed to nothing", []string{"src/link -> nothing"}, follow, true, []string{
			"6:17: the symbolic link src/link leads nowhere: exclude it, or use symlinks: store"}},
		{"followed to itself", []string{"src/link -> link"}, follow, true, []string{
			"6:17: the symbolic link src/link leads to itself: exclude it, or use symlinks: store"}},
		{"followed out", []string{"secret", "src/link -> ../secret"}, follow, true, []string{
			"6:17: the symbolic link src/link is absolute or leads out of the source folder, and is not followed there: exclude it, or use symlinks: store"}},
		{"followed out by a folder", []string{"secret/x", "src/sub/in -> ../out", "src/out -> ../secret"}, follow, true, []string{
			"6:17: the symbolic link src/out is absolute or leads out of the source folder, and is not followed there: exclude it, or use symlinks: store",
			"6:17: the symbolic link src/sub/in is absolute or leads out of the source folder, and is not followed there: exclude it, or use symlinks: store"}},
		{"followed to an absolute path", []string{"src/passwd -> /etc/passwd"}, follow, true, []string{
			"6:17: the symbolic link src/passwd is absolute or leads out of the source folder, and is not followed there: exclude it, or use symlinks: store"}},
		{"followed in a circle", []string{"src/a/b/up -> ..", "src/a/b/top -> ../..", "src/a/b/self -> ."}, follow, true, []string{
			"6:17: the symbolic link src/a/b/self leads to a folder that it is in: exclude it, or use symlinks: store",
			"6:17: the symbolic link src/a/b/top leads to a folder that it is in: exclude it, or use symlinks: store",
			"6:17: the symbolic link src/a/b/up leads to a folder that it is in: exclude it, or use symlinks: store"}},
		{"followed in a circle of two", []string{"src/a/to-b -> ../b", "src/b/to-a -> ../a"}, follow, true, []string{
			"6:17: the symbolic link src/a/to-b/to-a leads to a folder that it is in: exclude it, or use symlinks: store",
			"6:17: the symbolic link src/b/to-a/to-b leads to a folder that it is in: exclude it, or use symlinks: store"}},

		{"both kinds", []string{"src/link -> nothing", "src/f|g", "other/a\\b"}, one("symlinks: follow", "source: src", "source: other"), false, []string{
			"6:17: the symbolic link src/link leads nowhere: exclude it, or use symlinks: store",
			`7:17: in other: the name "a\\b" holds a backslash, which some readers refuse: rename it, exclude it, or set names: escape`}},
		{"all excluded", []string{"src/a\\b", "src/fifo |", "src/link -> /"}, one("symlinks: error\n    special: error",
			`{source: src, exclude: ['a\\b', fifo, link]}`), false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tree(t, dir, tt.files...)
			got, sourcesOnly := attempt(t, save(t, dir, tt.text), env())
			var want string
			for i, line := range tt.want {
				if i > 0 {
					want += "\n"
				}
				want += "layout.yaml:" + line
			}
			if got != want || sourcesOnly != tt.sourcesOnly {
				t.Errorf("got (sources alone: %v):\n%s\nwant (sources alone: %v):\n%s", sourcesOnly, got, tt.sourcesOnly, want)
			}
		})
	}
}

// A tree of very many bad names is not walked to its end.
func TestManyBadNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 30 {
		for j := range 30 {
			tree(t, dir, fmt.Sprintf("src/%d/%d\n", i, j))
		}
	}
	l := load(t, dir, one("", "source: src", "{source: src, as: b}"))
	_, err := l.Scan(t.Context(), ScanOptions{})
	var problems *Problems
	if !errors.As(err, &problems) || len(problems.List) < 101 || len(problems.List) > 200 {
		t.Errorf("got %d problems, want a little over 100", len(problems.List))
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 101 || !strings.HasSuffix(lines[100], "layout.yaml: more problems follow: mend these first") {
		t.Errorf("got %d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// Sources that change between Load and Scan.
func TestScanOfChanged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   string
	}{
		{"folder removed", func(t *testing.T, dir string) { must(t, os.RemoveAll(dir+"/src")) },
			"5:17: source src: no such file or directory: check that nobody changes it meanwhile"},
		{"folder becomes a file", func(t *testing.T, dir string) {
			must(t, os.Rename(dir+"/src", dir+"/gone"))
			tree(t, dir, "src")
		}, "5:17: source src: not a directory: check that nobody changes it meanwhile"},
		{"folder becomes a link", func(t *testing.T, dir string) {
			must(t, os.Rename(dir+"/src", dir+"/real"))
			tree(t, dir, "src -> real")
		}, "5:17: source src: too many levels of symbolic links: check that nobody changes it meanwhile"},
		{"file removed", func(t *testing.T, dir string) { must(t, os.Remove(dir+"/file")) },
			"6:17: source file: no such file or directory: check that nobody changes it meanwhile"},
		{"file becomes a folder", func(t *testing.T, dir string) {
			must(t, os.Remove(dir+"/file"))
			tree(t, dir, "file/")
		}, "6:17: source file: it is of another file type now: check that nobody changes it meanwhile"},
		{"file becomes a link", func(t *testing.T, dir string) {
			must(t, os.Remove(dir+"/file"))
			tree(t, dir, "file -> /etc/passwd")
		}, "6:17: source file: it is of another file type now: check that nobody changes it meanwhile"},
		{"file becomes a FIFO", func(t *testing.T, dir string) {
			must(t, os.Remove(dir+"/file"))
			tree(t, dir, "file |")
		}, "6:17: source file: it is of another file type now: check that nobody changes it meanwhile"},
		{"nothing", func(t *testing.T, dir string) {}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tree(t, dir, "src/a", "file")
			l := load(t, dir, one("", "source: src", "source: file"))
			tt.change(t, dir)
			_, err := l.Scan(t.Context(), ScanOptions{})
			var problems *Problems
			switch {
			case tt.want == "":
				must(t, err)
			case !errors.As(err, &problems) || !problems.SourcesOnly():
				t.Errorf("got error %v, want Problems of sources alone", err)
			default:
				got := strings.ReplaceAll(err.Error(), filepath.Dir(l.File)+"/", "")
				if got != "layout.yaml:"+tt.want {
					t.Errorf("got  %s\nwant layout.yaml:%s", got, tt.want)
				}
			}
		})
	}
}

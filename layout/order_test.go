package layout

import (
	"os"
	"slices"
	"strings"
	"testing"

	"vzip/zipgen"
)

// Entries come in bytewise order of their whole names: "a-b" (0x2d) and "a.txt"
// (0x2e) stand before "a/" (0x2f), and "a0" (0x30) behind all that is in it.
func TestOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a/", "src/a/z", "src/a/-", "src/a-b", "src/a.txt", "src/a0", "src/a!", "src/A", "src/é", "src/~", "src/z/0/", "src/z-/x")
	got, warnings := shown(t, dir, one("", "source: src\n        as: ."))
	wantLines(t, got, []string{
		"A = src/A", "a! = src/a!", "a-b = src/a-b", "a.txt = src/a.txt",
		"a/", "a/- = src/a/-", "a/z = src/a/z", "a0 = src/a0",
		"z-/", "z-/x = src/z-/x", "z/", "z/0/", "~ = src/~", "é = src/é",
	})
	wantLines(t, warnings, nil)
}

// An escaped name is sorted as it is spelt in the archive.
func TestOrderOfEscaped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/\x01", "src/!", "src/$", "src/%", "src/%01", "src/&", "src/\xff/x", "src/\\/x", "src/~")
	got, _ := shown(t, dir, one("names: escape", "source: src\n        as: ."))
	wantLines(t, got, []string{
		"! = src/!", "$ = src/$", "% = src/%", "%01 = src/\x01", "%2501 = src/%01",
		"%5C/", "%5C/x = src/\\/x", "%FF/", "%FF/x = src/\xff/x", "& = src/&", "~ = src/~",
	})
	got, _ = shown(t, dir, one("names: raw", "source: src\n        as: ."))
	wantLines(t, got, []string{
		"\x01 = src/\x01", "! = src/!", "$ = src/$", "% = src/%", "%01 = src/%01", "& = src/&",
		"\\/", "\\/x = src/\\/x", "~ = src/~", "\xff/", "\xff/x = src/\xff/x",
	})
}

func TestDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/empty/", "src/full/x", "src/full/empty/deep/", "file", "bare/")
	got, _ := shown(t, dir, one("", "source: src", "source: bare"))
	wantLines(t, got, []string{"bare/", "src/", "src/empty/", "src/full/", "src/full/empty/", "src/full/empty/deep/", "src/full/x = src/full/x"})
	got, _ = shown(t, dir, one("directories: false", "source: src", "source: bare", "source: file\n        as: x/y"))
	wantLines(t, got, []string{"src/full/x = src/full/x", "x/y = file"})

	got, warnings := shown(t, dir, one("directories: false", "source: bare"))
	wantLines(t, got, nil)
	wantLines(t, warnings, []string{"archive a.zip is empty"})
	got, warnings = shown(t, dir, one("", "source: bare\n        as: ."))
	wantLines(t, got, nil)
	wantLines(t, warnings, []string{"archive a.zip is empty"})
}

// What a folder lists first does not matter: not for the entries, nor for what is
// said.
func TestSameInAnyOrder(t *testing.T) {
	t.Parallel()
	var files []string
	for _, folder := range []string{"", "a/", "a/b/", "b/", "b-/", "ä/"} {
		for _, file := range []string{"x", "x0", "x-", "y", "\x7f", "fifo |", "link -> x"} {
			files = append(files, "src/"+folder+file)
		}
	}
	var first struct {
		entries  []zipgen.Entry
		list     []string
		problems string
	}
	for i := range 4 {
		dir := t.TempDir()
		switch i {
		case 1:
			slices.Reverse(files)
		case 2:
			slices.Sort(files)
		case 3: // folders that had other content before
			tree(t, dir, "src/a/1", "src/a/2", "src/a/b/3")
			for _, gone := range []string{"src/a/1", "src/a/2", "src/a/b/3"} {
				must(t, os.Remove(dir+"/"+gone))
			}
		}
		tree(t, dir, files...)

		plans, warnings := scanAll(t, load(t, dir, one("names: escape\n    mtime: 2026-01-31T12:00:00Z", "source: src")))
		got := first
		got.entries, got.list = entries(plans[0]), show(t, plans[0])
		for _, w := range warnings {
			got.list = append(got.list, strings.ReplaceAll(w, dir+"/", ""))
		}
		got.problems, _ = attempt(t, save(t, dir, one("symlinks: error\n    special: error", "source: src", "source: src/a\n        as: src/b-")), env())
		if i == 0 {
			first = got
			continue
		}
		wantLines(t, got.list, first.list)
		wantLines(t, strings.Split(got.problems, "\n"), strings.Split(first.problems, "\n"))
		if !slices.Equal(got.entries, first.entries) {
			t.Errorf("got %+v, want %+v", got.entries, first.entries)
		}
	}
}

package layout

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// packings lists an archive's entries, each with its packing.
func packings(t *testing.T, p *Plan) []string {
	t.Helper()
	var list []string
	packs := false
	for i := range p.Len() {
		how := "stored"
		if packing := p.Packing(i); packing != 0 {
			how, packs = fmt.Sprint(packing.Level()), true
			if packing.Auto() {
				how += " auto"
			}
		} else if packing.Level() != 0 || packing.Auto() {
			t.Errorf("%s: stored, with level %d and auto %v", p.EntryName(i), packing.Level(), packing.Auto())
		}
		list = append(list, p.EntryName(i)+": "+how)
	}
	if p.Packs() != packs {
		t.Errorf("got Packs %v, want %v", p.Packs(), packs)
	}
	return list
}

// Nothing but files with content is packed, and what a plan knows of them besides stays.
func TestPackings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a", "src/empty", "src/folder/", "src/link -> a", "src/z")
	must(t, os.Truncate(dir+"/src/empty", 0))
	must(t, os.Link(dir+"/src/z", dir+"/other"))
	list := func(how string) []string {
		return []string{"src/: stored", "src/a: " + how, "src/empty: stored", "src/folder/: stored", "src/link: stored", "src/z: " + how}
	}
	for options, want := range map[string]string{
		"{}":                               "stored",
		"{level: 9}":                       "stored",
		"{method: store, store: ['*']}":    "stored",
		"{method: deflate}":                "6",
		"{method: deflate, level: 1}":      "1",
		"{method: auto, level: '9'}":       "9 auto",
		"{method: '${M}', level: '${L}'}":  "3 auto",
		"{method: deflate, store: ['*']}":  "stored",
		"{method: auto, store: [nothing]}": "6 auto",
	} {
		text := "version: 1\ndefaults: " + options + "\narchives: [{name: a.zip, entries: [{source: src}]}]\n"
		l, err := Load(save(t, dir, text), env("M", "auto", "L", "3"))
		must(t, err)
		plans, warnings := scanAll(t, l)
		wantLines(t, warnings, nil)
		p := plans[0]
		wantLines(t, packings(t, p), list(want))
		wantLines(t, show(t, p), []string{"src/", "src/a = src/a", "src/empty = ", "src/folder/", "src/link -> a", "src/z = src/z"})
		if p.HardLinked(1) || !p.HardLinked(5) {
			t.Errorf("%s: got hard links %v and %v, want that of src/z", options, p.HardLinked(1), p.HardLinked(5))
		}
	}
}

// An entry's keys win over its archive's, and these over the defaults, each by itself.
func TestPackingOverrides(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a.txt", "src/b.jpg")
	for _, test := range []struct{ defaults, archive, entry, text, jpg string }{
		{"method: auto", "", "", "6 auto", "6 auto"},
		{"method: auto", "method: deflate", "", "6", "6"},
		{"method: auto", "method: deflate", "method: store", "stored", "stored"},
		{"method: deflate, level: 2", "", "method: auto", "2 auto", "2 auto"},
		{"method: deflate, level: 2", "level: 3", "", "3", "3"},
		{"method: deflate, level: 2", "level: 3", "level: 4", "4", "4"},
		{"", "", "method: deflate, level: 1", "1", "1"},
		{"method: deflate, store: ['*.jpg']", "", "", "6", "stored"},
		{"method: deflate, store: ['*.jpg']", "store: ['*.txt']", "", "stored", "6"},
		{"method: deflate, store: ['*.jpg']", "", "store: ['*.txt']", "stored", "6"},
		{"method: deflate, store: ['*.jpg']", "", "store: []", "6", "6"},
		{"method: deflate, store: ['*.jpg']", "store: []", "", "6", "6"},
		{"store: ['*.jpg']", "", "method: auto", "6 auto", "stored"},
		{"method: deflate", "store: ['*']", "level: 7, store: ['*.jpg']", "7", "stored"},
	} {
		keys := func(keys ...string) string {
			return "{" + strings.TrimPrefix(strings.ReplaceAll(strings.Join(keys, ", "), ", , ", ", "), ", ") + "}"
		}
		// Options come after the entries that they are for, which is all the same.
		text := "version: 1\narchives: [" + keys("name: a.zip", "entries: ["+keys("source: src", test.entry)+", {source: src, as: other, method: store}]", test.archive) + "]\n" +
			"defaults: {" + test.defaults + "}\n"
		plans, _ := scanAll(t, load(t, dir, text))
		wantLines(t, packings(t, plans[0]), []string{
			"other/: stored", "other/a.txt: stored", "other/b.jpg: stored",
			"src/: stored", "src/a.txt: " + test.text, "src/b.jpg: " + test.jpg,
		})
	}
}

func TestStorePatterns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a.jpg", "src/a.txt", "src/deep/a.jpg", "src/deep/media/b.txt", "src/deep/new\nline", "src/media/x/c.txt", "src/media.txt")
	all := []string{"a.jpg", "a.txt", "deep/a.jpg", "deep/media/b.txt", "deep/new%0Aline", "media.txt", "media/x/c.txt"}
	for patterns, stored := range map[string]string{
		"'*.jpg'":              "a.jpg deep/a.jpg",
		"a.jpg":                "a.jpg deep/a.jpg",
		"'*.{jpg,png}'":        "a.jpg deep/a.jpg",
		"'deep/*.jpg'":         "deep/a.jpg",
		"'**/*.jpg'":           "a.jpg deep/a.jpg",
		"media/":               "media/x/c.txt",
		"media":                "", // no file's name
		"'**/media/'":          "deep/media/b.txt media/x/c.txt",
		"deep/media":           "deep/media/b.txt",
		"'*/x'":                "media/x/c.txt",
		"media/x/c.txt":        "media/x/c.txt",
		"media/x/c.txt/":       "",                // no folder
		"x/c.txt":              "",                // not relative to the source
		"src/a.txt":            "",                // nor this
		"'new?line'":           "deep/new%0Aline", // names are those on disk
		"'*'":                  strings.Join(all, " "),
		"'a.{txt/x,jpg}'":      "a.jpg", // a slash anywhere makes it a path
		"a.txt, media/, a.gif": "a.txt media/x/c.txt",
	} {
		options := "method: deflate\n    names: escape\n    directories: false\n    store: [" + patterns + "]"
		plans, warnings := scanAll(t, load(t, dir, one(options, "{source: src, as: .}")))
		wantLines(t, warnings, nil)
		var want []string
		for _, name := range all {
			how := "6"
			if strings.Contains(" "+stored+" ", " "+name+" ") {
				how = "stored"
			}
			want = append(want, name+": "+how)
		}
		t.Run(patterns, func(t *testing.T) { wantLines(t, packings(t, plans[0]), want) })
	}
}

// A source that is a file is matched by its own name, not by that in the archive or of
// what it is a link to.
func TestStorePatternsOfFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a.jpg", "src/link.png -> a.jpg")
	for _, test := range []struct{ source, pattern, want string }{
		{"src/a.jpg", "'*.jpg'", "stored"},
		{"src/a.jpg", "a.jpg", "stored"},
		{"src/a.jpg", "'**/*.jpg'", "stored"},
		{"src/a.jpg", "b.txt", "6 auto"},
		{"src/a.jpg", "src/a.jpg", "6 auto"},
		{"src/a.jpg", "src/", "6 auto"},
		{"src/link.png", "'*.png'", "stored"},
		{"src/link.png", "'*.jpg'", "6 auto"},
	} {
		l := load(t, dir, one("method: auto", "{source: "+test.source+", as: x/b.txt, store: ["+test.pattern+"]}"))
		plans, _ := scanAll(t, l)
		t.Run(test.source+" "+test.pattern, func(t *testing.T) {
			wantLines(t, packings(t, plans[0]), []string{"x/: stored", "x/b.txt: " + test.want})
		})
	}
}

// What a link leads to is matched by the link's path, and packed as a file is.
func TestPackingOfFollowedLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a.txt", "src/b.jpg -> a.txt", "src/c.txt -> a.txt")
	plans, _ := scanAll(t, load(t, dir, one("method: deflate\n    symlinks: follow\n    store: ['*.jpg']", "source: src")))
	wantLines(t, packings(t, plans[0]), []string{"src/: stored", "src/a.txt: 6", "src/b.jpg: stored", "src/c.txt: 6"})
}

// A file that two entries have is packed as the first one says.
func TestPackingOfOverlap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a", "src/b")
	plans, _ := scanAll(t, load(t, dir, one("method: auto", "{source: src/a, as: src/a, method: store}", "{source: src, method: deflate}")))
	wantLines(t, packings(t, plans[0]), []string{"src/: stored", "src/a: stored", "src/b: 6"})
}

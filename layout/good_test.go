package layout

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// loadGood loads a layout of testdata/good, in a folder of its own with sources.
func loadGood(t *testing.T, name string, pairs ...string) *Layout {
	t.Helper()
	dir := t.TempDir()
	tree(t, dir, "src/a", "src/b/", "other/a", "file")
	text, err := os.ReadFile(filepath.Join("testdata", "good", name))
	must(t, err)
	l, err := Load(save(t, dir, string(text)), env(append(pairs, "SET", "iso", "LEVEL", "1", "ROOT", dir)...))
	must(t, err)
	return l
}

// bare is an archive as the layout file describes it, without what Load finds on
// disk, and sources below dir relative.
func bare(a Archive, dir string) Archive {
	a.pos = pos{}
	var mappings []Mapping
	for _, m := range a.Mappings {
		rel, _ := filepath.Rel(dir, m.Source)
		mappings = append(mappings, Mapping{Source: rel, As: m.As, Include: m.Include, Exclude: m.Exclude, Compression: m.Compression})
	}
	a.Mappings = mappings
	return a
}

// storing is what an archive has that says nothing of compression.
var storing = Compression{Method: MethodStore, Level: 6, Store: []string{}}

func at64(v int64) *int64 { return &v }

func TestFullLayout(t *testing.T) {
	t.Parallel()
	l := loadGood(t, "full.yaml")
	fixed := Options{
		Comment: "Made from iso, for $5", Symlinks: SymlinksSkip, Special: SpecialError, Names: NamesEscape,
		Modes: ModesFixed, ModTime: at64(1769857200), NTFSTimes: true, Owners: OwnersStore, OneFileSystem: true,
		OnBusy: OnBusySkip, Expose: ExposeWorld, Align: 4096, Split: 700e6, SpoolSize: 500e6, Sidecars: Sidecars{SHA256: true, CRC32: true},
		Compression: Compression{Method: MethodAuto, Level: 9, Store: []string{"*.iso", "media/"}},
	}
	want := []Archive{
		{Name: "nightly/all-iso.zip", Options: Options{Comment: "Everything", Symlinks: SymlinksFollow, Special: SpecialSkip, Names: NamesRaw, Directories: true, Modes: ModesSource, Owners: OwnersOmit, OnBusy: OnBusyWait, Expose: ExposeSources, SpoolSize: 4 << 30, Compression: storing},
			Mappings: []Mapping{
				{Source: "src", As: "images/one", Include: []string{"**/*.iso", "b/"}, Exclude: []string{"*.tmp", ".git/", "{x,y}/**"}, Compression: storing},
				{Source: "file", As: "file", Compression: Compression{Method: MethodDeflate, Level: 1, Store: []string{"*.txt"}}},
				{Source: "other", As: "", Compression: storing},
			}},
		{Name: "plain.zip", Options: fixed, Mappings: []Mapping{{Source: "file", As: "renamed", Compression: Compression{Method: MethodAuto, Level: 9, Store: []string{}}}}},
		{Name: "nightly/empty.zip", Options: fixed},
	}
	dir := filepath.Dir(l.File)
	if len(l.Archives) != len(want) {
		t.Fatalf("got %d archives, want %d", len(l.Archives), len(want))
	}
	for i, a := range l.Archives {
		if got := bare(a, dir); !reflect.DeepEqual(got, want[i]) {
			t.Errorf("got  %+v\nwant %+v", got, want[i])
		}
	}
	sources := []string{dir + "/file", dir + "/other", dir + "/src"}
	wantLines(t, l.Sources(), sources)

	plans, warnings := scanAll(t, l)
	wantLines(t, show(t, plans[0]), []string{"a = other/a", "file = file", "images/", "images/one/", "images/one/b/"})
	wantLines(t, show(t, plans[1]), []string{"renamed = file"})
	wantLines(t, show(t, plans[2]), nil)
	wantLines(t, warnings, []string{
		l.File + `:49: include pattern "**/*.iso" matches nothing in ` + dir + "/src",
		"archive nightly/empty.zip is empty",
	})
	if got := plans[2].ModTime; got != 315532800 {
		t.Errorf("empty archive: got time %d, want that of 1980-01-01", got)
	}
	only, err := l.Scan(t.Context(), ScanOptions{Only: "plain.zip", Warn: func(s string) { t.Errorf("warning %q", s) }})
	must(t, err)
	if len(only) != 1 || only[0].Name != "plain.zip" {
		t.Errorf("Scan of plain.zip: got %d plans", len(only))
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	l := loadGood(t, "aliases.yaml")
	junk := []string{"*.tmp", ".git"}
	src, other := Mapping{Source: "src", As: "src", Exclude: junk, Compression: storing}, Mapping{Source: "other", As: "more", Exclude: junk, Compression: storing}
	want := []Archive{
		{Name: "one.zip", Mappings: []Mapping{src, other}},
		{Name: "two.zip", Mappings: []Mapping{src, other}, Options: Options{Comment: "one.zip"}},
		{Name: "three.zip", Mappings: []Mapping{src}},
	}
	for i := range want {
		o := defaultOptions()
		o.Modes, o.ModTime, o.Comment = ModesFixed, at64(1769860800), want[i].Comment
		want[i].Options = o
		if got := bare(l.Archives[i], filepath.Dir(l.File)); !reflect.DeepEqual(got, want[i]) {
			t.Errorf("got  %+v\nwant %+v", got, want[i])
		}
	}
}

// What a layout with all left out stands for.
func TestDefaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a")
	got := bare(load(t, dir, one("", "source: src")).Archives[0], dir)
	want := Archive{Name: "a.zip", Mappings: []Mapping{{Source: "src", As: "src", Compression: storing}},
		Options: Options{Symlinks: SymlinksStore, Special: SpecialSkip, Names: NamesError, Directories: true, Modes: ModesSource, Owners: OwnersOmit, OnBusy: OnBusyFail, Expose: ExposeSources, SpoolSize: 4 << 30, Compression: storing}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestSourceDateEpoch(t *testing.T) {
	t.Parallel()
	if l := loadGood(t, "full.yaml", "SOURCE_DATE_EPOCH", ""); l.Archives[0].ModTime != nil {
		t.Errorf("empty: got %d, want the sources' times", *l.Archives[0].ModTime)
	}
	for value, want := range map[string]int64{"0": 0, "1700000000": 1700000000, "-1": -1, "4294967296": 1 << 32} {
		l := loadGood(t, "full.yaml", "SOURCE_DATE_EPOCH", value)
		for _, a := range l.Archives {
			if a.ModTime == nil || *a.ModTime != want {
				t.Errorf("%s in %s: got %v, want %d", value, a.Name, a.ModTime, want)
			}
		}
		plans, _ := scanAll(t, l)
		if plans[0].ModTime != want || plans[0].Entry(0).ModTime != want {
			t.Errorf("%s: got times %d and %d", value, plans[0].ModTime, plans[0].Entry(0).ModTime)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "conf/x", "src/a", "src/b", "link -> src/b", "folder -> src", "$/a", "quo\"te/a")
	for _, tt := range []struct{ name, source, as, want string }{
		{"up", "../src", "", "src/"},
		{"not cleaned", "./..//conf/../src/./", "", "src/"},
		{"own folder", ".", "x", "x/"},
		{"parent folder", "..", "x", "x/"},
		{"absolute", dir + "/src", "", "src/"},
		{"file", "../src/a", "", "a = src/a"},
		{"link to a file has its own name", "../link", "", "link = src/b"},
		{"link to a folder has its own name", "../folder", "", "folder/"},
		{"below a link", "../folder/a", "", "a = src/a"},
		{"renamed", "../src/a", "x", "x = src/a"},
		{"renamed into folders", "../src/a", "x/y", "x/"},
		{"variable", "${DIR}/src", "${EMPTY}${NAME}", "new name/"},
		{"dollars", "../$$", "$", "$/"},
		{"quote", `../quo"te`, "", `quo"te/`},
	} {
		text := one("", "source: '"+tt.source+"'")
		if tt.as != "" {
			text = one("", "source: '"+tt.source+"'", "as: '"+tt.as+"'")
			text = strings.Replace(text, "- as:", "  as:", 1)
		}
		must(t, os.WriteFile(dir+"/conf/layout.yaml", []byte(text), 0o644))
		l, err := Load(dir+"/conf/layout.yaml", env("DIR", dir, "NAME", "new name", "EMPTY", ""))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		plans, _ := scanAll(t, l)
		if got := show(t, plans[0]); got[0] != tt.want {
			t.Errorf("%s: got %q, want %q first", tt.name, got, tt.want)
		}
	}
}

// Sources of one folder share a root, so that it is opened once for all of them.
func TestRoots(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/a", "src/d/b", "other/c", "src/link -> ../other/c")
	l := load(t, dir, "version: 1\narchives:\n"+
		"  - {name: one.zip, entries: [{source: src}, {source: other/c}, {source: src/a, as: x}]}\n"+
		"  - {name: two.zip, entries: [{source: src/d}, {source: other}, {source: src/link}]}\n")
	plans, _ := scanAll(t, l)
	numbers := map[int]string{}
	for _, p := range plans {
		for i := range p.Len() {
			if !p.IsFile(i) {
				continue
			}
			ref, root := p.Source(i)
			if was, ok := numbers[root]; ok && was != ref.Root {
				t.Errorf("root %d is %s and %s", root, was, ref.Root)
			}
			numbers[root] = ref.Root
		}
	}
	if len(numbers) != 3 {
		t.Errorf("got roots %v, want those of src, src/d and other", numbers)
	}
}

// The layout file's own path may be relative, or lead over links.
func TestLayoutPath(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "a/src/x", "b/src/y", "b/link.yaml -> ../a/layout.yaml", "c -> a")
	save(t, dir+"/a", one("", "source: src"))
	t.Chdir(dir + "/b")
	for file, want := range map[string]string{
		"../a/layout.yaml": "src/x = a/src/x",
		"../c/layout.yaml": "src/x = a/src/x",
		"link.yaml":        "src/y = b/src/y",
	} {
		l, err := Load(file, env())
		must(t, err)
		if l.File != file {
			t.Errorf("got file %q, want %q", l.File, file)
		}
		plans, _ := scanAll(t, l)
		wantLines(t, show(t, plans[0]), []string{"src/", want})
	}
}

func TestModTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1980-01-01T00:00:00Z":             315532800,
		"2026-01-31T12:00:00Z":             1769860800,
		`"2026-01-31T12:00:00Z"`:           1769860800,
		"2026-01-31T12:00:00.999Z":         1769860800,
		"2026-01-31T12:00:00-08:00":        1769889600,
		"1969-12-31T23:59:59Z":             -1,
		"9999-12-31T23:59:59Z":             253402300799,
		"!!timestamp 2026-01-31T12:00:00Z": 1769860800,
	} {
		l := parse(&Problems{}, "/", []byte(one("mtime: "+text, "source: src")), env())
		if got := l.Archives[0].ModTime; got == nil || *got != want {
			t.Errorf("%s: got %v, want %d", text, got, want)
		}
	}
}

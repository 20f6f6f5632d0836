package layout

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

const ending = "archives: [{name: a.zip, entries: []}]\n"

func TestBrokenBytes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"Latin-1", "# caf\xe9\nversion: 1\n" + ending,
			"layout.yaml:1:6: the file is not UTF-8 here (byte 0xe9): save it as UTF-8"},
		{"Latin-1 after UTF-8", "version: 1\n# é caf\xe9\n" + ending,
			"layout.yaml:2:8: the file is not UTF-8 here (byte 0xe9): save it as UTF-8"},
		{"cut character", "version: 1\n" + ending + "\xe2\x82",
			"layout.yaml:3:1: the file is not UTF-8 here (byte 0xe2): save it as UTF-8"},
		{"surrogate", "version: 1\n" + ending + "# \xed\xa0\x80",
			"layout.yaml:3:3: the file is not UTF-8 here (byte 0xed): save it as UTF-8"},
		{"UTF-16 little-endian", wide("\ufeffversion: 1\n"+ending, 0, 8),
			"layout.yaml:1:1: the file is not UTF-8 here (byte 0xff): save it as UTF-8"},
		{"UTF-16 big-endian", wide("\ufeffversion: 1\n"+ending, 8, 0),
			"layout.yaml:1:1: the file is not UTF-8 here (byte 0xfe): save it as UTF-8"},
		{"UTF-16 unmarked", wide("version: 1\n"+ending, 0, 8),
			`layout.yaml:1:2: this is not YAML: control characters are not allowed: take this one out, or write it as "\xNN"`},
		{"NUL", "version: 1\n# a\x00b\n" + ending,
			`layout.yaml:2:4: this is not YAML: control characters are not allowed: take this one out, or write it as "\xNN"`},
		{"escape character", "version: 1\n" + ending + "# é\x1b[0m\n",
			`layout.yaml:3:4: this is not YAML: control characters are not allowed: take this one out, or write it as "\xNN"`},
		{"next to private use", "version: 1\n" + ending + "# \uffff\n",
			`layout.yaml:3:3: this is not YAML: control characters are not allowed: take this one out, or write it as "\xNN"`},
		{"deep lists", strings.Repeat("[", 20_000),
			"layout.yaml:1:1: this is not YAML: exceeded max depth of 10000: mend the line, or the one before it"},
		{"deep blocks", strings.Repeat("- ", 20_000),
			"layout.yaml:1:1: this is not YAML: exceeded max depth of 10000: mend the line, or the one before it"},
		{"carriage returns", "version: 1\r\nversion: 1\r\n" + ending,
			"layout.yaml:2:1: version is given twice, first in line 1: take one out"},
		{"name of 256 bytes", "version: 1\narchives: [{entries: [], name: d/" + strings.Repeat("é", 128) + "/a.zip}]\n",
			`layout.yaml:2:32: archive name "d/` + strings.Repeat("é", 128) + `/a.zip": a part has 256 bytes, and a file's name at most 255: shorten it`},
		{"name of 4001 bytes", "version: 1\narchives: [{entries: [], name: " + strings.Repeat("n", 200) + strings.Repeat("/"+strings.Repeat("n", 180), 21) + "}]\n",
			"layout.yaml:2:32: archive name of 4001 bytes: a path has at most 4000: shorten it"},
		{"as of 65,536 bytes", one("", "{source: src, as: "+strings.Repeat("n", 1<<16)+"}"),
			`layout.yaml:5:27: as "` + strings.Repeat("n", 696) + "..." + strings.Repeat("n", 224) + `": it has 65536 bytes, at most 65535 fit: use a relative path of plain names`},
		{"as of 65,535 bytes, for a folder", one("", "{source: src, as: "+strings.Repeat("n", 1<<16-1)+"}"),
			"layout.yaml:5:18: in src: a name inside the archive has 65537 bytes, at most 65535 fit: exclude it\n" +
				`layout.yaml:5:18: src: "` + strings.Repeat("n", 100) + "..." + strings.Repeat("n", 99) + `/": name can't be stored: it has 65536 bytes, at most 65535 fit: rename or exclude it`},
		{"comment of 65,536 bytes", one("comment: "+strings.Repeat("c", 1<<16), "{source: src}"),
			"layout.yaml:4:14: the comment has 65536 bytes, at most 65535 fit: shorten or change it"},
		{"comment that ends the archive", one(`comment: "PK\x05\x06"`, "{source: src}"),
			"layout.yaml:4:14: the comment, with the fields before it, holds the signature of an end record: shorten or change it"},
		{"long unknown word", one("symlinks: "+strings.Repeat("w", 1<<20), "{source: src}"),
			`layout.yaml:4:15: symlinks "` + strings.Repeat("w", 690) + "..." + strings.Repeat("w", 247) + `" is not known: use one of store, follow, skip, error`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tree(t, dir, "src/a")
			got, sourcesOnly := attempt(t, save(t, dir, tt.text), env())
			if got != tt.want || sourcesOnly {
				t.Errorf("got (sources alone: %v):\n%s\nwant:\n%s", sourcesOnly, got, tt.want)
			}
		})
	}
}

// wide is text in UTF-16, its bytes shifted down by these numbers of bits.
func wide(text string, first, second int) string {
	var b []byte
	for _, c := range utf16.Encode([]rune(text)) {
		b = append(b, byte(c>>first), byte(c>>second))
	}
	return string(b)
}

func TestBrokenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "folder/", "loop -> loop")
	must(t, os.WriteFile(filepath.Join(dir, "large"), make([]byte, 4<<20+1), 0o644))
	for _, tt := range []struct{ name, want string }{
		{"nothing", "nothing: the layout file can't be read: no such file or directory: check the path and its permissions"},
		{"folder", "folder: the layout file can't be read: is a directory: check the path and its permissions"},
		{"loop", "loop: the layout file can't be read: too many levels of symbolic links: check the path and its permissions"},
		{"large", "large: the layout file has more than 4 MiB: split it"},
	} {
		if got, sourcesOnly := attempt(t, filepath.Join(dir, tt.name), env()); got != tt.want || sourcesOnly {
			t.Errorf("got %q (sources alone: %v), want %q", got, sourcesOnly, tt.want)
		}
	}
}

func TestSourceDateEpochBroken(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"now", "1.5", "2026-01-31T12:00:00Z", "9223372036854775808", " 1"} {
		dir := t.TempDir()
		got, sourcesOnly := attempt(t, save(t, dir, "version: 1\narchives: []\n"), env("SOURCE_DATE_EPOCH", value))
		want := `layout.yaml: the variable SOURCE_DATE_EPOCH is "` + value + `": set it to whole seconds since 1970, or unset it` +
			"\nlayout.yaml:2:11: archives is empty: add an archive with a name and entries"
		if got != want || sourcesOnly {
			t.Errorf("got (sources alone: %v):\n%s\nwant:\n%s", sourcesOnly, got, want)
		}
	}
}

// A file whose aliases stand for millions of values is refused soon.
func TestAliasBombs(t *testing.T) {
	t.Parallel()
	const tooMany = ": the file's aliases stand for too many values: use fewer"
	for _, tt := range []struct{ name, text, want string }{
		{"archives of entries", "version: 1\narchives:\n  - {name: a.zip, entries: &e [" + strings.Repeat("{source: "+strings.Repeat("s", 500)+"},", 200) + "]}\n" +
			strings.Repeat("  - {name: b.zip, entries: *e}\n", 2000), "layout.yaml:3:" /* anywhere in e */},
		{"entries of patterns", one("", "&s {source: nothing, exclude: ["+strings.Repeat("a,", 3000)+"]}"+strings.Repeat("\n      - *s", 3000)), "layout.yaml:5:"},
		{"long text", one("", `{source: nothing, exclude: [&a "`+strings.Repeat("$a", 20_000)+`"`+strings.Repeat(",*a", 10_000)+"]}"), "layout.yaml:5:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := save(t, t.TempDir(), tt.text)
			within(t, time.Minute, func() {
				got, _ := attempt(t, file, env())
				if !strings.HasPrefix(got, tt.want) || !strings.HasSuffix(got, tooMany) || strings.Contains(got, "\n") {
					t.Errorf("got %.500q, want %q and %q", got, tt.want, tooMany)
				}
			})
		})
	}
}

// However long a file without aliases is, it is read: what looking at it costs is
// less than what its bytes allow.
func TestLongFiles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"short patterns": one("", "{source: s, exclude: ["+strings.Repeat("a,", 5000)+"]}"),
		"long patterns":  one("", "{source: s, exclude: ["+strings.Repeat(strings.Repeat("a", 100)+",", 100)+"]}"),
		"one pattern":    one("", "{source: s, exclude: ["+strings.Repeat("a", 10_000)+"]}"),
		"sources":        one("", "{source: s}"+strings.Repeat("\n      - source: s", 1000)),
		"archives":       "version: 1\narchives: [" + strings.Repeat("{name: a,entries: []},", 90) + "]",
		"flat":           "{version: 1,archives: [{name: a,entries: [" + strings.Repeat("{source: s},", 2000) + "]}]}",
	} {
		problems := &Problems{}
		p := &parser{Problems: problems, env: env(), dir: "/"}
		if l := p.layout([]byte(text)); l == nil || p.left < aliasRoom {
			t.Errorf("%s: got %v, and %d of %d left", name, problems, p.left, aliasRoom)
		}
	}
}

// Of very many problems the first hundred are told, in the file's order.
func TestManyProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, first string }{
		{"unknown keys", "version: 1\n" + strings.Repeat("x: y\n", 3000), `2:1: unknown key "x"`},
		{"bad archives", "version: 1\narchives:\n" + strings.Repeat("  - 7\n", 3000), "3:5: an archive must be"},
		{"one name", "version: 1\narchives:\n" + strings.Repeat("  - {name: a.zip, entries: []}\n", 3000), "4:12: two archives"},
		{"sources", one("", "source: nothing"+strings.Repeat("\n      - source: nothing", 3000)), "5:17: source "},
	} {
		file := save(t, t.TempDir(), tt.text)
		got, sourcesOnly := attempt(t, file, env())
		lines := strings.Split(got, "\n")
		if len(lines) != 101 || !strings.HasPrefix(lines[0], "layout.yaml:"+tt.first) || lines[100] != "layout.yaml: more problems follow: mend these first" {
			t.Errorf("%s: got %d lines, the first %q, the last %q", tt.name, len(lines), lines[0], lines[len(lines)-1])
		}
		_, err := Load(file, env())
		if p := new(Problems); !errors.As(err, &p) || len(p.List) > 200 && tt.name != "one name" || sourcesOnly != (tt.name == "sources") {
			t.Errorf("%s: %d problems, of sources alone: %v", tt.name, len(p.List), sourcesOnly)
		}
	}
}

package layout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse: whatever a file holds, it is a layout that keeps its promises, or
// there are problems with a place each. Nothing panics.
func FuzzParse(f *testing.F) {
	for _, glob := range []string{"testdata/good/*.yaml", "../configs/*.yaml"} {
		files, err := filepath.Glob(glob)
		must(f, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			must(f, err)
			f.Add(text)
		}
	}
	for _, text := range []string{
		"", "{", "? ", "- ", "&a [*a]", "*a", "\t", "%YAML", "--- |\n", "!!", "\x00", "\xef\xbb\xbf", "\xff\xfe", "<<: {}",
		one("mtime: 2026-01-31T12:00:00Z\n    symlinks: follow", `{source: "${HOME}/$$", as: ., include: ["**/*.{a,b}", "[^a]/\\*"]}`),
		one("", "source: //a/./b/../c//"),
		"version: 1\narchives: &a\n  - {name: x, entries: [{source: &s y, include: &i [a, *s]}, {source: *s, exclude: *i}]}\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		problems := &Problems{File: "f"}
		l := parse(problems, "/dir", text, env("HOME", "/home/user"))
		err := problems.orNil()
		if err == nil {
			checkParsed(t, l)
			return
		}
		for _, p := range problems.List {
			if p.Line < 1 || p.Column < 1 || p.What == "" || p.Source {
				t.Errorf("got problem %+v", p)
			}
		}
		if lines := strings.Count(err.Error(), "\n") + 1; lines != min(len(problems.List), maxProblems+1) {
			t.Errorf("got %d lines for %d problems:\n%s", lines, len(problems.List), err)
		}
	})
}

// checkParsed holds a layout against what its later users rely on.
func checkParsed(t *testing.T, l *Layout) {
	t.Helper()
	names := map[string]bool{}
	if l == nil || len(l.Archives) == 0 {
		t.Fatal("no problem, and no archives")
	}
	for _, a := range l.Archives {
		if err := checkPath(a.Name); err != nil || names[a.Name] {
			t.Errorf("archive name %q: given before %v, error %v", a.Name, names[a.Name], err)
		}
		names[a.Name] = true
		for _, m := range a.Mappings {
			if !filepath.IsAbs(m.Source) || filepath.Clean(m.Source) != m.Source || strings.Contains(m.Source, "\x00") {
				t.Errorf("source %q", m.Source)
			}
			if err := checkPath(m.As); m.As != "" && err != nil || m.As != "" && !m.asGiven {
				t.Errorf("as %q: %v", m.As, err)
			}
			if m.Include != nil && len(m.Include) == 0 {
				t.Error("include is empty")
			}
			for _, globs := range [][]string{m.Include, m.Exclude} {
				ps := compile(globs)
				for _, path := range []string{"a", "a/b", "\xff", "x/[y]/{z}", strings.Repeat("a/", 20) + "a"} {
					if ps.match(path, true) && strings.Contains(path, "/") && !ps.reach(filepath.Dir(path)) {
						t.Errorf("patterns %q match %q, but don't reach there", globs, path)
					}
				}
			}
		}
	}
}

func FuzzSpell(f *testing.F) {
	for _, name := range []string{"a", "%", "%41", "%%41", "%4\n", "caf\xe9", "\xe2\x82", `a\b`, "\x00", "é%E9"} {
		f.Add(name)
	}
	f.Fuzz(checkSpell)
}

// FuzzExpand: text without a dollar sign stays, doubled dollars halve, and a
// value is not looked into.
func FuzzExpand(f *testing.F) {
	for _, text := range []string{"", "$", "$$", "${", "${}", "${A}", "$${A}", "${A}${B}", "a$b", "${A", "${1}", "$}{", "${A}}"} {
		f.Add(text, "${B}$")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		env := env("A", value, "B", "")
		got, err := expand(text, env)
		if !strings.Contains(text, "$") && (got != text || err != nil) {
			t.Errorf("%q: got %q and error %v", text, got, err)
		}
		if err != nil && got != "" {
			t.Errorf("%q: got %q beside error %v", text, got, err)
		}
		if got, err := expand(strings.ReplaceAll(text, "$", "$$"), env); got != text || err != nil {
			t.Errorf("%q with doubled dollars: got %q and error %v", text, got, err)
		}
		if err != nil {
			return
		}
		around, err := expand("<${A}"+text+"$$${B}${A}>", env)
		if want := "<" + value + got + "$" + value + ">"; around != want || err != nil {
			// A dollar sign at the text's end takes the next one.
			if !strings.HasSuffix(text, "$") {
				t.Errorf("around %q: got %q and error %v, want %q", text, around, err, want)
			}
		}
	})
}

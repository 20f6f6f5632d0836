package layout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/source"
	"vzip/zipgen"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree makes files below dir. A name that ends in "/" is a folder's, "l -> t" is
// a symbolic link, "p |" a FIFO, and all else a file that holds its own name.
func tree(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		link, target, isLink := strings.Cut(name, " -> ")
		fifo, isFIFO := strings.CutSuffix(name, " |")
		switch {
		case isLink:
			name = link
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
			continue
		case isFIFO:
			name = fifo
		}
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		switch {
		case isLink:
			must(t, os.Symlink(target, path))
		case isFIFO:
			must(t, unix.Mkfifo(path, 0o644))
		default:
			must(t, os.WriteFile(path, []byte(name), 0o644))
		}
	}
}

// env is an environment: pairs of a variable and its value.
func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// save writes the layout file of a test and returns its path.
func save(t testing.TB, dir, text string) string {
	t.Helper()
	file := filepath.Join(dir, "layout.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o644))
	return file
}

// load writes and loads a layout that is right.
func load(t testing.TB, dir, text string) *Layout {
	t.Helper()
	l, err := Load(save(t, dir, text), env())
	must(t, err)
	return l
}

// scanAll scans a layout that is right, and returns what was warned of.
func scanAll(t testing.TB, l *Layout) (plans []*Plan, warnings []string) {
	t.Helper()
	plans, err := l.Scan(t.Context(), ScanOptions{Warn: func(s string) { warnings = append(warnings, s) }})
	must(t, err)
	return plans, warnings
}

// one is the indented text of a layout's only archive, a.zip: its options, and
// its entries.
func one(options string, entries ...string) string {
	text := "version: 1\narchives:\n  - name: a.zip\n"
	if options != "" {
		text += "    " + options + "\n"
	}
	return text + "    entries:\n      - " + strings.Join(entries, "\n      - ") + "\n"
}

// show lists an archive's entries: a directory by its name, a file as "name =
// content", a link as "name -> target". Each file is opened as what the scan
// found.
func show(t testing.TB, p *Plan) []string {
	t.Helper()
	var list []string
	for i := range p.Len() {
		name := p.Entry(i).Name
		isDir := strings.HasSuffix(name, "/")
		if p.IsFile(i) == (isDir || p.Link(i) != "") {
			t.Errorf("%s: file %v, link %q", name, p.IsFile(i), p.Link(i))
		}
		switch {
		case isDir:
			list = append(list, name)
		case p.Link(i) != "":
			list = append(list, name+" -> "+p.Link(i))
			if size := p.EntrySize(i); size != int64(len(p.Link(i))) {
				t.Errorf("%s: got %d bytes, want the target's %d", name, size, len(p.Link(i)))
			}
		default:
			list = append(list, name+" = "+content(t, p, i))
		}
	}
	return list
}

// entries returns what the archive has of each entry.
func entries(p *Plan) []zipgen.Entry {
	var all []zipgen.Entry
	for i := range p.Len() {
		all = append(all, p.Entry(i))
	}
	return all
}

// content reads the file of entry i.
func content(t testing.TB, p *Plan, i int) string {
	t.Helper()
	ref, _ := p.Source(i)
	f, err := source.Open(ref, p.Identity(i))
	must(t, err)
	defer f.Close()
	buf := make([]byte, p.EntrySize(i))
	must(t, f.ReadFull(buf, 0))
	stat, err := ref.Lstat()
	must(t, err)
	if stat.Dev != p.Device(i) || stat.Size != p.EntrySize(i) {
		t.Errorf("%s: device %d and %d bytes, want %d and %d", p.Entry(i).Name, p.Device(i), p.EntrySize(i), stat.Dev, stat.Size)
	}
	return string(buf)
}

// shown loads and scans a layout of one archive, and lists its entries.
func shown(t testing.TB, dir, text string) (list, warnings []string) {
	t.Helper()
	plans, warnings := scanAll(t, load(t, dir, text))
	return show(t, plans[0]), warnings
}

// attempt loads and scans a layout file, and returns what it says is wrong, with
// the paths below dir made relative.
func attempt(t testing.TB, file string, env func(string) (string, bool)) (text string, sourcesOnly bool) {
	t.Helper()
	l, err := Load(file, env)
	if err == nil {
		_, err = l.Scan(t.Context(), ScanOptions{})
	}
	if err == nil {
		return "", false
	}
	var problems *Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got error %v (%T), want Problems", err, err)
	}
	return strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", ""), problems.SourcesOnly()
}

// wantLines compares lists, and shows where they differ.
func wantLines(t testing.TB, got, want []string) {
	t.Helper()
	line := func(list []string, i int) string {
		if i < len(list) {
			return fmt.Sprintf("%.200q", list[i])
		}
		return "nothing"
	}
	for i := range max(len(got), len(want)) {
		if g, w := line(got, i), line(want, i); i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("line %d: got %s, want %s", i+1, g, w)
		}
	}
}

// within fails the test if f takes longer than limit.
func within(t testing.TB, limit time.Duration, f func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal(fmt.Sprint("takes longer than ", limit))
	}
}

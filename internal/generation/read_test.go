package generation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/verified"
	"vzip/layout"
)

// Any number of readers get the right bytes, with few sources open at a time.
func TestReadAtTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{"src/x": "12345"}
	for i := range 400 { // more than are kept open
		files["src/"+strings.Repeat("d/", i%5)+"f"+string(rune('a'+i%26))+strings.Repeat("x", i/26)] = strings.Repeat(string(rune('0'+i%75)), i*7)
	}
	write(t, dir, files)
	var r read
	a := build(t, load(t, dir, twoArchives), r.options(t, nil)).Archives[0]
	flat, err := io.ReadAll(io.NewSectionReader(a, 0, a.Size()))
	must(t, err)
	if int64(len(flat)) != a.Size() {
		t.Fatalf("got %d bytes, want %d", len(flat), a.Size())
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(w)))
			for range 300 {
				off := rnd.Int64N(a.Size())
				p := make([]byte, rnd.IntN(20000))
				n, err := a.ReadAt(p, off)
				if want := min(int64(len(p)), a.Size()-off); int64(n) != want || err != nil && (err != io.EOF || n == len(p)) {
					t.Errorf("%d bytes at %d: got %d and %v", len(p), off, n, err)
					return
				}
				if !bytes.Equal(p[:n], flat[off:off+int64(n)]) {
					t.Errorf("%d bytes at %d differ", n, off)
					return
				}
			}
		})
	}
	wg.Wait()
}

// A changed source fails its own reads alone, and is reported once.
func TestReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345", "src/y": "1234567"})
	var r read
	o := r.options(t, nil)
	list := o.reports()
	a := build(t, load(t, dir, twoArchives), o).Archives[0]
	x, _ := a.Find("src/x")
	y, _ := a.Find("src/y")
	p := make([]byte, 5)
	_, err := a.ReadAt(p, a.DataOffset(x))
	must(t, err)

	write(t, dir, map[string]string{"src/x": "54321"})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			p := make([]byte, 100)
			n, err := a.ReadAt(p, a.DataOffset(x)-10)
			var unread *SourceError
			if n != 10 || !errors.Is(err, unix.ESTALE) || !errors.As(err, &unread) {
				t.Errorf("got %d bytes and error %v, want 10 and ESTALE", n, err)
			}
		})
	}
	wg.Wait()
	must(t, os.Remove(filepath.Join(dir, "src/x")))
	if _, err := a.ReadAt(p, a.DataOffset(x)); !errors.Is(err, unix.ESTALE) {
		t.Errorf("deleted: got %v, want ESTALE", err)
	}
	if n, err := a.ReadAt(p, a.DataOffset(y)); n != 5 || err != nil || string(p) != "12345" {
		t.Errorf("another entry: got %q and %v", p[:n], err)
	}
	dirAt, dirLen := a.Directory()
	if _, err := a.ReadAt(make([]byte, dirLen), dirAt); err != nil {
		t.Errorf("the directory: got %v", err)
	}
	if reports := list(); len(reports) == 0 || len(reports) > 2 || !strings.HasPrefix(reports[0], `archive a.zip, entry "src/x": `) || !strings.Contains(reports[0], "/src/x: changed since it was scanned: modification time was") {
		t.Errorf("got reports %q, want one a state of the source", reports)
	}
}

func TestUnknownCRC(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345"})
	l := load(t, dir, twoArchives)
	plans, err := l.Scan(context.Background(), layout.ScanOptions{})
	must(t, err)
	g := New(plans, verified.NewReader(verified.Options{Timeout: time.Minute}), nil)
	defer g.Close()
	a := g.Archives[0]
	i, _ := a.Find("src/x")
	if _, ok := a.KnownCRC(i); ok {
		t.Error("a CRC is known that nobody worked out")
	}
	if _, err := a.ReadAt(make([]byte, 30), a.HeaderOffset(i)); !errors.Is(err, errUnknownCRC) {
		t.Errorf("got error %v, want %v", err, errUnknownCRC)
	}
	if _, err := a.content(); !errors.Is(err, errUnknownCRC) {
		t.Errorf("Inode: got error %v, want %v", err, errUnknownCRC)
	}
}

// An inode number stands for a name and a content.
func TestInode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345"})
	inode := func(text string) uint64 {
		t.Helper()
		var r read
		n, err := build(t, load(t, dir, text), r.options(t, nil)).Archives[0].content()
		must(t, err)
		if n < 2 || n >= 1<<63 {
			t.Errorf("got inode number %d", n)
		}
		return n
	}
	archive := func(name, rest string) string {
		return "version: 1\narchives: [{name: " + name + ", mtime: 2026-01-31T12:00:00Z, entries: [{source: src" + rest + "}]}]\n"
	}
	first := inode(archive("a.zip", ""))
	if got := inode(archive("a.zip", "")); got != first {
		t.Errorf("the same again: got %d, want %d", got, first)
	}
	seen := map[uint64]string{first: "the first"}
	for _, tt := range []struct {
		name, layout string
		change       func()
	}{
		{"archive name", archive("b.zip", ""), func() {}},
		{"entry names", archive("a.zip", ", as: other"), func() {}},
		{"content", archive("a.zip", ""), func() { write(t, dir, map[string]string{"src/x": "54321"}) }},
		{"mode", archive("a.zip", ""), func() { must(t, os.Chmod(filepath.Join(dir, "src/x"), 0o600)) }},
		{"comment", strings.Replace(archive("a.zip", ""), "mtime", "comment: c, mtime", 1), func() {}},
		{"time", strings.Replace(archive("a.zip", ""), "2026", "2025", 1), func() {}},
	} {
		tt.change()
		n := inode(tt.layout)
		if other, ok := seen[n]; ok {
			t.Errorf("%s: has the number of %s", tt.name, other)
		}
		seen[n] = tt.name
	}
}

// Links have CRCs without being read, and an empty archive is one.
func TestLinksAndEmpty(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "src"), 0o755))
	must(t, os.Symlink("some/where", filepath.Join(dir, "src/link")))
	must(t, os.WriteFile(filepath.Join(dir, "src/x"), nil, 0o644))
	var r read
	g := build(t, load(t, dir, twoArchives+"  - {name: none.zip, entries: []}\n"), r.options(t, nil))
	if got := checkZIP(t, g.Archives[0])["src/link"]; got != "some/where" {
		t.Errorf("got target %q", got)
	}
	if r.bytes.Load() != 0 {
		t.Errorf("read %d bytes, want none", r.bytes.Load())
	}
	if none := g.Archives[2]; none.Size() != 22 || len(checkZIP(t, none)) != 0 {
		t.Errorf("the empty archive has %d bytes, want 22", none.Size())
	}
}

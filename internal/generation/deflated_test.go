package generation

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/crccache"
	"vzip/internal/strictzip"
	"vzip/internal/verified"
)

// logText is n bytes that deflate well.
func logText(n int) string {
	rnd := rand.New(rand.NewPCG(uint64(n), 4))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "GET /index/%d 200 %d ms\n", rnd.IntN(5000), rnd.IntN(100))
	}
	return b.String()[:n]
}

// deflatedTree makes files of each kind below dir/src, and returns what an archive of them
// holds.
func deflatedTree(t testing.TB, dir string) map[string]string {
	t.Helper()
	const block = 1 << 20
	files := map[string]string{
		"text": logText(2*block + 300_000), "block": logText(block), "block1": logText(block + 1), "kept.log": logText(block + 5),
		"noise": randomText(block + 300_000), "one": "1", "empty": "", "d/small": logText(3000), "d/odd": "0123456789",
	}
	for name, data := range files {
		write(t, dir, map[string]string{"src/" + name: data})
	}
	must(t, os.Symlink("../text", filepath.Join(dir, "src/d/link")))
	must(t, os.Link(filepath.Join(dir, "src/block1"), filepath.Join(dir, "src/hard-link")))
	files["hard-link"], files["d/link"] = files["block1"], "../text"
	content := map[string]string{"src/": "", "src/d/": ""}
	for name, data := range files {
		content["src/"+name] = data
	}
	return content
}

const threeMethods = `version: 1
archives:
  - {name: stored.zip, mtime: 2026-01-31T12:00:00Z, entries: [{source: src}]}
  - {name: deflated.zip, mtime: 2026-01-31T12:00:00Z, method: deflate, align: 4KiB, entries: [{source: src}]}
  - {name: auto.zip, mtime: 2026-01-31T12:00:00Z, method: auto, level: 2, store: ["*.log"], entries: [{source: src}]}
`

// isDeflated tells which entries of an archive of threeMethods are.
func isDeflated(archive, name, data string) bool {
	switch {
	case data == "" || name == "src/d/link" || archive == "stored.zip":
		return false
	case archive == "auto.zip":
		return len(data) > 20 && name != "src/noise" && name != "src/kept.log"
	}
	return true
}

// Archives with deflated entries are what readers take them for, at any offset and in any
// order, and whoever made them.
func TestDeflated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content := deflatedTree(t, dir)
	l := load(t, dir, threeMethods)
	whole := map[string][]byte{}
	tags := map[string]string{}
	for _, workers := range []int{1, 8} {
		var r read
		o := r.options(t, nil)
		o.Workers = workers
		g := build(t, l, o)
		must(t, g.Date(nil))
		// A hard link is no second file, and one that is stored is read once for all archives.
		if want := 9 + 8 + 7; r.files != want {
			t.Errorf("%d files were read, want %d", r.files, want)
		}
		for _, a := range g.Archives {
			b, err := io.ReadAll(io.NewSectionReader(a, 0, a.Size()))
			must(t, err)
			tag, ok := a.Tag()
			if last := whole[a.Name]; last == nil {
				whole[a.Name] = b
				if tags[tag] != "" || !ok {
					t.Errorf("%s has the tag of %q", a.Name, tags[tag])
				}
				tags[tag] = a.Name
			} else if !bytes.Equal(b, last) || tags[tag] != a.Name {
				t.Errorf("%s: %d workers make other bytes than 1", a.Name, workers)
			}
			if got := checkZIP(t, a); !maps.Equal(got, content) {
				t.Errorf("%s: other content", a.Name)
			}
			wantDeflated(t, a.Name, b, content)
		}
		for name, f := range byPath(g) {
			for _, n := range []int{100_000, 1 << 20} {
				for _, ahead := range []bool{false, true} {
					if !bytes.Equal(readFile(t, f, ahead, n), whole[name]) {
						t.Errorf("%s: reads of %d bytes, ahead: %v: other bytes", name, n, ahead)
					}
				}
			}
		}
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() { randomReads(t, g, whole, uint64(w)) })
		}
		wg.Wait()
	}
	if d, s := len(whole["deflated.zip"]), len(whole["stored.zip"]); d > s*2/3 {
		t.Errorf("%d bytes, and %d stored", d, s)
	}
}

// wantDeflated holds an archive of threeMethods against the rules.
func wantDeflated(t *testing.T, name string, b []byte, content map[string]string) {
	t.Helper()
	z, err := strictzip.Parse(bytes.NewReader(b), int64(len(b)))
	must(t, err)
	must(t, z.CheckData())
	for _, e := range z.Entries {
		if got, want := e.Method == zip.Deflate, isDeflated(name, e.Name, content[e.Name]); got != want {
			t.Errorf("%s: %s of %d bytes is deflated: %v, want %v", name, e.Name, e.Size, got, want)
		}
		if name == "deflated.zip" && e.Align != 0 {
			t.Errorf("%s: %s is padded", name, e.Name)
		}
	}
}

func randomReads(t *testing.T, g *Generation, whole map[string][]byte, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 8))
	for range 20 {
		a := g.Archives[rnd.IntN(len(g.Archives))]
		want := whole[a.Name]
		off := rnd.IntN(len(want))
		n := 1 + rnd.IntN(min(len(want)-off, 1+rnd.IntN(2<<20)))
		got := make([]byte, n)
		if _, err := a.ReadAt(got, int64(off)); err != nil && err != io.EOF || !bytes.Equal(got, want[off:off+n]) {
			t.Errorf("%s: %d bytes at %d: other bytes, or error %v", a.Name, n, off, err)
			return
		}
	}
}

// However little is kept of what was deflated, and however a source is checked, the bytes
// are the same.
func TestDeflatedKeptNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deflatedTree(t, dir)
	l := load(t, dir, threeMethods)
	whole := map[string][]byte{}
	for _, kept := range []verified.Options{{Timeout: forever}, {Timeout: forever, Deflated: 1}, {Timeout: forever, Deflated: 3 << 20, StatOnly: true}} {
		var r read
		o := r.options(t, nil)
		o.Reader = verified.NewReader(kept)
		t.Cleanup(o.Reader.Close)
		g := build(t, l, o)
		for _, a := range g.Archives {
			if whole[a.Name] == nil {
				whole[a.Name] = all(t, a)
			}
		}
		randomReads(t, g, whole, 77)
	}
}

// What files are deflated to is worked out once, for each way to do it.
func TestDeflatedRemembered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": logText(300_000), "src/y": randomText(200_000), "src/z": "z"})
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	for _, step := range []struct {
		name, options string
		do            func()
		files         int
	}{
		{"first", "method: auto", func() {}, 3},
		{"again", "method: auto", func() {}, 0},
		{"another name", "method: auto, comment: c", func() {}, 0},
		{"another level", "method: auto, level: 9", func() {}, 3},
		{"always", "method: deflate", func() {}, 3},
		{"some are stored", "method: deflate, store: [y, z]", func() {}, 2},
		{"stored", "method: store", func() {}, 1}, // but for those two
		{"auto again", "method: auto", func() {}, 0},
		{"always again", "method: deflate", func() {}, 0},
		{"one changed", "method: deflate", func() { write(t, dir, map[string]string{"src/x": logText(310_000)}) }, 1},
		{"and auto", "method: auto", func() {}, 1},
		{"at the end", "method: auto", func() {}, 0},
	} {
		step.do()
		var got [2]read
		l := load(t, dir, "version: 1\narchives: [{name: a.zip, mtime: 2026-01-31T12:00:00Z, "+step.options+", entries: [{source: src}]}]\n")
		fresh := build(t, l, got[0].options(t, cache))
		if got[0].files != step.files {
			t.Errorf("%s: %d files were read, want %d", step.name, got[0].files, step.files)
		}
		// The same of the generation before, which says nothing new, and of none.
		o := got[1].options(t, nil)
		o.Before = fresh
		inherited := build(t, l, o)
		var r read
		anew := build(t, l, r.options(t, nil))
		want := all(t, anew.Archives[0])
		if got[1].files != 0 || !bytes.Equal(all(t, fresh.Archives[0]), want) || !bytes.Equal(all(t, inherited.Archives[0]), want) {
			t.Errorf("%s: %d files were read again, or other bytes than of files that are read anew", step.name, got[1].files)
		}
		checkZIP(t, fresh.Archives[0])
	}
}

// The next generation deflates what changed, and nothing else; the one before shows what
// it did.
func TestDeflatedInherit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := logText(1<<20 + 5)
	write(t, dir, map[string]string{"src/text": text, "src/noise": randomText(200_000), "src/block": logText(70_000), "src/d/small": logText(3000)})
	must(t, os.Link(dir+"/src/block", dir+"/src/d/link"))
	l := load(t, dir, threeMethods)
	var r read
	before := build(t, l, r.options(t, nil))
	for _, step := range []struct {
		name  string
		do    func()
		bytes int
	}{
		{"nothing", func() {}, 0},
		{"one changed", func() { write(t, dir, map[string]string{"src/d/small": logText(4000)}) }, 3 * 4000},
		{"one new", func() { write(t, dir, map[string]string{"src/d/new": "new"}) }, 3 * 3},
		{"one is other noise", func() { write(t, dir, map[string]string{"src/noise": randomText(1000)}) }, 3 * 1000},
		{"one renamed", func() { must(t, os.Rename(dir+"/src/text", dir+"/src/a.log")) }, 2 * len(text)}, // two archives store it,
	} {
		step.do()
		var r read
		o := r.options(t, nil)
		o.Before = before
		g := build(t, l, o)
		if got := int(r.bytes.Load()); got != step.bytes {
			t.Errorf("%s: read %d bytes, want %d", step.name, got, step.bytes)
		}
		var none read
		anew := build(t, l, none.options(t, nil))
		for i, a := range g.Archives {
			if !bytes.Equal(all(t, a), all(t, anew.Archives[i])) {
				t.Errorf("%s: %s: other bytes than without the generation before", step.name, a.Name)
			}
			checkZIP(t, a)
		}
		before = g
	}
}

// A source that changes after the archives are shown fails reads of it, deflated or not,
// and no others.
func TestDeflatedChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, path string){
		"rewritten": func(t *testing.T, path string) { writeAt(t, path, "other", 2<<20+299_950) },
		"grown":     func(t *testing.T, path string) { writeAt(t, path, "more", 3<<20) },
		"truncated": func(t *testing.T, path string) { must(t, os.Truncate(path, 1<<20)) },
		"replaced": func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".new", []byte(logText(2<<20 + 300_000)[1:]+"x"), 0o644))
			must(t, os.Rename(path+".new", path))
		},
		"removed": func(t *testing.T, path string) { must(t, os.Remove(path)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			deflatedTree(t, dir)
			var r read
			g := build(t, load(t, dir, threeMethods), r.options(t, nil))
			rest()
			change(t, filepath.Join(dir, "src/text"))
			for _, a := range g.Archives {
				i, _ := a.Find("src/text")
				size, _ := a.EntryCompressedSize(i)
				// The last block first: all that is read of it is wrong, or missing.
				p := make([]byte, 100)
				if _, err := a.ReadAt(p, a.DataOffset(i)+size-100); !errors.Is(err, unix.ESTALE) && !errors.Is(err, unix.ENOENT) {
					t.Errorf("%s: got error %v, want ESTALE", a.Name, err)
				}
				other, _ := a.Find("src/noise")
				size, _ = a.EntryCompressedSize(other)
				if _, err := a.ReadAt(make([]byte, size), a.DataOffset(other)); err != nil {
					t.Errorf("%s: another entry: got error %v", a.Name, err)
				}
			}
		})
	}
}

// Deflated blocks that are kept, in memory or in a spool, don't hide that their source
// changed.
func TestDeflatedKeptChanged(t *testing.T) {
	t.Parallel()
	for name, spool := range map[string]string{"memory": "none", "spool": "."} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			deflatedTree(t, dir)
			l := load(t, dir, "version: 1\narchives:\n  - {name: a.zip, method: deflate, spool: "+spool+", entries: [source: src]}\n")
			var r read
			o := r.options(t, nil)
			if name == "spool" {
				o.Reader = verified.NewReader(verified.Options{Timeout: time.Minute, Deflated: 1})
			}
			g := build(t, l, o)
			a := g.Archives[0]
			want := all(t, a)
			if !bytes.Equal(all(t, a), want) {
				t.Fatal("other bytes when it is read again")
			}
			i, _ := a.Find("src/text")
			p := make([]byte, 100)
			must(t, os.Truncate(filepath.Join(dir, "src/text"), 1<<20))
			for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
				_, err := a.ReadAt(p, a.DataOffset(i))
				if errors.Is(err, unix.ESTALE) {
					break
				}
				if err != nil || time.Since(begun) > 10*time.Second {
					t.Fatalf("got error %v, want ESTALE", err)
				}
			}
		})
	}
}

// A file that was touched, and has the same bytes, is deflated to the same, and remembered
// as it is now.
func TestDeflatedDrifted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": logText(3<<20 - 5)})
	const text = "version: 1\narchives: [{name: a.zip, mtime: 2026-01-31T12:00:00Z, method: deflate, entries: [{source: src}]}]\n"
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	var r read
	g := build(t, load(t, dir, text), r.options(t, cache))
	want := all(t, g.Archives[0])
	rest()
	write(t, dir, map[string]string{"src/x": logText(3<<20 - 5)})
	rest()
	if !bytes.Equal(all(t, g.Archives[0]), want) {
		t.Error("other bytes")
	}
	g.reader.Forget(g) // blocks that are kept need no source
	if !bytes.Equal(all(t, g.Archives[0]), want) {
		t.Error("other bytes once they are made again")
	}
	var again read
	next := build(t, load(t, dir, text), again.options(t, cache))
	if !bytes.Equal(all(t, next.Archives[0]), want) {
		t.Error("other bytes in the next generation")
	}
	t.Logf("%d files were read again", again.files)
}

package generation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/crccache"
	"vzip/internal/source"
)

// served builds the archive of one file and returns what reads its data, with the
// errors that were reported.
func served(t *testing.T, dir string, content string, cache *crccache.Cache) (a *Archive, reports func() []string) {
	t.Helper()
	write(t, dir, map[string]string{"src/x": content})
	time.Sleep(25 * time.Millisecond) // a later change gets another stamp
	var r read
	o := r.options(t, cache)
	list := o.reports()
	return build(t, load(t, dir, twoArchives), o).Archives[0], list
}

func readData(a *Archive) (string, error) {
	i, _ := a.Find("src/x")
	d, err := a.Read(context.Background(), a.DataOffset(i), int(a.EntrySize(i)))
	if err != nil {
		return "", err
	}
	defer d.Release()
	return string(d.Bytes()), nil
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (g *Generation) stateOf(key uint64) (s state, ok bool) {
	g.drifts.mu.Lock()
	defer g.drifts.mu.Unlock()
	if d := g.drifts.by[key]; d != nil {
		return d.state, true
	}
	return 0, false
}

// A file with other times, another mode, another name more, or another inode but
// the same bytes is served, and taken for what it is from then on, also by the cache.
func TestDriftedButEqual(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 3*checksum.BlockLen/16) + "end"
	for name, drift := range map[string]func(path string) error{
		"chmod":     func(path string) error { return os.Chmod(path, 0o600) },
		"touch":     func(path string) error { return os.Chtimes(path, time.Now(), time.Unix(1e9, 0)) },
		"hard link": func(path string) error { return os.Link(path, path+".link") },
		"replaced by an equal file": func(path string) error {
			if err := os.WriteFile(path+".new", []byte(content), 0o644); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
		"written again": func(path string) error { return os.WriteFile(path, []byte(content), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cache, err := crccache.Open(filepath.Join(dir, "cache"))
			must(t, err)
			a, reports := served(t, dir, content, cache)
			path := filepath.Join(dir, "src/x")
			if _, err := readData(a); err != nil {
				t.Fatal(err)
			}
			must(t, drift(path))
			i, _ := a.Find("src/x")
			eventually(t, "found equal", func() bool {
				a.g.reader.Forget(a.g) // what is remembered of it
				if got, err := readData(a); err != nil || got != content {
					t.Fatalf("got %d bytes and error %v", len(got), err)
				}
				s, ok := a.g.stateOf(a.key(i))
				return ok && s == equal
			})
			l, err := a.Open(false)
			must(t, err)
			l.Close()
			if list := reports(); len(list) > 0 {
				t.Errorf("got reports %q, want none", list)
			}
			// What was found equal long after its last change need not be read again.
			time.Sleep(50 * time.Millisecond)
			must(t, os.Chmod(path, 0o640))
			time.Sleep(50 * time.Millisecond)
			eventually(t, "found equal again, and remembered", func() bool {
				a.g.reader.Forget(a.g)
				if _, err := readData(a); err != nil {
					t.Fatal(err)
				}
				var r read
				build(t, load(t, dir, twoArchives), r.options(t, cache))
				return r.bytes.Load() < int64(len(content))
			})
		})
	}
}

// A file with other bytes is never served: reads fail, and so do new opens.
// When its bytes come back, so does the archive.
func TestDriftedAndDifferent(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 3*checksum.BlockLen/16)
	other := "X" + content[1:]
	dir := t.TempDir()
	a, reports := served(t, dir, content, nil)
	path := filepath.Join(dir, "src/x")
	stat, err := os.Stat(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(other), 0o644))
	must(t, os.Chtimes(path, time.Time{}, stat.ModTime()))
	if _, err := readData(a); !errors.Is(err, unix.ESTALE) {
		t.Errorf("read: got error %v, want ESTALE", err)
	}
	if _, err := a.Open(false); !errors.Is(err, unix.ESTALE) {
		t.Errorf("open: got error %v, want ESTALE", err)
	}
	// The second block is as it was, but the file as a whole is not.
	i, _ := a.Find("src/x")
	if _, err := a.Read(context.Background(), a.DataOffset(i)+checksum.BlockLen, 100); !errors.Is(err, unix.ESTALE) {
		t.Errorf("another block: got error %v, want ESTALE", err)
	}
	if list := reports(); len(list) != 1 || !strings.Contains(list[0], `archive a.zip, entry "src/x": `+path+": changed since it was scanned: ") {
		t.Errorf("got reports %q, want one", list)
	}
	must(t, os.WriteFile(path, []byte(content), 0o644))
	time.Sleep(recheckEvery)
	eventually(t, "opened again", func() bool {
		l, err := a.Open(false)
		if err != nil {
			return false
		}
		l.Close()
		return true
	})
	if got, err := readData(a); err != nil || got != content {
		t.Errorf("after it came back: got %d bytes and error %v", len(got), err)
	}
}

// A difference in a block that nobody reads is found, too, once the file drifted.
func TestDifferenceElsewhere(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 5*checksum.BlockLen/16)
	dir := t.TempDir()
	a, reports := served(t, dir, content, nil)
	i, _ := a.Find("src/x")
	f, err := os.OpenFile(filepath.Join(dir, "src/x"), os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte("!"), 4*checksum.BlockLen+1)
	must(t, err)
	must(t, f.Close())
	// These bytes are right.
	d, err := a.Read(context.Background(), a.DataOffset(i), 1000)
	must(t, err)
	if string(d.Bytes()) != content[:1000] {
		t.Error("got other bytes")
	}
	d.Release()
	eventually(t, "found different", func() bool {
		_, err := a.Open(false)
		return errors.Is(err, unix.ESTALE)
	})
	if list := reports(); len(list) != 1 {
		t.Errorf("got reports %q, want one", list)
	}
}

// Bytes that changed while nothing else did are an error of their own. It stays, in
// the next generation and the next run, too, until somebody says that the file is
// meant to be so, by touching it: else a damaged disk would be taken for news.
func TestCorruptStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	a, reports := served(t, dir, "12345", cache)
	stat, err := a.source(t).Lstat()
	must(t, err)
	// As if another content had been hashed.
	must(t, cache.Add(crccache.Record{Key: crccache.KeyOf(a.source(t).Path()), Identity: stat.Identity, Sum: checksum.Sum{CRC32: 1}}))
	must(t, cache.Flush())
	i, _ := a.Find("src/x")
	a.crcs[i] = 1
	fails := func(what string, a *Archive) {
		t.Helper()
		if _, err := readData(a); !errors.Is(err, unix.EIO) || errors.Is(err, unix.ESTALE) {
			t.Errorf("%s: got error %v, want EIO", what, err)
		}
	}
	fails("at first", a)
	if list := reports(); len(list) != 1 || !strings.Contains(list[0], "the block at offset 0 has CRC-32 ") {
		t.Errorf("got reports %q, want one", list)
	}
	l, err := a.Open(false) // it may be a fault that passes
	must(t, err)
	l.Close()
	next := func(before *Generation) *Archive {
		var r read
		o := r.options(t, cache)
		o.Before = before
		return build(t, load(t, dir, twoArchives), o).Archives[0]
	}
	fails("in the next generation", next(a.g))
	fails("in the next run", next(nil))
	must(t, os.Chtimes(a.source(t).Path(), time.Time{}, time.Now()))
	if got, err := readData(next(a.g)); err != nil || got != "12345" {
		t.Errorf("after a touch: got %q and error %v", got, err)
	}
}

func (a *Archive) source(t *testing.T) source.Ref {
	t.Helper()
	i, ok := a.Find("src/x")
	if !ok {
		t.Fatal("there is no src/x")
	}
	ref, _ := a.Plan.Source(i)
	return ref
}

// The next generation reads what changed, and nothing else, with no cache at all.
func TestInherit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	big := strings.Repeat("big", checksum.BlockLen)
	write(t, dir, map[string]string{"src/x": "12345", "src/big": big, "src/d/y": "1234567"})
	must(t, os.Link(filepath.Join(dir, "src/x"), filepath.Join(dir, "src/link")))
	var r read
	before := build(t, load(t, dir, twoArchives), r.options(t, nil))
	for _, step := range []struct {
		name  string
		do    func()
		bytes int64
	}{
		{"nothing", func() {}, 0},
		{"one changed", func() { write(t, dir, map[string]string{"src/d/y": "7654321"}) }, 7},
		{"one new", func() { write(t, dir, map[string]string{"src/d/z": "z"}) }, 1},
		{"one gone", func() { must(t, os.Remove(filepath.Join(dir, "src/link"))) }, 5}, // its inode's status changed
		{"renamed", func() { must(t, os.Rename(filepath.Join(dir, "src/big"), filepath.Join(dir, "src/large"))) }, int64(len(big))},
	} {
		step.do()
		var r read
		o := r.options(t, nil)
		o.Before = before
		g := build(t, load(t, dir, twoArchives), o)
		if got := r.bytes.Load(); got != step.bytes {
			t.Errorf("%s: read %d bytes, want %d", step.name, got, step.bytes)
		}
		checkZIP(t, g.Archives[0])
		before = g
	}
}

// An archive's time moves when its bytes do, whatever the times of its sources,
// and at no other time.
func TestDate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	const layout = "version: 1\narchives: [{name: a.zip, mtime: 2026-01-31T12:00:00Z, entries: [{source: src}]}]\n"
	const first = 1769860800
	next := func(content string, before *Generation, c *crccache.Cache) *Archive {
		t.Helper()
		write(t, dir, map[string]string{"src/x": content})
		var r read
		o := r.options(t, c)
		o.Before = before
		g := build(t, load(t, dir, layout), o)
		must(t, g.Date(before))
		return g.Archives[0]
	}
	want := func(what string, a *Archive, time int64) {
		t.Helper()
		if a.Time != time {
			t.Errorf("%s: got time %d, want %d", what, a.Time, time)
		}
	}
	a := next("12345", nil, cache)
	want("first", a, first)
	a = next("12345", a.g, cache)
	want("the same", a, first)
	a = next("54321", a.g, cache)
	want("changed", a, first+timeStep)
	want("the same after a restart", next("54321", nil, cache), first+timeStep)
	want("changed after a restart", next("12345", nil, cache), first+2*timeStep)
	want("another cache", next("12345", nil, nil), first)
	b := next("x", nil, nil)
	want("no cache, changed", next("y", b.g, nil), first+timeStep)
}

// Who holds on to a generation that was expired gets errors, and keeps nothing of it.
func TestExpire(t *testing.T) {
	t.Parallel()
	a, _ := served(t, t.TempDir(), "12345", nil)
	l, err := a.Open(false)
	must(t, err)
	d, err := l.Read(context.Background(), 0, 10)
	must(t, err)
	d.Release()
	if !a.g.InUse() {
		t.Error("it is not in use")
	}
	a.g.Expire()
	if _, err := l.Read(context.Background(), 0, 10); !errors.Is(err, unix.ESTALE) {
		t.Errorf("got error %v, want ESTALE", err)
	}
	l.Close()
	if a.g.InUse() {
		t.Error("it is in use after the last one closed")
	}
}

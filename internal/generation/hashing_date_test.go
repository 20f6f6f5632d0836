package generation

import (
	"errors"
	"os"
	"testing"
	"time"

	"vzip/internal/crccache"
)

// Inode number and time stay for as long as a generation lives, at a reload, and at
// another mount; and move when the bytes do.
func TestDateBeforeHashed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345", "src/y": "1234567"})
	time.Sleep(25 * time.Millisecond)
	must(t, os.Symlink("one", dir+"/src/link"))
	l := load(t, dir, "version: 1\narchives: [{name: a.zip, mtime: 2020-01-01T00:00:00Z, entries: [{source: src}]}]\n")
	cache, err := crccache.Open(t.TempDir())
	must(t, err)
	scan := func(c *crccache.Cache, before *Generation) *Archive {
		t.Helper()
		var r read
		o := r.options(t, c)
		o.Before = before
		g, _ := early(t, l, o)
		must(t, g.Date(before))
		return g.Archives[0]
	}
	hash := func(c *crccache.Cache, before *Generation) *Archive {
		t.Helper()
		var r read
		o := r.options(t, c)
		o.Before = before
		g := build(t, l, o)
		must(t, g.Date(before))
		return g.Archives[0]
	}
	first := scan(cache, nil)
	base := first.ModTime
	if first.Time != base {
		t.Errorf("time %d, want %d", first.Time, base)
	}
	if again := scan(nil, nil); again.Inode != first.Inode || again.Time != base {
		t.Errorf("scanned again: inode %d and time %d, want %d and %d", again.Inode, again.Time, first.Inode, base)
	}
	// A reload, before and after all was hashed.
	if next := hash(nil, first.g); next.Inode != first.Inode || next.Time != base {
		t.Errorf("after a reload: inode %d and time %d, want %d and %d", next.Inode, next.Time, first.Inode, base)
	}
	first.g.Start(StartOptions{HashOptions: HashOptions{Workers: 1}})
	eventually(t, "all is hashed", func() bool { return first.g.hashing.Load() == nil })
	must(t, os.Chmod(dir+"/src/x", 0o600))
	must(t, os.Chmod(dir+"/src/x", 0o644))
	next := hash(nil, first.g)
	if next.Inode != first.Inode || next.Time != base {
		t.Errorf("after a reload with other states: inode %d and time %d, want %d and %d", next.Inode, next.Time, first.Inode, base)
	}
	// A source of the same size and time, and a link.
	for i, change := range []func() error{
		func() error {
			fi, _ := os.Stat(dir + "/src/x")
			return errors.Join(os.WriteFile(dir+"/src/x", []byte("54321"), 0o644), os.Chtimes(dir+"/src/x", time.Time{}, fi.ModTime()))
		},
		func() error { return errors.Join(os.Remove(dir+"/src/link"), os.Symlink("two", dir+"/src/link")) },
	} {
		must(t, change())
		later := scan(cache, nil)
		if later.Inode == first.Inode || later.Time < first.Time+timeStep {
			t.Errorf("change %d, at another mount: inode %d and time %d after %d and %d", i, later.Inode, later.Time, first.Inode, first.Time)
		}
		if r := hash(nil, first.g); r.Inode == first.Inode || r.Time < first.Time+timeStep {
			t.Errorf("change %d, at a reload: inode %d and time %d after %d and %d", i, r.Inode, r.Time, first.Inode, first.Time)
		}
		first = later
	}
	// Hashed at the next mount, the same bytes keep their time.
	then := hash(cache, nil)
	if then.Time != first.Time {
		t.Errorf("hashed at another mount: time %d, want %d", then.Time, first.Time)
	}
	if again := hash(cache, nil); again.Time != first.Time || again.Inode != then.Inode {
		t.Errorf("and at one more: time %d and inode %d, want %d and %d", again.Time, again.Inode, first.Time, then.Inode)
	}
}

package generation

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/crccache"
	"vzip/internal/require"
	"vzip/internal/rig"
	"vzip/internal/snapshot"
	"vzip/layout"
)

// onCloning runs a test in a folder on each file system that can clone.
func onCloning(t *testing.T, test func(t *testing.T, dir string)) {
	for _, name := range []string{"xfs", "btrfs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := rig.Kinds[slices.IndexFunc(rig.Kinds, func(k rig.Kind) bool { return k.Name == name })]
			require.Needs(t, append(k.Needs, "mount")...)
			p, err := k.Make(context.Background(), t.TempDir())
			must(t, err)
			t.Cleanup(func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			})
			must(t, os.Mkdir(filepath.Join(p.Dir, "clones"), 0o755))
			test(t, p.Dir)
		})
	}
}

// keeper returns one that ends with the test.
func keeper(t *testing.T) *snapshot.Keeper {
	k := &snapshot.Keeper{Warn: func(s string) { t.Error(s) }}
	t.Cleanup(k.Close)
	return k
}

const frozen = "version: 1\narchives: [{name: a.zip, snapshot: clones, entries: [{source: src}]}]\n"

// rest lets the times of files rest.
func rest() { time.Sleep(50 * time.Millisecond) }

// Of files that rest when they are cloned the CRC-32 is remembered as theirs, and none is
// worked out again: in the next generation, at the next start, with snapshot or without.
func TestFrozenOrigin(t *testing.T) {
	t.Parallel()
	onCloning(t, func(t *testing.T, dir string) {
		text := randomText(300_000)
		write(t, dir, map[string]string{"src/x": "12345", "src/d/large": text, "src/empty": ""})
		must(t, os.Link(filepath.Join(dir, "src/x"), filepath.Join(dir, "src/y")))
		rest()
		cache, err := crccache.Open(filepath.Join(t.TempDir(), "cache"))
		must(t, err)
		var r read
		o := r.options(t, cache)
		o.Snapshots = keeper(t)
		first := build(t, load(t, dir, frozen), o)
		must(t, first.Date(nil))
		a := first.Archives[0]
		if want := int64(len(text) + 5); r.files != 3 || r.bytes.Load() != want {
			t.Errorf("%d files of %d bytes were read, want 3 of %d: hard links once", r.files, r.bytes.Load(), want)
		}
		i, _ := a.Find("src/d/large")
		if ref, _ := a.Plan.Source(i); !strings.HasPrefix(ref.Path(), filepath.Join(dir, "clones/vzip-snapshot-")) {
			t.Errorf("it is read from %s", ref.Path())
		}
		if ref, ok := a.Origin(i); !ok || ref.Path() != filepath.Join(dir, "src/d/large") {
			t.Errorf("it comes from %s, %v", ref.Path(), ok)
		}
		for name, o := range map[string]Options{
			"from the generation before": {Before: first, Snapshots: o.Snapshots},
			"remembered":                 {HashOptions: HashOptions{Cache: cache}, Snapshots: o.Snapshots},
			"without clones":             {HashOptions: HashOptions{Cache: cache}},
		} {
			r := read{}
			with := r.options(t, o.Cache)
			with.Before, with.Snapshots = o.Before, o.Snapshots
			g := build(t, load(t, dir, frozen), with)
			must(t, g.Date(o.Before))
			if r.files > 0 || r.bytes.Load() > 0 {
				t.Errorf("%s: %d files of %d bytes were read", name, r.files, r.bytes.Load())
			}
			if b := g.Archives[0]; b.Inode != a.Inode || b.Time != a.Time || b.Frozen() != (o.Snapshots != nil) {
				t.Errorf("%s: got inode %d, time %d, want %d, %d", name, b.Inode, b.Time, a.Inode, a.Time)
			}
			if content := checkZIP(t, g.Archives[0]); content["src/d/large"] != text || content["src/y"] != "12345" {
				t.Errorf("%s: other content", name)
			}
		}
		must(t, os.RemoveAll(filepath.Join(dir, "src"))) // what is shown needs it no more
		if content := checkZIP(t, a); content["src/d/large"] != text || content["src/x"] != "12345" {
			t.Errorf("other content")
		}
	})
}

// What could be written to when it was cloned, or had changed just before, is read as it
// was, but nothing is remembered of it, and nothing that is remembered is believed.
func TestFrozenUnsettled(t *testing.T) {
	t.Parallel()
	onCloning(t, func(t *testing.T, dir string) {
		path := filepath.Join(dir, "src/x")
		write(t, dir, map[string]string{"src/x": strings.Repeat("1", 4096), "src/rests": "2"})
		rest()
		cache, err := crccache.Open(filepath.Join(t.TempDir(), "cache"))
		must(t, err)
		k := keeper(t)
		l := load(t, dir, frozen)
		var before *Generation
		look := func(what, want string) (files int, settled bool) {
			t.Helper()
			var r read
			o := r.options(t, cache)
			o.Snapshots, o.Before = k, before
			before = build(t, l, o)
			a := before.Archives[0]
			i, _ := a.Find("src/x")
			if got := checkZIP(t, a)["src/x"]; got != strings.Repeat(want, 4096) {
				t.Errorf("%s: got %.10q, want %s", what, got, want)
			}
			_, settled = a.Origin(i)
			return r.files, settled
		}
		next := func(what, want string, files int, settled bool) {
			t.Helper()
			if got, is := look(what, want); is != settled || got != files {
				t.Errorf("%s: %d files were read, want %d; settled is %v", what, got, files, is)
			}
		}
		// A store to a page that was written to before shows in no times.
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		defer f.Close()
		m, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		must(t, err)
		store := func(c byte) {
			for i := range m {
				m[i] = c
			}
		}
		store('3')
		rest()
		next("mapped", "3", 2, false)
		store('4')
		next("mapped, another store", "4", 1, false)
		must(t, unix.Munmap(m))
		rest()
		next("open", "4", 1, false)
		must(t, f.Close())
		next("closed", "4", 1, true)
		next("closed, again", "4", 0, true)
		// Just before: a further change might show in no times.
		for try := 1; ; try++ {
			writeAt(t, path, strings.Repeat("5", 4096), 0)
			files, settled := look("changed just now", "5")
			if files != 1 || settled && try == 100 {
				t.Errorf("changed just now: %d files were read, want 1; settled is %v", files, settled)
			}
			if !settled || try == 100 {
				break
			} // a busy machine took its time
		}
		rest()
		next("at rest", "5", 1, true)
		next("at rest, again", "5", 0, true)
		// A modification time says nothing of when that was.
		must(t, os.Chtimes(path, time.Now().Add(time.Hour), time.Now().Add(time.Hour)))
		rest()
		next("of the future", "5", 1, true)
	})
}

// A generation's clones go with its last user, and those of one that can't be built at once.
func TestFrozenEnds(t *testing.T) {
	t.Parallel()
	onCloning(t, func(t *testing.T, dir string) {
		write(t, dir, map[string]string{"src/x": "12345"})
		clones := filepath.Join(dir, "clones")
		folders := func() int {
			list, err := os.ReadDir(clones)
			must(t, err)
			return len(list)
		}
		k := keeper(t)
		l := load(t, dir, frozen)
		var r read
		o := r.options(t, nil)
		o.Snapshots = k
		g, err := Build(context.Background(), l, o)
		must(t, err)
		open, err := g.Archives[0].Open(false)
		must(t, err)
		g.Close()
		time.Sleep(50 * time.Millisecond)
		if b, err := open.Read(context.Background(), 0, 10); err != nil || folders() != 1 {
			t.Errorf("while it is open: %d folders, error %v", folders(), err)
		} else {
			b.Release()
		}
		open.Close()
		eventually(t, "removed", func() bool { return folders() == 0 })

		must(t, os.Mkdir(filepath.Join(dir, "src/full"), 0o755))
		must(t, unix.Mount("tmpfs", filepath.Join(dir, "src/full"), "tmpfs", 0, ""))
		write(t, dir, map[string]string{"src/full/y": "y"})
		_, err = Build(context.Background(), l, o)
		must(t, unix.Unmount(filepath.Join(dir, "src/full"), 0))
		if err == nil || !strings.Contains(err.Error(), "layout.yaml:2:36: snapshot "+clones+": "+dir+"/src/full/y can't be cloned: invalid cross-device link: it is on another file system: ") {
			t.Errorf("of another file system: got error %v", err)
		}
		if folders() > 0 {
			t.Error("a build that failed left clones")
		}
		// What is being built when the process ends is gone, too.
		k.Close()
		if _, err = Build(context.Background(), l, o); err == nil || folders() > 0 {
			t.Errorf("after the end: got error %v, %d folders", err, folders())
		}
	})
}

// A scan that makes no clones takes the sources as they are.
func TestFrozenNot(t *testing.T) {
	t.Parallel()
	onCloning(t, func(t *testing.T, dir string) {
		write(t, dir, map[string]string{"src/x": "12345"})
		plans, err := load(t, dir, frozen).Scan(context.Background(), layout.ScanOptions{})
		must(t, err)
		i, _ := plans[0].Find("src/x")
		if ref, _ := plans[0].Source(i); ref.Path() != filepath.Join(dir, "src/x") || plans[0].Frozen() {
			t.Errorf("it is read from %s", ref.Path())
		}
	})
}

// Subvolumes are devices of their own with inode numbers of their own, and yet clone into
// each other.
func TestFrozenSubvolumes(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root", "mkfs.btrfs", "mount", "btrfs")
	k := rig.Kinds[slices.IndexFunc(rig.Kinds, func(k rig.Kind) bool { return k.Name == "btrfs" })]
	p, err := k.Make(context.Background(), t.TempDir())
	must(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	must(t, os.Mkdir(filepath.Join(p.Dir, "clones"), 0o755))
	for _, name := range []string{"one", "two"} {
		out, err := exec.Command("btrfs", "subvolume", "create", filepath.Join(p.Dir, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		write(t, p.Dir, map[string]string{name + "/x": name})
	}
	rest()
	text := strings.Replace(frozen, "{source: src}", "{source: one}, {source: two}", 1)
	var r read
	o := r.options(t, nil)
	o.Snapshots = keeper(t)
	first := build(t, load(t, p.Dir, text), o)
	a := first.Archives[0]
	one, _ := a.Find("one/x")
	two, _ := a.Find("two/x")
	if a.OriginInode(one) != a.OriginInode(two) || a.OriginDevice(one) == a.OriginDevice(two) {
		t.Errorf("inodes %d and %d of devices %d and %d", a.OriginInode(one), a.OriginInode(two), a.OriginDevice(one), a.OriginDevice(two))
	}
	o.Before = first
	second := build(t, load(t, p.Dir, text), o)
	if r.files != 2 {
		t.Errorf("%d files were read, want 2", r.files)
	}
	for _, g := range []*Generation{first, second} {
		if content := checkZIP(t, g.Archives[0]); content["one/x"] != "one" || content["two/x"] != "two" {
			t.Errorf("got %q", content)
		}
	}
}

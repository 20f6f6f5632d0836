package generation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/crccache"
	"vzip/internal/verified"
	"vzip/layout"
)

const oneArchive = "version: 1\narchives: [{name: a.zip, entries: [{source: src}]}]\n"

// early scans a layout. Its files are hashed once start is called.
func early(t *testing.T, l *layout.Layout, o Options) (g *Generation, start func() (failed <-chan int)) {
	t.Helper()
	if o.Reader == nil {
		o.Reader = verified.NewReader(verified.Options{Timeout: 20 * time.Second})
	}
	g, err := Scan(context.Background(), l, o)
	must(t, err)
	t.Cleanup(g.Close)
	return g, func() <-chan int {
		done := make(chan int, 1)
		g.Start(StartOptions{HashOptions: o.HashOptions, Finished: func(failed int) { done <- failed }, Warn: o.Warn})
		return done
	}
}

func all(t *testing.T, a *Archive) []byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(a, 0, a.Size()))
	must(t, err)
	return b
}

// Whatever is read first, by any number of readers: the bytes are those of a
// generation that was hashed before, and all is remembered.
func TestStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{"src/empty": "", "src/x": "12345"}
	for i := range 300 {
		files[fmt.Sprintf("src/d%d/f%d", i%7, i)] = strings.Repeat(fmt.Sprint(i), i*i%7000)
	}
	files["src/large"] = strings.Repeat("0123456789abcdef", 5*checksum.BlockLen/16) + "end"
	write(t, dir, files)
	must(t, os.Link(dir+"/src/large", dir+"/src/again"))
	must(t, os.Symlink("large", dir+"/src/link"))
	// Over the size from which several workers share one, with a hole.
	f, err := os.Create(dir + "/src/huge")
	must(t, err)
	must(t, f.Truncate(70<<20))
	for _, at := range []int64{0, 40 << 20, 69 << 20} {
		_, err = f.WriteAt(bytes.Repeat([]byte("huge"), 1000), at)
		must(t, err)
	}
	must(t, f.Close())
	l := load(t, dir, twoArchives)
	var r read
	want := all(t, build(t, l, r.options(t, nil)).Archives[0])
	hashed := r.files

	for _, order := range []string{"forward", "backward", "together", "directory first"} {
		t.Run(order, func(t *testing.T) {
			cache, err := crccache.Open(t.TempDir())
			must(t, err)
			var r read
			g, start := early(t, l, r.options(t, cache))
			a := g.Archives[0]
			if a.Size() != int64(len(want)) {
				t.Fatalf("got size %d, want %d", a.Size(), len(want))
			}
			done := start()
			step := 1 << 20
			var at []int64
			for off := int64(0); off < a.Size(); off += int64(step) {
				at = append(at, off)
			}
			check := func(off int64) {
				n := int(min(int64(step), a.Size()-off))
				d, err := a.Read(context.Background(), off, n)
				if err != nil {
					t.Errorf("%d bytes at %d: %v", n, off, err)
					return
				}
				defer d.Release()
				if !bytes.Equal(d.Bytes(), want[off:off+int64(n)]) {
					t.Errorf("%d bytes at %d differ", n, off)
				}
			}
			switch order {
			case "forward":
				for _, off := range at {
					check(off)
				}
			case "backward":
				for i := range at {
					check(at[len(at)-1-i])
				}
			case "together":
				var wg sync.WaitGroup
				for w := range 4 {
					wg.Go(func() {
						for _, i := range rand.New(rand.NewPCG(1, uint64(w))).Perm(len(at)) {
							check(at[i])
						}
					})
				}
				wg.Wait()
			case "directory first":
				check(at[len(at)-1])
			}
			if failed := <-done; failed != 0 {
				t.Errorf("%d failed", failed)
			}
			if g.hashing.Load() != nil {
				t.Error("hashing is not gone")
			}
			if !bytes.Equal(all(t, a), want) {
				t.Error("it differs when all is hashed")
			}
			if r.files != hashed {
				t.Errorf("%d files were hashed, want %d", r.files, hashed)
			}
			var again read
			build(t, l, again.options(t, cache))
			if again.files != 0 {
				t.Errorf("%d files are not remembered", again.files)
			}
		})
	}
}

// Who waits gets the file that is waited for, before all others; and those ahead of a
// reader come before those behind.
func TestUrgentFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 400 {
		files[fmt.Sprintf("src/f%03d", i)] = strings.Repeat(fmt.Sprint(i), 40000)
	}
	write(t, dir, files)
	var r read
	o := r.options(t, nil)
	o.Workers = 1
	gate := make(chan struct{}, 1000)
	var passed atomic.Int64
	o.Progress = func(int64) { <-gate; passed.Add(1) }
	g, start := early(t, load(t, dir, oneArchive), o)
	a := g.Archives[0]
	start()
	defer func() { close(gate) }()
	eventually(t, "one is begun", func() bool {
		h := g.hashing.Load()
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.begun) == 1
	})
	got := make(chan error)
	go func() {
		d, err := a.Read(context.Background(), a.HeaderOffset(200), 30+4)
		if err == nil {
			d.Release()
		}
		got <- err
	}()
	eventually(t, "the read waits", func() bool { return g.hashing.Load().urgent.Load() == 1 })
	gate <- struct{}{} // the one that was begun
	gate <- struct{}{} // the urgent one
	must(t, <-got)
	if n := passed.Load(); n > 2 {
		t.Errorf("%d files were hashed first", n)
	}
	for range 20 {
		gate <- struct{}{}
	}
	eventually(t, "those ahead", func() bool { return passed.Load() == 22 })
	for i := 201; i < 219; i++ {
		if _, ok := a.KnownCRC(i); !ok {
			t.Errorf("entry %d, ahead of the reader, is not hashed", i)
		}
	}
}

// A source that is not what was scanned when it is to be hashed: ESTALE for it, one
// message, and no byte of it; the others can be read. Once it is known the archive
// can't be opened. What comes back can be read again.
func TestChangedBeforeHashed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string) error{
		"written": func(path string) error { return os.WriteFile(path, []byte("54321"), 0o644) },
		"grown":   func(path string) error { return os.WriteFile(path, []byte("123456"), 0o644) },
		"gone":    os.Remove,
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+".new", []byte("ABCDE"), 0o644), os.Rename(path+".new", path))
		},
		"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"src/x": "12345", "src/y": "1234567"})
			time.Sleep(25 * time.Millisecond)
			var r read
			o := r.options(t, nil)
			var mu sync.Mutex
			var reports []string
			o.Report = func(err error) {
				mu.Lock()
				defer mu.Unlock()
				reports = append(reports, err.Error())
			}
			g, start := early(t, load(t, dir, twoArchives), o)
			a := g.Archives[0]
			must(t, change(dir+"/src/x"))
			done := start()
			for range 3 {
				if got, err := readData(a); !errors.Is(err, unix.ESTALE) {
					t.Errorf("got %q and error %v, want ESTALE", got, err)
				}
			}
			if failed := <-done; failed != 1 {
				t.Errorf("%d failed, want 1", failed)
			}
			i, _ := a.Find("src/x")
			if _, err := a.ReadAt(make([]byte, 30), a.HeaderOffset(i)); !errors.Is(err, unix.ESTALE) {
				t.Errorf("its header: error %v, want ESTALE", err)
			}
			j, _ := a.Find("src/y")
			p := make([]byte, 7)
			if _, err := a.ReadAt(p, a.DataOffset(j)); err != nil || string(p) != "1234567" {
				t.Errorf("another entry: got %q and %v", p, err)
			}
			if _, err := a.Open(false); !errors.Is(err, unix.ESTALE) {
				t.Errorf("open: error %v, want ESTALE", err)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(reports) != 1 || !strings.Contains(reports[0], `entry "src/x"`) || !strings.Contains(reports[0], "changed since it was scanned") {
				t.Errorf("got reports %q", reports)
			}
		})
	}
}

// A folder that was renamed and comes back has the files that were scanned.
func TestBackBeforeHashed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/d/x": "12345", "src/y": "1234567"})
	var r read
	g, start := early(t, load(t, dir, oneArchive), r.options(t, nil))
	a := g.Archives[0]
	must(t, os.Rename(dir+"/src/d", dir+"/src/other"))
	if failed := <-start(); failed != 1 {
		t.Fatalf("%d failed, want 1", failed)
	}
	if _, err := a.Open(false); !errors.Is(err, unix.ESTALE) {
		t.Fatalf("open: error %v, want ESTALE", err)
	}
	must(t, os.Rename(dir+"/src/other", dir+"/src/d"))
	eventually(t, "it can be opened", func() bool {
		l, err := a.Open(false)
		if err == nil {
			l.Close()
		}
		return err == nil
	})
	if got := checkZIP(t, a); got["src/d/x"] != "12345" {
		t.Errorf("got %q", got)
	}
	if g.hashing.Load() != nil {
		t.Error("hashing is not gone")
	}
}

// A busy file: its readers get EIO, or wait; when it rests they get its bytes.
func TestBusyWhileStarted(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"fail", "skip", "wait"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"src/x": "12345", "src/y": "1234567"})
			time.Sleep(25 * time.Millisecond)
			f, err := os.OpenFile(dir+"/src/x", os.O_RDWR, 0)
			must(t, err)
			defer f.Close()
			var r read
			g, start := early(t, load(t, dir, "version: 1\narchives: [{name: a.zip, on_busy: "+policy+", entries: [{source: src}]}]\n"), r.options(t, nil))
			a := g.Archives[0]
			start()
			got := make(chan error, 1)
			go func() { _, err := readData(a); got <- err }()
			if policy == "wait" {
				select {
				case err := <-got:
					t.Fatalf("the read did not wait: %v", err)
				case <-time.After(500 * time.Millisecond):
				}
				must(t, f.Close())
				must(t, <-got)
			} else {
				if err := <-got; err == nil || errors.Is(err, unix.ESTALE) {
					t.Errorf("got error %v", err)
				}
				must(t, f.Close())
			}
			eventually(t, "it can be read", func() bool { s, err := readData(a); return err == nil && s == "12345" })
			eventually(t, "hashing is gone", func() bool { return g.hashing.Load() == nil })
		})
	}
}

// Hashing can be halted and gone on with; what a reader wants is hashed all the same.
func TestPause(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("src/f%d", i)] = strings.Repeat("x", i*1000)
	}
	files["src/x"] = "12345"
	write(t, dir, files)
	cache, err := crccache.Open(t.TempDir())
	must(t, err)
	var r read
	g, start := early(t, load(t, dir, twoArchives), r.options(t, cache))
	done := start()
	g.Pause()
	time.Sleep(50 * time.Millisecond)
	if got, err := readData(g.Archives[0]); got != "12345" || err != nil {
		t.Errorf("got %q and %v", got, err)
	}
	g.Resume()
	if failed := <-done; failed > 0 {
		t.Errorf("%d failed", failed)
	}
	checkZIP(t, g.Archives[0])
}

// The end of a generation ends its hashing, and what is known is remembered.
func TestCloseWhileStarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("src/f%02d", i)] = strings.Repeat("x", 1000+i)
	}
	write(t, dir, files)
	l := load(t, dir, oneArchive)
	cache, err := crccache.Open(t.TempDir())
	must(t, err)
	var r read
	o := r.options(t, cache)
	o.Workers = 1
	gate := make(chan struct{})
	var n atomic.Int64
	o.Progress = func(int64) {
		if n.Add(1) > 10 {
			<-gate
		}
	}
	o.Reader = verified.NewReader(verified.Options{Timeout: time.Minute})
	g, err := Scan(context.Background(), l, o)
	must(t, err)
	g.Start(StartOptions{HashOptions: o.HashOptions, Warn: o.Warn})
	eventually(t, "some are hashed", func() bool { return n.Load() > 10 })
	g.Close()
	close(gate)
	var again read
	build(t, l, again.options(t, cache))
	if again.files != 40 && again.files != 41 {
		t.Errorf("%d files were hashed again, want 40", again.files)
	}
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		if to, _ := os.Readlink(fd); strings.HasPrefix(to, dir+"/src/f") {
			t.Errorf("%s is open", to)
		}
	}
}

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

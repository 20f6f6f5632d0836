package generation

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
			list := o.reports()
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
			if reports := list(); len(reports) != 1 || !strings.Contains(reports[0], `entry "src/x"`) || !strings.Contains(reports[0], "changed since it was scanned") {
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

package generation

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// What is shown of a generation that has ended can't be opened any more, and nothing of it
// begins anew: the error makes a kernel look the name up again.
func TestOpenAfterEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(200_000)})
	var r read
	l := load(t, dir, "version: 1\narchives: [{name: d/a.zip, split: 65536, "+allSidecars+", entries: [{source: src}]}]\n")
	for _, hashed := range []bool{true, false} {
		g, err := Scan(context.Background(), l, r.options(t, nil))
		must(t, err)
		must(t, g.Date(nil))
		files := g.Files()
		if hashed {
			err, cacheErr := g.Hash(context.Background(), HashOptions{Workers: 1}, new(places))
			must(t, errors.Join(err, cacheErr))
		}
		open, err := g.Archives[0].Open(false)
		must(t, err)
		g.Close()
		if b, err := tryRead(files[0], false, 1<<20); hashed && (err != nil || int64(len(b)) != files[0].Size) {
			t.Errorf("while somebody has it open: got %d bytes and error %v", len(b), err)
		}
		open.Close()
		if len(files) != 8 { // 4 volumes, 3 sidecars
			t.Errorf("got %d files", len(files))
		}
		for _, f := range files {
			for _, ahead := range []bool{true, false} {
				if h, err := f.Open(ahead); !errors.Is(err, unix.ESTALE) || h != nil {
					t.Errorf("hashed %v: %s: got error %v, want ESTALE", hashed, f.Path, err)
				}
			}
		}
		if _, err := g.Archives[0].Read(context.Background(), 0, 10); !errors.Is(err, unix.ESTALE) {
			t.Errorf("hashed %v: read: got error %v, want ESTALE", hashed, err)
		}
		if n := g.users.Load(); n != 0 || g.InUse() {
			t.Errorf("hashed %v: it has %d users after its end", hashed, n)
		}
	}
}

// Closing twice what was opened once is no other's end.
func TestCloseTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(200_000)})
	var r read
	g, files := shown(t, dir, allSidecars, r.options(t, nil))
	h, err := files["d/a.zip"].Open(true)
	must(t, err)
	h.Close()
	h.Close()
	if n := g.users.Load(); n != 1 || g.ctx.Err() != nil {
		t.Fatalf("it has %d users, want 1", n)
	}
	readFile(t, files["d/a.zip"], true, 4096)
}

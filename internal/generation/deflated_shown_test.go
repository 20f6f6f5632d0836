package generation

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"vzip/internal/crccache"
)

// What stands beside an archive with deflated entries is of its bytes.
func TestDeflatedSidecars(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deflatedTree(t, dir)
	for _, options := range []string{"method: deflate", "method: auto, level: 1", "method: deflate, store: [text, d/], align: 4KiB"} {
		var r read
		_, files := shown(t, dir, options+", "+allSidecars, r.options(t, nil))
		wantSidecars(t, files)
	}
}

// Volumes joined are the archive.
func TestDeflatedVolumes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	deflatedTree(t, dir)
	var r read
	_, plain := shown(t, dir, "method: auto", r.options(t, nil))
	whole := readFile(t, plain["d/a.zip"], false, 1<<20)
	size := len(whole)
	for _, split := range []int{65536, size / 2, size - 1, size, size + 1} {
		_, files := shown(t, dir, fmt.Sprintf("method: auto, split: %d", split), r.options(t, nil))
		count := (size + split - 1) / split
		if len(files) != 1+count {
			t.Errorf("split %d: got %d files, want the archive and %d volumes", split, len(files), count)
		}
		for _, ahead := range []bool{false, true} {
			var joined []byte
			for i := range count {
				joined = append(joined, readFile(t, files[fmt.Sprintf("d/a.zip.%03d", i+1)], ahead, 100_000)...)
			}
			if !bytes.Equal(joined, whole) {
				t.Errorf("split %d, ahead %v: the volumes are not the archive", split, ahead)
			}
		}
	}
}

// Archives of other bytes have other tags, and equal ones the same.
func TestDeflatedTag(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/text": logText(1<<20 + 5), "src/noise": randomText(70_000)})
	tags := map[string]string{}
	for _, options := range []string{"method: store", "method: deflate, level: 1", "method: deflate", "method: deflate, level: 4", "method: auto", "method: auto, store: [text, noise]", "method: deflate, store: [noise]"} {
		var r read
		g, _ := shown(t, dir, "mtime: 2026-01-31T12:00:00Z, "+options, r.options(t, nil))
		a := g.Archives[0]
		tag, _ := a.Tag()
		b := string(all(t, a))
		for other, of := range tags {
			if (b == of) != (tag == other) {
				t.Errorf("%s: tag %s, and another archive has %s: equal bytes: %v", options, tag, other, b == of)
			}
		}
		tags[tag] = b
	}
	if len(tags) != 5 {
		t.Errorf("got %d tags, want 5", len(tags))
	}
}

// Entries are read as they were before they were deflated.
func TestOpenEntry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content := deflatedTree(t, dir)
	var r read
	g := build(t, load(t, dir, threeMethods), r.options(t, nil))
	must(t, g.Date(nil))
	rnd := rand.New(rand.NewPCG(1, 9))
	for _, a := range g.Archives {
		for i := range a.Len() {
			if !a.IsFile(i) || a.EntrySize(i) == 0 {
				continue
			}
			want := content[a.EntryName(i)]
			h, first, err := a.OpenEntry(i)
			must(t, err)
			for range 5 {
				off := rnd.IntN(len(want))
				n := 1 + rnd.IntN(len(want)-off)
				got, err := readHandle(h, first+int64(off), n)
				if err != nil || string(got) != want[off:off+n] {
					t.Errorf("%s: %s: %d bytes at %d: got %d others, error %v", a.Name, a.EntryName(i), n, off, len(got), err)
				}
			}
			h.Close()
		}
	}
}

// readHandle reads n bytes.
func readHandle(h Handle, off int64, n int) (got []byte, err error) {
	for len(got) < n {
		b, err := h.Read(context.Background(), off+int64(len(got)), min(n-len(got), 1<<20))
		if err != nil {
			return got, err
		}
		got = append(got, bytes.Join(b.Slices(), nil)...)
		n0 := b.Len()
		b.Release()
		if n0 == 0 {
			return got, io.ErrUnexpectedEOF
		}
	}
	return got, nil
}

// Clones are deflated as what they are clones of, and remembered as that.
func TestDeflatedFrozen(t *testing.T) {
	t.Parallel()
	onCloning(t, func(t *testing.T, dir string) {
		content := deflatedTree(t, dir)
		rest()
		cache, err := crccache.Open(filepath.Join(t.TempDir(), "cache"))
		must(t, err)
		const frozen = "version: 1\narchives: [{name: a.zip, method: auto, snapshot: clones, entries: [{source: src}]}]\n"
		var r read
		o := r.options(t, cache)
		o.Snapshots = keeper(t)
		first := build(t, load(t, dir, frozen), o)
		want := all(t, first.Archives[0])
		for _, plain := range []bool{false, true} {
			var r read
			with := r.options(t, cache)
			if !plain {
				with.Snapshots = o.Snapshots
			}
			g := build(t, load(t, dir, frozen), with)
			if r.files > 0 || !bytes.Equal(all(t, g.Archives[0]), want) {
				t.Errorf("without clones: %v: %d files were read, or other bytes", plain, r.files)
			}
		}
		must(t, os.RemoveAll(filepath.Join(dir, "src")))
		if got := checkZIP(t, first.Archives[0]); !maps.Equal(got, content) {
			t.Error("other content")
		}
		// Blocks that were begun beside a read may still be at work.
		eventually(t, "the end of all reads", func() bool { return first.users.Load() == 1 })
	})
}

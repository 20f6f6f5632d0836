package generation

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vzip/internal/checksum"
)

// forged returns other content of the same length and CRC-32.
func forged(t *testing.T, content []byte) []byte {
	t.Helper()
	b := bytes.Clone(content)
	b[0]++
	// Each byte at the end has the table's entry whose top byte is that of the CRC-32
	// after it: found backwards, and applied forwards.
	last := len(b) - 4
	state := crc32.ChecksumIEEE(b[:last]) ^ 0xffffffff
	after := crc32.ChecksumIEEE(content) ^ 0xffffffff
	for range 4 {
		for i, entry := range crc32.IEEETable {
			if entry>>24 == after>>24 {
				after = (after^entry)<<8 | uint32(i)
				break
			}
		}
	}
	binary.LittleEndian.PutUint32(b[last:], after^state)
	if got, want := crc32.ChecksumIEEE(b), crc32.ChecksumIEEE(content); got != want {
		t.Fatalf("the test itself: CRC-32 %08x, want %08x", got, want)
	}
	return b
}

// tagOf builds a layout of one source, src, and returns its archive's tag.
func tagOf(t *testing.T, name string, make func(src string)) string {
	t.Helper()
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	must(t, os.Mkdir(src, 0o755))
	make(src)
	at := time.Unix(1700000000, 0)
	must(t, filepath.Walk(src, func(p string, fi os.FileInfo, err error) error {
		if err != nil || fi.Mode()&os.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(p, at, at)
	}))
	l := load(t, dir, "version: 1\narchives: [{name: "+name+", mtime: 2026-01-31T12:00:00Z, entries: [{source: src}]}]")
	g := build(t, l, new(read).options(t, nil))
	tag, ok := g.Archives[0].Tag()
	if !ok || len(tag) != 2*tagLen {
		t.Fatalf("got tag %q, %v", tag, ok)
	}
	if again, _ := g.Archives[0].Tag(); again != tag {
		t.Errorf("then it is %q", again)
	}
	return tag
}

// TestTag: equal bytes have equal tags, wherever they are and whatever they are called;
// others have others, also where every CRC-32 in the directory is the same.
func TestTag(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("large "), checksum.BlockLen/2)
	link := []byte("links are of one length.")
	tree := func(large, small, link []byte) func(string) {
		return func(src string) {
			write(t, src, map[string]string{"large": string(large), "small": string(small)})
			must(t, os.Symlink(string(link), filepath.Join(src, "link")))
		}
	}
	plain := tagOf(t, "a.zip", tree(large, []byte("small"), link))
	if got := tagOf(t, "folder/b.zip", tree(large, []byte("small"), link)); got != plain {
		t.Errorf("elsewhere, under another name: %s, want %s", got, plain)
	}
	linkForged := forged(t, link)
	if bytes.IndexByte(linkForged, 0) >= 0 || bytes.IndexByte(linkForged, '\n') >= 0 {
		t.Fatal("the test itself: a link can't be so")
	}
	for what, other := range map[string]string{
		"another small file":                    tagOf(t, "a.zip", tree(large, []byte("smalm"), link)),
		"another large file of the same CRC-32": tagOf(t, "a.zip", tree(forged(t, large), []byte("small"), link)),
		"another link of the same CRC-32":       tagOf(t, "a.zip", tree(large, []byte("small"), linkForged)),
	} {
		if other == plain {
			t.Errorf("%s: the same tag", what)
		}
	}
}

// TestTagBeforeHashed: there is no tag until the bytes are known, then the right one.
func TestTagBeforeHashed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/one": "1", "src/two": string(make([]byte, 3*checksum.BlockLen))})
	l := load(t, dir, "version: 1\narchives: [{name: a.zip, entries: [{source: src}]}]")
	want, ok := build(t, l, new(read).options(t, nil)).Archives[0].Tag()
	if !ok {
		t.Fatal("no tag though all is hashed")
	}
	g, err := Scan(context.Background(), l, new(read).options(t, nil))
	must(t, err)
	defer g.Close()
	if tag, ok := g.Archives[0].Tag(); ok {
		t.Errorf("got %s before anything is hashed", tag)
	}
	finished := make(chan int, 1)
	g.Start(StartOptions{HashOptions: HashOptions{Workers: 1}, Finished: func(failed int) { finished <- failed }})
	if failed := <-finished; failed != 0 {
		t.Fatal(failed)
	}
	if got, ok := g.Archives[0].Tag(); !ok || got != want {
		t.Errorf("got %s, %v, want %s", got, ok, want)
	}
}

// TestHold: a generation that has ended can't be used any more.
func TestHold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/one": "1"})
	g, err := Scan(context.Background(), load(t, dir, "version: 1\narchives: [{name: a.zip, entries: [{source: src}]}]"), new(read).options(t, nil))
	must(t, err)
	if !g.Hold() {
		t.Fatal("it can't be used")
	}
	g.Close()
	g.Close()
	if g.Hold() {
		t.Error("it can be used after its end")
	}
}

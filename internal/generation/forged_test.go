package generation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vzip/internal/checksum"
	"vzip/internal/crccache"
)

// An archive whose bytes change is another one, also where every CRC-32 in its directory
// stays the same: after a reload, at the next mount, and before it is hashed.
func TestForged(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("large "), checksum.BlockLen/2)
	link := []byte("links are of one length.")
	for _, tt := range []struct {
		what        string
		large, link []byte
	}{
		{"a large file", forged(t, large), link},
		{"a link", large, forged(t, link)},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			put := func(large, link []byte) {
				t.Helper()
				file, name, at := filepath.Join(dir, "src/large"), filepath.Join(dir, "src/link"), time.Unix(1e9, 0)
				if was, err := os.ReadFile(file); err != nil || !bytes.Equal(was, large) {
					write(t, dir, map[string]string{"src/large": string(large)})
					must(t, os.Chtimes(file, at, at))
				}
				must(t, os.RemoveAll(name))
				must(t, os.Symlink(string(link), name))
				must(t, os.Chtimes(filepath.Join(dir, "src"), at, at))
			}
			put(large, link)
			cache, err := crccache.Open(filepath.Join(dir, "cache"))
			must(t, err)
			const options = "mtime: 2026-01-31T12:00:00Z, " + allSidecars
			var r read
			g, files := shown(t, dir, options, r.options(t, cache))
			readFile(t, files["d/a.zip.sha256"], false, 100)
			l := load(t, dir, "version: 1\narchives: [{name: d/a.zip, "+options+", entries: [{source: src}]}]\n")
			scan := func() *Archive {
				g, err := Scan(context.Background(), l, r.options(t, nil))
				must(t, err)
				defer g.Close()
				must(t, g.Date(nil))
				return g.Archives[0]
			}
			early := scan()

			put(tt.large, tt.link)
			check := func(when string, next *Generation) {
				t.Helper()
				files, a, was := byPath(next), next.Archives[0], g.Archives[0]
				whole := readFile(t, files["d/a.zip"], false, 1<<20)
				want := fmt.Sprintf("%x  a.zip\n", sha256.Sum256(whole))
				if got := string(readFile(t, files["d/a.zip.sha256"], false, 100)); got != want {
					t.Errorf("%s: got %q, want %q", when, got, want)
				}
				if a.Inode == was.Inode || a.Time < was.Time+timeStep {
					t.Errorf("%s: inode number %d and time %d after %d and %d", when, a.Inode, a.Time, was.Inode, was.Time)
				}
			}
			o := r.options(t, nil)
			o.Before = g
			reloaded := build(t, l, o)
			must(t, reloaded.Date(g))
			check("after a reload", reloaded)
			mounted := build(t, l, r.options(t, cache))
			must(t, mounted.Date(nil))
			check("at the next mount", mounted)
			if a := scan(); a.Inode == early.Inode {
				t.Errorf("before it is hashed: the same inode number, %d", a.Inode)
			}
		})
	}
}

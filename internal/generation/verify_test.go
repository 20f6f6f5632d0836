package generation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/crccache"
	"vzip/layout"
)

// verify returns what a Verifier finds, in words.
func verify(t *testing.T, l *layout.Layout, cache *crccache.Cache, only string) string {
	t.Helper()
	var v Verifier
	var r read
	o := r.options(t, cache)
	o.Only = only
	must(t, v.Run(context.Background(), l, o))
	got := v.Result()
	for _, err := range slices.Concat(got.Different, got.Unreadable) {
		t.Log(err)
	}
	if size := got.Bytes; len(got.Different)+len(got.Unreadable) == 0 && r.bytes.Load() != size {
		t.Errorf("%d bytes were read, %d are equal", r.bytes.Load(), size)
	}
	return fmt.Sprintf("%d equal, %d unknown, %d different, %d unreadable", got.Equal, got.Unknown, len(got.Different), len(got.Unreadable))
}

func TestVerifier(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345", "src/empty": "", "src/d/large": strings.Repeat("0123456789abcdef", 5*checksum.BlockLen/16) + "end"})
	must(t, os.Link(filepath.Join(dir, "src/x"), filepath.Join(dir, "src/again")))
	l := load(t, dir, twoArchives)
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	want := func(what, want string) {
		t.Helper()
		if got := verify(t, l, cache, ""); got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	want("nothing remembered", "0 equal, 3 unknown, 0 different, 0 unreadable")
	var r read
	g := build(t, l, r.options(t, cache))
	stat := func() string {
		fi, err := os.Stat(filepath.Join(dir, "cache", crccache.FileName))
		must(t, err)
		return fmt.Sprint(fi.Size(), fi.ModTime())
	}
	before := stat()
	want("all remembered", "3 equal, 0 unknown, 0 different, 0 unreadable")
	if got := verify(t, l, cache, "sub/b.zip"); got != "3 equal, 0 unknown, 0 different, 0 unreadable" {
		t.Errorf("of one archive: got %s", got)
	}

	// What is remembered of two blocks, and of a small file, is not what the disk has.
	spoil := func(name string, change func(*checksum.Sum)) {
		t.Helper()
		for group := range g.groups {
			f := g.members(group)[0]
			if g.ref(f).Path() != filepath.Join(dir, name) {
				continue
			}
			sum, _ := g.sum(group)
			sum.Blocks = slices.Clone(sum.Blocks)
			change(&sum)
			must(t, cache.Add(crccache.Record{Key: crccache.KeyOf(g.ref(f).Path()), Identity: g.identity(f), Sum: sum}))
			must(t, cache.Flush())
			return
		}
		t.Fatalf("there is no %s", name)
	}
	if after := stat(); after != before {
		t.Errorf("the cache was %s, is %s", before, after)
	}
	spoil("src/d/large", func(s *checksum.Sum) {
		s.Blocks[2]++
		s.Blocks[5]++
		s.CRC32 = checksum.Join(s.Blocks, 5*checksum.BlockLen+3)
	})
	want("a large file", "2 equal, 0 unknown, 1 different, 0 unreadable")
	var v Verifier
	must(t, v.Run(context.Background(), l, r.options(t, cache)))
	got := v.Result().Different
	text := fmt.Sprintf(`archive a.zip, entry "src/d/large" and 1 more: %s/src/d/large: from offset %d on 2 blocks have other bytes though size and times are the same: `, dir, 2*checksum.BlockLen)
	if len(got) != 1 || !strings.HasPrefix(got[0].Error(), text) || !errors.Is(got[0], unix.EIO) || errors.Is(got[0], unix.ESTALE) {
		t.Errorf("got %v, want %s...", got, text)
	}

	// What was changed is not compared.
	write(t, dir, map[string]string{"src/d/large": "small"})
	want("a file that was changed", "2 equal, 1 unknown, 0 different, 0 unreadable")
	must(t, os.Remove(filepath.Join(dir, "src/d/large")))
	want("a file that is gone", "2 equal, 0 unknown, 0 different, 0 unreadable")

	// A file that is open for writing, or whose bytes can't be had.
	f, err := os.OpenFile(filepath.Join(dir, "src/x"), os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	want("a file that is open for writing", "1 equal, 0 unknown, 0 different, 1 unreadable")
	must(t, f.Close())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := new(Verifier).Run(ctx, l, r.options(t, cache)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got error %v", err)
	}
}

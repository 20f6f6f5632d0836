package crccache

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vzip/internal/source"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "when missing")
	wantRecords(t, dir, nil, 0)
	want := []Record{
		{},
		record(1, 2),
		{KeyOf("/x"), source.Identity{Size: math.MaxInt64, Mtime: math.MinInt64, Ctime: -1, Btime: 1, Ino: math.MaxUint64}, math.MaxUint32},
		record(1, 2), // again: a later one counts
	}
	add(t, open(t, dir), want[:3]...)
	wantRecords(t, dir, want[:3], 0)
	add(t, open(t, dir), want[3:]...)
	wantRecords(t, dir, want, 0)
	for name, mode := range map[string]os.FileMode{".": 0o700 | os.ModeDir, FileName: 0o600, lockName: 0o600} {
		fi, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if fi.Mode() != mode {
			t.Errorf("%s: got mode %v, want %v", name, fi.Mode(), mode)
		}
	}
}

// The format stays as it is: caches of older releases are read.
func TestFormat(t *testing.T) {
	t.Parallel()
	r := Record{KeyOf("/a"), source.Identity{Size: 0x0102030405060708, Mtime: -2, Ctime: 3, Btime: 4, Ino: 0x1122334455667788}, 0xcafef00d}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	add(t, open(t, dir), r)
	// Worked out apart from this package.
	want, err := hex.DecodeString(strings.ReplaceAll(""+
		"767a6970206372632d3332732076310a 0000000000000000 0000000000000000"+
		"00000000000000000000000000000000 000000000000000000000000 7e39e223"+
		"6a50dc8584134c7de537c0052ff6d236 0807060504030201 feffffffffffffff"+
		"0300000000000000 0400000000000000 8877665544332211 0df0feca f826df1a", " ", ""))
	must(t, err)
	got, err := os.ReadFile(filepath.Join(dir, FileName))
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%swant\n%s", hex.Dump(got), hex.Dump(want))
	}
	wantRecords(t, cacheWith(t, want), []Record{r}, 0)
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	paths := []string{"", "/", "/a", "/a/", "/a/b", "/ab", "/A", "/a\x00", "/\xff", "/\xfe", strings.Repeat("/a", 5000)}
	for i := range 10000 {
		paths = append(paths, fmt.Sprint("/folder/", i))
	}
	seen := map[Key]string{}
	for _, p := range paths {
		k := KeyOf(p)
		if other, ok := seen[k]; ok {
			t.Errorf("%.20q and %.20q have the same key", p, other)
		}
		seen[k] = p
		if k != KeyOf(p) {
			t.Errorf("%.20q: two keys", p)
		}
	}
}

// Records are written in batches, and what is left by Flush.
func TestBatches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	c := open(t, dir)
	must(t, c.Flush())
	if _, err := os.Stat(filepath.Join(dir, FileName)); !os.IsNotExist(err) {
		t.Errorf("an empty flush: got error %v of the file, want that it isn't there", err)
	}
	want := records(0, 2*batch+1)
	for i, r := range want {
		must(t, c.Add(r))
		if i == batch-2 || i == batch-1 || i == 2*batch {
			wantRecords(t, dir, want[:(i+1)/batch*batch], 0)
		}
	}
	must(t, c.Flush())
	must(t, c.Flush())
	wantRecords(t, dir, want, 0)
}

// byWriter checks that records are right, and in order for each writer from its
// first to its n-th.
func byWriter(t *testing.T, rs []Record, writers, n int) {
	t.Helper()
	next := map[int]int{}
	for i, r := range rs {
		w := int(r.Ino >> 32)
		if !isRight(r) || int(uint32(r.Ino)) != next[w] {
			t.Fatalf("record %d of %d: got %+v, want writer %d's number %d", i, len(rs), r, w, next[w])
		}
		next[w]++
	}
	for w := range writers {
		if next[w] != n {
			t.Errorf("writer %d: got %d records, want %d", w, next[w], n)
		}
	}
}

// Several goroutines add to one Cache, several Caches write to one folder, and
// it is read all along.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	const caches, perCache, n = 3, 2, 1000
	var wg sync.WaitGroup
	for i := range caches {
		c := open(t, dir)
		for j := range perCache {
			wg.Go(func() {
				for k := range n {
					if err := c.Add(record(i*perCache+j, k)); err != nil {
						t.Error(err)
						return
					}
					if k%50 == j {
						if err := c.Flush(); err != nil {
							t.Error(err)
						}
					}
				}
				if err := c.Flush(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Go(func() {
		for last := 0; last < caches*perCache*n && !t.Failed(); {
			rs, _ := all(t, dir)
			if i := slices.IndexFunc(rs, func(r Record) bool { return !isRight(r) }); i >= 0 || len(rs) < last {
				t.Errorf("got %d records after %d, and number %d is wrong", len(rs), last, i)
			}
			last = len(rs)
			time.Sleep(5 * time.Millisecond)
		}
	})
	within(t, wg.Wait)
	rs, damaged := all(t, dir)
	if damaged != 0 {
		t.Errorf("%d damaged", damaged)
	}
	byWriter(t, rs, caches*perCache, n)
}

func TestTwoProcesses(t *testing.T) {
	const writers, n = 3, 2000
	if args := childArgs(); args != nil {
		c, w := open(t, args[0]), number(t, args[1])
		for k := range n {
			must(t, c.Add(record(w, k)))
			if k%97 == w {
				must(t, c.Flush())
			}
		}
		must(t, c.Flush())
		return
	}
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	var wg sync.WaitGroup
	for w := range writers {
		cmd := child(t, dir, fmt.Sprint(w))
		wg.Go(func() { runChild(t, cmd) })
	}
	within(t, wg.Wait)
	rs, damaged := all(t, dir)
	if damaged != 0 {
		t.Errorf("%d damaged", damaged)
	}
	byWriter(t, rs, writers, n)
}

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

	"vzip/internal/checksum"
	"vzip/internal/source"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "when missing")
	wantRecords(t, dir, nil, 0)
	want := []Record{
		{},
		record(1, 2),
		{KeyOf("/x"), source.Identity{Size: checksum.BlockLen, Mtime: math.MinInt64, Ctime: -1, Btime: 1, Ino: math.MaxUint64}, checksum.Sum{CRC32: math.MaxUint32}},
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
	// 16 blocks of zeros and the letter A.
	zeros := uint32(0x7ee8cdcd)
	rs := []Record{
		{KeyOf("/a"), source.Identity{Size: 0x1ffff, Mtime: -2, Ctime: 3, Btime: 4, Ino: 0x1122334455667788}, checksum.Sum{CRC32: 0xcafef00d}},
		{KeyOf("/b"), source.Identity{Size: 16<<17 + 1, Mtime: 5, Ctime: 6, Ino: 7}, checksum.Sum{CRC32: 0x64e94b37, Blocks: append(slices.Repeat([]uint32{zeros}, 16), 0xd3d99e8b)}},
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	add(t, open(t, dir), rs...)
	// Worked out apart from this package.
	want, err := hex.DecodeString("" +
		"767a6970206372632d3332732076320a00000000000000000000000000000000" +
		"000000000000000000000000000000000000000000000000000000004c9bd2e3" +
		"6a50dc8584134c7de537c0052ff6d236ffff010000000000feffffffffffffff" +
		"0300000000000000040000000000000088776655443322110df0feca22782a8f" +
		"9812b0b9d61e09b927d03ff93f64530d01002000000000000500000000000000" +
		"060000000000000000000000000000000700000000000000374be9646aed71b1" +
		strings.Repeat("cdcde87e", 15) + "513593ca" +
		"cdcde87e8b9ed9d3" + strings.Repeat("00000000", 13) + "a1039bc5")
	must(t, err)
	got, err := os.ReadFile(filepath.Join(dir, FileName))
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%swant\n%s", hex.Dump(got), hex.Dump(want))
	}
	wantRecords(t, cacheWith(t, want), rs, 0)
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

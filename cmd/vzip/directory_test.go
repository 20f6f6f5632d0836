//go:build large

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"vzip/internal/require"
	"vzip/internal/strictzip"
)

// A central directory of 4 GiB, on both sides: its size alone decides. Most of it
// are names of over 65,000 bytes, which the daemon keeps: this takes 12 GB of
// memory, hence the build tag.
func TestDirectorySizeMounted(t *testing.T) {
	require.Needs(t, "fuse", "zipinfo")
	dir := t.TempDir()
	const (
		nameLen  = 65520
		entryLen = 46 + 9 // of a central header, beside the name
		count    = 0xfffffffe/(entryLen+nameLen) - 1
	)
	prefix := strings.Repeat("p", nameLen-len("/00/000"))
	for i := range count {
		if i%1000 == 0 {
			must(t, os.MkdirAll(fmt.Sprintf("%s/src/%02d", dir, i/1000), 0o755))
		}
		must(t, os.WriteFile(fmt.Sprintf("%s/src/%02d/%03d", dir, i/1000, i%1000), nil, 0o644))
	}
	must(t, os.WriteFile(dir+"/empty", nil, 0o644))
	t.Setenv("GOGC", "20")
	for _, size := range []int64{0xfffffffe, 0xffffffff, 0x100000000} {
		t.Run(fmt.Sprintf("%x", size), func(t *testing.T) {
			// What is left for the rest: entries with names of up to 65,535 bytes.
			rest := size - count*(entryLen+nameLen)
			mappings := []any{map[string]any{"source": dir + "/src", "as": prefix}}
			more := 0
			for rest > 0 {
				n := min(rest, entryLen+65535)
				if left := rest - n; left > 0 && left <= entryLen {
					n -= entryLen + 1
				}
				mappings = append(mappings, map[string]any{"source": dir + "/empty", "as": fmt.Sprintf("%03d%s", more, strings.Repeat("n", int(n)-entryLen-3))})
				rest -= n
				more++
			}
			below := t.TempDir()
			mnt := mountArchives(t, below, 20*patience, []map[string]any{{"name": "a.zip", "directories": false, "entries": mappings}})
			f, err := os.Open(mnt + "/a.zip")
			must(t, err)
			defer f.Close()
			seen := 0
			a, err := strictzip.Scan(f, fileSize(t, mnt+"/a.zip"), func(strictzip.Entry) error { seen++; return nil })
			must(t, err)
			if a.DirectoryLen != size || a.DirectoryAt >= 0xffffffff || seen != count+more || a.ZIP64 != (size >= 0xffffffff) {
				t.Errorf("got a directory of %#x bytes at %#x, %d entries, ZIP64 %v; want %#x bytes, %d entries", a.DirectoryLen, a.DirectoryAt, seen, a.ZIP64, size, count+more)
			}
			t.Logf("directory of %#x bytes at %#x, %d entries, ZIP64 %v", a.DirectoryLen, a.DirectoryAt, seen, a.ZIP64)
		})
	}
}

package crccache

import (
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// full is how many slots a file that is due for compacting has at least, not
// counting the header.
const full = compactMin / slotLen

// repeated is records of few keys, over and over, each time with another CRC.
func repeated() []Record {
	rs := make([]Record, 2000)
	for i := range rs {
		rs[i] = record(1, i%300)
		rs[i].CRC32 = uint32(i)
	}
	return rs
}

// padded makes a cache of the given number of slots: half of the records, many
// damaged ones, which cost less time than as many records, the other half.
func padded(t *testing.T, compacted int64, slots int, rs []Record) (dir string) {
	t.Helper()
	half := len(rs) / 2
	dir = cacheWith(t, image(compacted, rs[:half]...))
	f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteAt(image(0, rs[half:]...)[slotLen:], int64(1+slots-(len(rs)-half))*slotLen)
	must(t, err)
	return dir
}

// temporary is the files that a compaction left.
func temporary(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, FileName+".*"))
	must(t, err)
	return names
}

// newest is what a cache with the records tells of each key.
func newest(rs []Record) map[Key]Record {
	m := map[Key]Record{}
	for _, r := range rs {
		m[r.Key] = r
	}
	return m
}

func wantNewest(t *testing.T, dir string, rs []Record) {
	t.Helper()
	got, _ := all(t, dir)
	if got, want := newest(got), newest(rs); !maps.EqualFunc(got, want, same) {
		t.Errorf("got %d keys, want %d, or other records", len(got), len(want))
	}
}

// inode is for os.SameFile.
func inode(t *testing.T, dir string) os.FileInfo {
	t.Helper()
	fi, err := os.Stat(filepath.Join(dir, FileName))
	must(t, err)
	return fi
}

// watch returns a function that returns how the cache file was made, removed or
// renamed since.
func watch(t *testing.T, dir string) (events func() []uint32) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	_, err = unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_DELETE|unix.IN_MOVED_FROM|unix.IN_MOVED_TO)
	must(t, err)
	return func() (masks []uint32) {
		buf := make([]byte, 1<<16)
		n, err := unix.Read(fd, buf)
		if err == unix.EAGAIN {
			return nil
		}
		must(t, err)
		for buf = buf[:n]; len(buf) > 0; { // inotify(7): watch, mask, cookie, length, name
			end := 16 + binary.NativeEndian.Uint32(buf[12:])
			if name, _, _ := strings.Cut(string(buf[16:end]), "\x00"); name == FileName {
				masks = append(masks, binary.NativeEndian.Uint32(buf[4:]))
			}
			buf = buf[end:]
		}
		return masks
	}
}

func TestCompact(t *testing.T) {
	t.Parallel()
	rs := repeated()
	for _, tt := range []struct {
		name      string
		compacted int64 // as the header says
		slots     int
		extra     []Record
		compact   bool
	}{
		{"below the least size", 0, full - 2, fresh[:1], false},
		{"above", 0, full, fresh, true},
		{"above, with a key again", 0, full, rs[1850:1851], true},
		{"less than twice the last", compactMin/2 + slotLen, full, fresh[:1], false},
		{"more than twice the last", compactMin / 2, full, fresh[:1], true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := padded(t, tt.compacted, tt.slots, rs)
			was := inode(t, dir)
			replaced := watch(t, dir)
			add(t, open(t, dir), tt.extra...)
			if got := replaced(); tt.compact && !slices.Equal(got, []uint32{unix.IN_MOVED_TO}) || !tt.compact && len(got) > 0 {
				t.Errorf("got events %#x of the file, want one rename when it is compacted", got)
			}
			is := inode(t, dir)
			if compacted := !os.SameFile(was, is); compacted != tt.compact {
				t.Fatalf("compacted: got %v, want %v", compacted, !compacted)
			}
			if left := temporary(t, dir); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			if !tt.compact {
				return
			}
			want := newestInOrder(slices.Concat(rs, tt.extra))
			wantRecords(t, dir, want, 0)
			if size := int64(1+len(want)) * slotLen; is.Size() != size || is.Mode() != 0o600 {
				t.Errorf("got %d bytes and mode %v, want %d and %v", is.Size(), is.Mode(), size, os.FileMode(0o600))
			}
			// What a cache can't do without must not make it compact for ever.
			file, err := os.ReadFile(filepath.Join(dir, FileName))
			must(t, err)
			if size, ok := header(file); size != is.Size() || !ok {
				t.Errorf("header says %d bytes were left, want %d", size, is.Size())
			}
			add(t, open(t, dir), record(3, 3))
			wantRecords(t, dir, append(want, record(3, 3)), 0)
			if !os.SameFile(is, inode(t, dir)) {
				t.Error("compacted again at once")
			}
		})
	}
}

// newestInOrder is what compacting keeps.
func newestInOrder(rs []Record) []Record {
	seen := map[Key]bool{}
	var newest []Record
	for _, r := range slices.Backward(rs) {
		if !seen[r.Key] {
			seen[r.Key] = true
			newest = append(newest, r)
		}
	}
	slices.Reverse(newest)
	return newest
}

// A reader goes on with the old file, and other writers with the new one.
func TestCompactWhileInUse(t *testing.T) {
	t.Parallel()
	old := repeated()
	dir := padded(t, 0, full, old)
	must(t, os.WriteFile(filepath.Join(dir, FileName+".4711"), image(0, record(7, 7)), 0o600)) // of a crash
	was := inode(t, dir)
	other := open(t, dir)
	must(t, other.Add(record(2, 0)))
	n := 0
	damaged, err := open(t, dir).Scan(func(r Record) {
		if n == 0 {
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Go(func() {
					c := open(t, dir)
					for k := range 100 {
						if err := c.Add(record(10+w, k)); err != nil {
							t.Error(err)
						}
						if err := c.Flush(); err != nil {
							t.Error(err)
						}
					}
				})
			}
			within(t, wg.Wait)
			if os.SameFile(was, inode(t, dir)) {
				t.Error("not compacted")
			}
		}
		// What was added before the file was replaced may follow.
		if n < len(old) && !same(r, old[n]) || n >= len(old) && !isRight(r) {
			t.Fatalf("record %d: got %+v", n, r)
		}
		n++
	})
	if err != nil || damaged != full-len(old) || n < len(old) {
		t.Errorf("got %d records, %d damaged and error %v, want %d records and %d damaged", n, damaged, err, len(old), full-len(old))
	}
	must(t, other.Flush())
	want := append(old, record(2, 0))
	for w := range 4 {
		for k := range 100 {
			want = append(want, record(10+w, k))
		}
	}
	wantNewest(t, dir, want)
	if left := temporary(t, dir); len(left) > 0 {
		t.Errorf("got temporary files %q, want none, nor the one from before", left)
	}
}

package crccache

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vzip/internal/checksum"
	"vzip/internal/source"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// record is the record of writer w's n-th file, which has one block or fewer. All
// of it follows from its inode number, so that a wrong one shows.
func record(w, n int) Record {
	ino := uint64(w)<<32 | uint64(n)
	return Record{
		Key:      KeyOf(fmt.Sprintf("/folder %d/file %d", w, n)),
		Identity: source.Identity{Size: int64(n % 7 * 20000), Mtime: -int64(n), Ctime: 1e18 + int64(n), Btime: int64(w), Ino: ino},
		Sum:      checksum.Sum{CRC32: uint32(ino * 0x9e3779b1)},
	}
}

// long is record, of a file of more blocks: around 15 and 30, 200, and more than
// Add keeps in memory: once in a while, and always for some writers.
func long(w, n int) Record {
	r := record(w, n)
	blocks := []int{2, 14, 15, 16, 29, 30, 31, 200}[n%8]
	if n%192 == 13 {
		blocks = batch*perSlot + 1
	}
	if w > 100 && w%2 == 1 {
		blocks = 8 * batch * perSlot
	}
	r.Size = int64(blocks)*checksum.BlockLen - int64(n%3)*100
	r.Ino |= longBit
	for i := range blocks {
		r.Blocks = append(r.Blocks, uint32(r.Ino+uint64(i))*0x9e3779b1)
	}
	r.CRC32 = checksum.Join(r.Blocks, r.Size)
	return r
}

// longBit in an inode number says that the record is long's.
const longBit = 1 << 31

// mixed is n records, every third a long one.
func mixed(w, n int) []Record {
	rs := make([]Record, n)
	for i := range rs {
		rs[i] = either(w, i)
	}
	return rs
}

func either(w, n int) Record {
	if n%3 == 1 {
		return long(w, n)
	}
	return record(w, n)
}

func records(w, n int) []Record {
	r := make([]Record, n)
	for i := range r {
		r[i] = record(w, i)
	}
	return r
}

func isRight(r Record) bool {
	w, n := int(r.Ino>>32), int(r.Ino&(longBit-1))
	if r.Ino&longBit != 0 {
		return same(r, long(w, n))
	}
	return same(r, record(w, n))
}

func same(a, b Record) bool {
	return a.Key == b.Key && a.Identity == b.Identity && a.CRC32 == b.CRC32 &&
		(a.Blocks == nil) == (b.Blocks == nil) && slices.Equal(a.Blocks, b.Blocks)
}

func open(t testing.TB, dir string) *Cache {
	t.Helper()
	c, err := Open(dir)
	must(t, err)
	return c
}

func add(t testing.TB, c *Cache, rs ...Record) {
	t.Helper()
	for _, r := range rs {
		must(t, c.Add(r))
	}
	must(t, c.Flush())
}

// all is what Scan finds.
func all(t testing.TB, dir string) (rs []Record, damaged int) {
	t.Helper()
	damaged, err := open(t, dir).Scan(func(r Record) { rs = append(rs, kept(r)) })
	must(t, err)
	return rs, damaged
}

// kept is a record that stays valid after the call.
func kept(r Record) Record {
	r.Blocks = slices.Clone(r.Blocks)
	return r
}

func wantRecords(t testing.TB, dir string, want []Record, wantDamaged int) {
	t.Helper()
	got, damaged := all(t, dir)
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("got %d records, want %d: %s", len(got), len(want), brief(got, want))
	}
	if damaged != wantDamaged {
		t.Errorf("got %d damaged, want %d", damaged, wantDamaged)
	}
}

// brief shows the first record that differs.
func brief(got, want []Record) string {
	for i := range min(len(got), len(want)) {
		if !same(got[i], want[i]) {
			return fmt.Sprintf("record %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	return "one is the start of the other"
}

// image is a cache file with the given records.
func image(compacted int64, rs ...Record) []byte {
	b := make([]byte, 0, (len(rs)+1)*slotLen)
	b = appendHeader(b, compacted)
	for _, r := range rs {
		b = appendRecord(b, r)
	}
	return b
}

func appendRecord(b []byte, r Record) []byte {
	r.encode(func(slot []byte) { b = append(b, slot...) })
	return b
}

// cacheWith makes a cache folder with the given file.
func cacheWith(t testing.TB, file []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	must(t, os.WriteFile(filepath.Join(dir, FileName), file, 0o600))
	return dir
}

// cacheInMemory is cacheWith without a disk, for tests that compact a lot: each
// time the file is synced.
func cacheInMemory(t testing.TB, file []byte) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "vzip-test-")
	if err != nil {
		return cacheWith(t, file)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.WriteFile(filepath.Join(dir, FileName), file, 0o600))
	return dir
}

func fileSize(t testing.TB, dir string) int64 {
	t.Helper()
	fi, err := os.Stat(filepath.Join(dir, FileName))
	must(t, err)
	return fi.Size()
}

// within fails the test if f takes longer than a minute.
func within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("hangs")
	}
}

const childVar = "VZIP_CRCCACHE_TEST_CHILD"

// childArgs are what child was called with, or nil in the parent.
func childArgs() []string {
	if v := os.Getenv(childVar); v != "" {
		return strings.Split(v, "|")
	}
	return nil
}

// child is the calling test again, to run in a process of its own.
func child(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	// The test binary's folder may be closed to the user that it is to run as.
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append([]string{"GORACE=atexit_sleep_ms=0"}, os.Environ()...)
	cmd.Env = append(cmd.Env, childVar+"="+strings.Join(args, "|"), "TMPDIR=/tmp")
	return cmd
}

func runChild(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
}

func asNobody(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	must(t, err)
	return n
}

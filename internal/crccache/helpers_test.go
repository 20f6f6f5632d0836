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

	"vzip/internal/source"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// record is the record of writer w's n-th file. All of it follows from its
// inode number, so that a wrong one shows.
func record(w, n int) Record {
	ino := uint64(w)<<32 | uint64(n)
	return Record{
		Key:      KeyOf(fmt.Sprintf("/folder %d/file %d", w, n)),
		Identity: source.Identity{Size: int64(ino * 3), Mtime: -int64(n), Ctime: 1e18 + int64(n), Btime: int64(w), Ino: ino},
		CRC32:    uint32(ino * 0x9e3779b1),
	}
}

func records(w, n int) []Record {
	r := make([]Record, n)
	for i := range r {
		r[i] = record(w, i)
	}
	return r
}

func isRight(r Record) bool { return r == record(int(r.Ino>>32), int(uint32(r.Ino))) }

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
	damaged, err := open(t, dir).Scan(func(r Record) { rs = append(rs, r) })
	must(t, err)
	return rs, damaged
}

func wantRecords(t testing.TB, dir string, want []Record, wantDamaged int) {
	t.Helper()
	got, damaged := all(t, dir)
	if !slices.Equal(got, want) {
		t.Errorf("got %d records, want %d: %s", len(got), len(want), brief(got, want))
	}
	if damaged != wantDamaged {
		t.Errorf("got %d damaged, want %d", damaged, wantDamaged)
	}
}

// brief shows the first record that differs.
func brief(got, want []Record) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
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
		b = r.append(b)
	}
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

package vfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"vzip/internal/require"
)

// hiddenState is a hidden file of many bytes that says how often it was made.
func hiddenState(n *atomic.Int64) Hidden {
	return Hidden{Path: ".own/state", Mode: 0o400, Render: func() []byte {
		return append(fmt.Appendf(nil, "%d ", n.Add(1)), bytes.Repeat([]byte("x"), 300_000)...)
	}}
}

func TestHidden(t *testing.T) {
	var n atomic.Int64
	dir := mountDir(t)
	m := serve(t, dir, names("a/f", "b"), Options{Hidden: []Hidden{hiddenState(&n)}})
	file := filepath.Join(dir, ".own/state")
	before := stat(t, file)
	if before.Size != 0 || before.Mode != unix.S_IFREG|0o400 || int(before.Uid) != os.Geteuid() || before.Mtim.Sec < 1e9 {
		t.Errorf("stat: got %+v", before)
	}
	// No program that looks through the mount finds it.
	if got := mustRun(t, "sh", "-c", `cd "$1" && find . | sort`, "-", dir); got != ".\n./a\n./a/f\n./b" {
		t.Errorf("find: got %q", got)
	}
	if got := stat(t, dir).Nlink; got != 3 { // with the folder a
		t.Errorf("the mountpoint has %d links, want 3", got)
	}
	if got := mustRun(t, "ls", dir+"/.own"); got != "state" {
		t.Errorf("ls: got %q", got)
	}
	// Each open(2) has it made anew, and gets all of it.
	whole := func(want int64, got string) {
		t.Helper()
		if want := fmt.Sprintf("%d %s", want, strings.Repeat("x", 300_000)); got != want {
			t.Errorf("got %d bytes, starting %.20q, want %d, starting %.20q", len(got), got, len(want), want)
		}
	}
	whole(1, mustRun(t, "cat", file))
	copied := filepath.Join(t.TempDir(), "copy")
	mustRun(t, "cp", file, copied)
	whole(2, mustRun(t, "cat", copied))
	whole(3, mustRun(t, "dd", "if="+file, "bs=1000", "status=none"))
	require.Needs(t, "python3")
	whole(4, mustRun(t, "python3", "-c", "import sys; sys.stdout.write(open(sys.argv[1]).read())", file))
	whole(5, mustRun(t, "sh", "-c", `cat "$1" | cat`, "-", file))
	if got := m.OpenHandles(); got != 0 {
		t.Errorf("%d files are open, want none", got)
	}
	// It stays what it is when all else goes.
	must(t, m.Publish(names("c/f")))
	whole(6, mustRun(t, "cat", file))
	if after := stat(t, file); after.Ino != before.Ino {
		t.Errorf("inode: got %d, want %d", after.Ino, before.Ino)
	}
	if got := mustRun(t, "ls", "-A", dir); got != "c" {
		t.Errorf("ls: got %q", got)
	}
	for what, err := range map[string]error{
		"open for writing": os.WriteFile(file, nil, 0),
		"mkdir":            os.Mkdir(dir+"/.own/x", 0o755),
		"unlink":           os.Remove(file),
	} {
		if !strings.Contains(fmt.Sprint(err), "read-only file system") {
			t.Errorf("%s: got error %v", what, err)
		}
	}
	if err := unix.Stat(dir+"/.own/none", new(unix.Stat_t)); err != unix.ENOENT {
		t.Errorf("stat of what is not there: got error %v, want %v", err, unix.ENOENT)
	}
}

// A rendering that panics is an error for who asks, and a warning.
func TestHiddenDefect(t *testing.T) {
	w := &warnings{}
	dir := mountDir(t)
	serve(t, dir, names("a"), Options{Warn: w.add, Hidden: []Hidden{{Path: ".own/state", Mode: 0o400, Render: func() []byte { panic("no") }}}})
	if _, err := run(t, "cat", dir+"/.own/state"); err == nil || !strings.Contains(err.Error(), "Input/output error") {
		t.Errorf("got error %v", err)
	}
	if got := w.all(); len(got) != 1 || got[0] != "a defect in vzip made opening .own/state fail: no" {
		t.Errorf("got warnings %q", got)
	}
}

// Nothing else can take its place.
func TestHiddenClash(t *testing.T) {
	dir := mountDir(t)
	for _, path := range []string{".own", ".own/state", ".own/other/f"} {
		if m, err := Mount(dir, names("a", path), Options{Hidden: []Hidden{hiddenState(new(atomic.Int64))}}); err == nil {
			t.Errorf("%s: it can be shown", path)
			must(t, m.Unmount(false))
		}
	}
	m := serve(t, dir, names("a", ".owner/state"), Options{Hidden: []Hidden{hiddenState(new(atomic.Int64))}})
	if err := m.Publish(names(".own/f")); err == nil {
		t.Error("it can be published")
	}
	if got := mustRun(t, "ls", "-A", dir); got != ".owner\na" {
		t.Errorf("ls: got %q", got)
	}
}

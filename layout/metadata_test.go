package layout

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/require"
	"vzip/zipgen"
)

// touch sets the mode and modification time of files, and last those of folders.
func touch(t *testing.T, dir string, files []stamped) {
	t.Helper()
	for _, f := range files {
		if f.mode != 0 {
			must(t, unix.Chmod(dir+"/"+f.name, f.mode))
		}
	}
	for _, f := range files {
		times := []unix.Timespec{unix.NsecToTimespec(f.time.UnixNano()), unix.NsecToTimespec(f.time.UnixNano())}
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, dir+"/"+f.name, times, unix.AT_SYMLINK_NOFOLLOW))
	}
}

type stamped struct {
	name string
	mode uint32
	time time.Time
}

// metadataTree is a tree with a mode and a time of its own for each file.
func metadataTree(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	tree(t, dir, "src/file", "src/tool", "src/old", "src/sub/x", "src/link -> file", "alone")
	touch(t, dir, []stamped{
		{"src/file", 0o640, time.Unix(1000, 999_999_999)},
		{"src/tool", 0o4755, time.Unix(2000, 0)},
		{"src/old", 0o400, time.Unix(-1, 500_000_000)},
		{"src/link", 0, time.Unix(3000, 1)},
		{"src/sub/x", 0o666, time.Unix(4000, 0)},
		{"src/sub", 0o1777, time.Unix(5000, 5)},
		{"src", 0o2700, time.Unix(6000, 0)},
		{"alone", 0o600, time.Unix(7000, 0)},
	})
	return dir
}

// wantEntries scans the tree as p/q, and a file as r/alone.
func wantEntries(t *testing.T, dir, options string, modTime int64, want []zipgen.Entry) {
	t.Helper()
	plans, _ := scanAll(t, load(t, dir, one(options, "source: src\n        as: p/q", "source: alone\n        as: r/alone")))
	got := entries(plans[0])
	if len(got) != len(want) {
		t.Fatalf("got %d entries, want %d", len(got), len(want))
	}
	for i, w := range want {
		if g := got[i]; g != w {
			t.Errorf("got  %q, mode %o, %d bytes, time %d\nwant %q, mode %o, %d bytes, time %d", g.Name, g.Mode, g.Size, g.ModTime, w.Name, w.Mode, w.Size, w.ModTime)
		}
	}
	if plans[0].ModTime != modTime {
		t.Errorf("got the archive's time %d, want the newest entry's, %d", plans[0].ModTime, modTime)
	}
}

// Folders that no source stands for are 0755, and as old as the source that
// needs them. Times are rounded down, below 1970 too.
func TestModesAndTimesOfSources(t *testing.T) {
	t.Parallel()
	wantEntries(t, metadataTree(t), "", 7000, []zipgen.Entry{
		{Name: "p/", Mode: zipgen.TypeDir | 0o755, ModTime: 6000},
		{Name: "p/q/", Mode: zipgen.TypeDir | 0o2700, ModTime: 6000},
		{Name: "p/q/file", Mode: zipgen.TypeFile | 0o640, Size: 8, ModTime: 1000},
		{Name: "p/q/link", Mode: zipgen.TypeSymlink | 0o777, Size: 4, ModTime: 3000},
		{Name: "p/q/old", Mode: zipgen.TypeFile | 0o400, Size: 7, ModTime: -1},
		{Name: "p/q/sub/", Mode: zipgen.TypeDir | 0o1777, ModTime: 5000},
		{Name: "p/q/sub/x", Mode: zipgen.TypeFile | 0o666, Size: 9, ModTime: 4000},
		{Name: "p/q/tool", Mode: zipgen.TypeFile | 0o4755, Size: 8, ModTime: 2000},
		{Name: "r/", Mode: zipgen.TypeDir | 0o755, ModTime: 7000},
		{Name: "r/alone", Mode: zipgen.TypeFile | 0o600, Size: 5, ModTime: 7000},
	})
}

func TestModesFixed(t *testing.T) {
	t.Parallel()
	wantEntries(t, metadataTree(t), "modes: fixed\n    symlinks: follow", 7000, []zipgen.Entry{
		{Name: "p/", Mode: zipgen.TypeDir | 0o755, ModTime: 6000},
		{Name: "p/q/", Mode: zipgen.TypeDir | 0o755, ModTime: 6000},
		{Name: "p/q/file", Mode: zipgen.TypeFile | 0o644, Size: 8, ModTime: 1000},
		{Name: "p/q/link", Mode: zipgen.TypeFile | 0o644, Size: 8, ModTime: 1000},
		{Name: "p/q/old", Mode: zipgen.TypeFile | 0o644, Size: 7, ModTime: -1},
		{Name: "p/q/sub/", Mode: zipgen.TypeDir | 0o755, ModTime: 5000},
		{Name: "p/q/sub/x", Mode: zipgen.TypeFile | 0o644, Size: 9, ModTime: 4000},
		{Name: "p/q/tool", Mode: zipgen.TypeFile | 0o644, Size: 8, ModTime: 2000},
		{Name: "r/", Mode: zipgen.TypeDir | 0o755, ModTime: 7000},
		{Name: "r/alone", Mode: zipgen.TypeFile | 0o644, Size: 5, ModTime: 7000},
	})
}

func TestTimesFixed(t *testing.T) {
	t.Parallel()
	wantEntries(t, metadataTree(t), "mtime: 1970-01-01T00:01:40Z\n    directories: false\n    modes: fixed", 100, []zipgen.Entry{
		{Name: "p/q/file", Mode: zipgen.TypeFile | 0o644, Size: 8, ModTime: 100},
		{Name: "p/q/link", Mode: zipgen.TypeSymlink | 0o777, Size: 4, ModTime: 100},
		{Name: "p/q/old", Mode: zipgen.TypeFile | 0o644, Size: 7, ModTime: 100},
		{Name: "p/q/sub/x", Mode: zipgen.TypeFile | 0o644, Size: 9, ModTime: 100},
		{Name: "p/q/tool", Mode: zipgen.TypeFile | 0o644, Size: 8, ModTime: 100},
		{Name: "r/alone", Mode: zipgen.TypeFile | 0o644, Size: 5, ModTime: 100},
	})
}

// An archive of entries that are all older than 1970 is too.
func TestTimeOfOldArchive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "a", "b")
	touch(t, dir, []stamped{{"a", 0o644, time.Unix(-500, 0)}, {"b", 0o644, time.Unix(-100, -1)}})
	plans, _ := scanAll(t, load(t, dir, one("", "source: a", "source: b")))
	if got := plans[0].ModTime; got != -101 {
		t.Errorf("got time %d, want -101", got)
	}
}

// Owners come from the sources; a folder that no source stands for has that of
// the source that needs it.
func TestOwners(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root")
	dir := t.TempDir()
	tree(t, dir, "src/a", "src/b/c", "src/l -> a")
	for name, owner := range map[string][2]int{"src": {1, 2}, "src/a": {3, 4}, "src/b": {5, 6}, "src/b/c": {1 << 31, 1<<32 - 2}, "src/l": {7, 8}} {
		must(t, os.Lchown(dir+"/"+name, owner[0], owner[1]))
	}
	for option, want := range map[string]string{
		"owners: store\n    modes: fixed": "p/ 1:2, p/q/ 1:2, p/q/a 3:4, p/q/b/ 5:6, p/q/b/c 2147483648:4294967294, p/q/l 7:8",
		"owners: omit":                    "p/ 0:0, p/q/ 0:0, p/q/a 0:0, p/q/b/ 0:0, p/q/b/c 0:0, p/q/l 0:0",
	} {
		plans, _ := scanAll(t, load(t, dir, one(option, "source: src\n        as: p/q")))
		var got []string
		for _, e := range entries(plans[0]) {
			got = append(got, fmt.Sprintf("%s %d:%d", e.Name, e.UID, e.GID))
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s: got %s, want %s", option, got, want)
		}
	}
}

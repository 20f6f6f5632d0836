package uploads

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"vzip/internal/figure"
	"vzip/internal/require"
	"vzip/internal/servers"
)

// rsyncBlocks is how many bytes may be sent besides what changed: rsync compares
// blocks of some 16 KiB, those at both ends of a change differ, and the changed
// entry's headers stand in others.
const rsyncBlocks = 256 << 10

// A daemon of rsync's gets an archive once, nothing when nothing changed, and then
// only the parts of the file that did.
func TestRsyncDaemon(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse", "bash", "rsync")
	dir := filepath.Join(work, "rsync")
	a, err := makeMixed(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, servers.Rsync)
	mount := a.mount(t)
	l := a.list(t)
	watch := watchMemory(t, mount.Pid)
	copied := func(name string) (files, literal, matched int64) {
		t.Helper()
		stats := run(t, s, `rsync -t --stats "$ARCHIVE" "$RSYNC/"`, "ARCHIVE="+mount.Path(archiveName))
		files, literal, matched = stat(t, stats, "Number of regular files transferred"), stat(t, stats, "Literal data"), stat(t, stats, "Matched data")
		figure.Print(t, "rsync to a daemon, %s: %d bytes sent as they are, %d matched", name, literal, matched)
		want, err := a.sum()
		if err != nil {
			t.Fatal(err)
		}
		if got := sumOf(t, filepath.Join(s.Root, folder, archiveName)); got != want {
			t.Errorf("%s: the server has SHA-256 %s, want %s", name, got, want)
		}
		return files, literal, matched
	}
	change := func(size int64) {
		t.Helper()
		if err := fill(filepath.Join(dir, "more.bin"), rand.NewChaCha8([32]byte{byte(size), 2}), size); err != nil {
			t.Fatal(err)
		}
		if err := mount.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if files, literal, matched := copied("first"); files != 1 || literal != l.Size || matched != 0 {
		t.Errorf("first: got %d files, literal %d, matched %d bytes, want 1, %d, 0", files, literal, matched, l.Size)
	}
	if files, literal, matched := copied("again"); files != 0 || literal != 0 || matched != 0 {
		t.Errorf("again: got %d files, literal %d, matched %d bytes, want none", files, literal, matched)
	}
	for _, c := range []struct {
		name       string
		size, most int64
	}{
		{"one file of 4 MiB rewritten", moreSize, moreSize + rsyncBlocks},
		// All behind it moves, and the central directory has the offsets.
		{"that file 1 MB longer", moreSize + 1e6, moreSize + 1e6 + l.directorySize() + rsyncBlocks},
	} {
		change(c.size)
		size := l.Size - moreSize + c.size
		files, literal, matched := copied(c.name)
		if files != 1 || literal < c.size || literal > c.most || literal+matched != size {
			t.Errorf("%s: got %d files, literal %d, matched %d bytes, want 1, from %d to %d, and %d in all", c.name, files, literal, matched, c.size, c.most, size)
		}
	}
	watch.check(t, "rsync to a daemon, and two reloads")
}

// stat returns a number of rsync --stats.
func stat(t *testing.T, stats, name string) (n int64) {
	t.Helper()
	for line := range strings.Lines(stats) {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			if _, err := fmt.Sscan(strings.ReplaceAll(value, ",", ""), &n); err == nil {
				return n
			}
		}
	}
	t.Fatalf("no %q in %s", name, stats)
	return 0
}

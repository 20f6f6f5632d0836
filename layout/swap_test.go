package layout

import (
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// While a folder of a source takes turns with a link out of the source, a FIFO, a
// file and a link to /proc, scans end, and find nothing that is outside.
func TestScanUnderSwaps(t *testing.T) {
	t.Parallel()
	for _, symlinks := range []string{"store", "follow"} {
		t.Run(symlinks, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tree(t, dir, "src/d/e/in", "others/link -> ../../outside", "others/fifo |", "others/file", "others/magic -> /proc/self/root", "others/up -> ..", "outside/e/canary", "outside/canary")
			l := load(t, dir, one("symlinks: "+symlinks, "source: src"))
			others := []string{"link", "fifo", "file", "magic", "up"}
			stop := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					other := dir + "/others/" + others[i%len(others)]
					for range 2 { // there and back
						if err := unix.Renameat2(unix.AT_FDCWD, dir+"/src/d", unix.AT_FDCWD, other, unix.RENAME_EXCHANGE); err != nil {
							t.Error(err)
							return
						}
					}
				}
			})
			whole, other := 0, 0
			for range figure.N(400, 40_000) {
				within(t, 20*time.Second, func() {
					plans, err := l.Scan(t.Context(), ScanOptions{})
					if err != nil {
						other++
						return
					}
					names := ""
					for _, e := range entries(plans[0]) {
						names += e.Name + " "
					}
					if strings.Contains(names, "canary") || strings.Contains(names, "proc") || strings.Contains(names, "outside") {
						t.Errorf("got %s", names)
					}
					if names == "src/ src/d/ src/d/e/ src/d/e/in " {
						whole++
					} else {
						other++
					}
				})
			}
			close(stop)
			wg.Wait()
			if whole == 0 || other == 0 {
				t.Errorf("%d scans saw the folder, and %d what took its place", whole, other)
			}
			figure.Print(t, "scans while a folder takes turns with links, FIFOs and files, symlinks: %s: %d, %d of them of the folder, none of what is outside", symlinks, whole+other, whole)
		})
	}
}

// What counts is the folder that was opened, not the one that was listed: here a
// closed folder takes the place of an open one in between.
func TestFolderTakenPlace(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root")
	dir := openTempDir(t)
	tree(t, dir, "src/open/x", "src/closed/x")
	setModes(t, dir, map[string]uint32{"src/closed": 0o700})
	text := one("", "{source: src, exclude: [closed]}")
	plans, _ := scanAll(t, load(t, dir, text))
	if got := plans[0].Access(); got != everybody {
		t.Errorf("got %+v, want %+v", got, everybody)
	}
	plans, err := load(t, dir, text).Scan(t.Context(), ScanOptions{Folder: func(p string) {
		if p == dir+"/src/open" {
			must(t, unix.Renameat2(unix.AT_FDCWD, p, unix.AT_FDCWD, dir+"/src/closed", unix.RENAME_EXCHANGE))
		}
	}})
	must(t, err)
	if got := plans[0].Access(); got != byOwner(0) {
		t.Errorf("with a closed folder in its place: got %+v, want %+v", got, byOwner(0))
	}
}

// So it is with a file system that is mounted there meanwhile.
func TestMountedMeanwhile(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root")
	dir := t.TempDir()
	tree(t, dir, "src/d/x")
	mounted := false
	t.Cleanup(func() {
		if mounted {
			must(t, unix.Unmount(dir+"/src/d", unix.MNT_DETACH))
		}
	})
	var warnings []string
	plans, err := load(t, dir, one("one_file_system: true", "source: src")).Scan(t.Context(), ScanOptions{
		Warn: func(s string) { warnings = append(warnings, s) },
		Folder: func(p string) {
			if p == dir+"/src/d" {
				must(t, unix.Mount("tmpfs", p, "tmpfs", 0, "size=1m"))
				mounted = true
				tree(t, p, "other")
			}
		},
	})
	must(t, err)
	wantLines(t, show(t, plans[0]), []string{"src/", "src/d/"})
	wantLines(t, warnings, []string{"archive a.zip: 1 mount points not entered because of one_file_system, the first is " + dir + "/src/d: exclude them to silence this"})
}

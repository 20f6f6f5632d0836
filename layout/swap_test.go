package layout

import (
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
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

package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// The same sources give the same archive: bytes, inode number, size and time are
// equal after a restart, without remembered CRCs, in another folder, and with any
// number of processors.
func TestSameAgain(t *testing.T) {
	require.Needs(t, "fuse")
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			t.Parallel()
			sameAgain(t, method.options)
		})
	}
}

func sameAgain(t *testing.T, options []string) {
	s := newSite(t, "", 8, Sizes, options...)
	o := s.oracle()
	must(t, os.MkdirAll(s.dir+"/other/mnt", 0o755))
	must(t, Freeze(t.Context(), s.dir+"/other/src", s.src))
	other := *s
	other.src, other.layout, other.mnt = s.dir+"/other/src", s.dir+"/other/layout.yaml", s.dir+"/other/mnt"
	must(t, WriteLayout(other.layout, map[string][]Part{archive: other.parts()}, options...))

	var want Stat
	rounds := figure.N(3, 200)
	mounts := 0
	for round := range rounds {
		for i, procs := range []int{1, 2, 8} {
			for _, site := range []*site{s, &other} {
				flags := []string{"--quiet", "--cache", s.cache}
				if (round+i)%2 == 0 {
					flags = []string{"--quiet", "--no-cache"}
				}
				mount, err := vzip.With(fmt.Sprint("GOMAXPROCS=", procs)).Mount(t.Context(), site.layout, site.mnt, flags...)
				must(t, err)
				got, err := StatOf(mount.Path(archive))
				must(t, err)
				sum, n, err := Digest(mount.Path(archive))
				must(t, err)
				closing(t, mount)
				if want == (Stat{}) {
					want = got
				}
				if got != want || sum != o.SHA256 || n != o.Size() {
					t.Fatalf("round %d, GOMAXPROCS=%d, %s: got %+v, SHA-256 %x of %d bytes; want %+v, %x of %d",
						round, procs, filepath.Base(filepath.Dir(site.src)), got, sum, n, want, o.SHA256, o.Size())
				}
				mounts++
			}
		}
	}
	figure.Print(t, "the same archive, %s: %d mounts, 2 folders, GOMAXPROCS 1, 2 and 8, with and without remembered CRCs: 1 SHA-256, 1 inode number, 1 time", filepath.Base(t.Name()), mounts)
}

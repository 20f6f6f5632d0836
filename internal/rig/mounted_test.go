package rig

import (
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// maxMemory is what the daemon may take at most, in MiB.
const maxMemory = 192

// Whatever part of a mounted archive is read, in whatever way, is that part of the
// oracle.
func TestReadsThroughMount(t *testing.T) {
	require.Needs(t, append(Outside(), "fuse")...)
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			t.Parallel()
			readsThroughMount(t, figure.N(20_000, 50_000_000)/method.part, method.options)
		})
	}
}

func readsThroughMount(t *testing.T, least int, options []string) {
	s := newSite(t, "", 6, append(Sizes, 9<<20+1), options...)
	o := s.oracle()
	must(t, o.CheckOutside(t.Context(), s.src, inside))
	mount := s.mount()
	defer closing(t, mount)

	const session = 500
	n := int64(least) / session * session
	var counts Counts
	client := &Client{
		Path: mount.Path(archive), Counts: &counts, Cached: 70, Forget: 500,
		Judge: func(uint64) *Judge { return &Judge{Oracle: o} },
	}
	var begun atomic.Int64
	var wg sync.WaitGroup
	for worker := range uint64(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(6, worker))
			for begun.Add(session) <= n && !t.Failed() {
				// Most are short, as long ones are slow.
				client := *client
				if rnd.IntN(20) > 0 {
					client.Most = 2 * pageLen
				}
				if err := client.Session(rnd, session); err != nil {
					t.Errorf("seed 6, %d: %v\n%s", worker, err, mount.Log())
				}
			}
		})
	}
	wg.Wait()
	if counts.Of(Right) != n {
		t.Errorf("%d of %d reads were right", counts.Of(Right), n)
	}
	_, most, err := Memory(mount.Pid)
	must(t, err)
	// Of readers that ask for parts of all sizes at once, go-fuse keeps a buffer for each.
	if most > maxMemory && !raceEnabled {
		t.Errorf("the daemon took %.0f MiB, more than %d", most, maxMemory)
	}
	if !t.Failed() {
		figure.Print(t, "random reads through FUSE, %s: %d (%s), 0 mismatches, 0 short; the daemon took %.0f MiB at most", filepath.Base(t.Name()), counts.Reads(), counts.Ways(), most)
	}
}

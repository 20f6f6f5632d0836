package rig

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// Whatever part of a mounted archive is read, in whatever way, is that part of the
// oracle.
func TestReadsThroughMount(t *testing.T) {
	t.Parallel()
	require.Needs(t, append(Outside(), "fuse")...)
	s := newSite(t, "", 6, append(Sizes, 9<<20+1))
	o := s.oracle()
	must(t, o.CheckOutside(t.Context(), s.src, inside))
	mount := s.mount()
	defer closing(t, mount)

	const session = 500
	n := int64(figure.N(20_000, 50_000_000)) / session * session
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
	if !t.Failed() {
		figure.Print(t, "random reads through FUSE: %d (%s), 0 mismatches, 0 short", counts.Reads(), counts.Ways())
	}
}

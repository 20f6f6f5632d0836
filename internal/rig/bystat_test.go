package rig

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// With --verify stat times alone tell of a change. That is enough where the kernel
// stamps each of them before the new bytes can be seen, and nobody holds a mapping.
func TestMutationsByStat(t *testing.T) {
	require.Needs(t, "fuse")
	for _, name := range []string{"ext4", "xfs", "btrfs"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name })
			byStat(t, Kinds[i], figure.N(300, 30_000)/3)
		})
	}
}

// byStat lets readers read one file, whose bytes they always ask vzip for, while it
// changes, until the first error; then again.
func byStat(t *testing.T, k Kind, n int) {
	p := place(t, k)
	s := newSite(t, p.Dir, 14, []int64{BlockLen + 1})
	o := s.oracle()
	m, err := NewMutator(s.src, s.files, filepath.Join(p.Dir, "side"), 14)
	must(t, err)
	m.Skip("store to a held mapping")
	mount := s.mount("--verify", "stat")
	defer closing(t, mount)
	ledger := NewLedger(s.files)
	m.Watch(ledger)
	var counts Counts
	client := &Client{
		Path: mount.Path(archive), Counts: &counts, Most: 64 << 10,
		Judge: func(uint64) *Judge { return &Judge{Oracle: o, Ledger: ledger, Prefix: inside + "/", Lenient: true} },
	}
	for m.Done() < n && !t.Failed() {
		var stop atomic.Bool
		var readers sync.WaitGroup
		for reader := range uint64(3) {
			r, err := OpenCurrent(client.Path)
			must(t, err)
			readers.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(m.Done()), reader))
				if err := client.Hold(r, rnd, stop.Load); err != nil {
					t.Errorf("%v\n%s\n%s", err, m.Log(""), mount.Log())
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		if err := m.Mutate(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
		stop.Store(true)
		readers.Wait()
		must(t, m.Restore())
		must(t, mount.Reload(t.Context()))
	}
	if !t.Failed() {
		figure.Print(t, "mutations racing with reads on %s, --verify stat: %d, %s, 0 wrong, 0 short", k.Name, m.Done(), &counts)
	}
}

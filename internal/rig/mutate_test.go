package rig

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// mutationsAtOnce is how many changes are made between two restorations: then
// most files have changed.
const mutationsAtOnce = 110

// Whoever reads an archive while its sources change gets its bytes, or an error
// that a changed source is to blame for.
func TestMutations(t *testing.T) {
	require.Needs(t, "fuse")
	n := figure.N(2000, 300_000) / len(Kinds)
	for _, k := range Kinds {
		for _, method := range methods {
			t.Run(k.Name+"/"+method.name, func(t *testing.T) {
				t.Parallel()
				mutations(t, k, n/method.part, method.options)
			})
		}
	}
}

func mutations(t *testing.T, k Kind, n int, options []string) {
	p := place(t, k)
	s := newSite(t, p.Dir, 1, Sizes, options...)
	o := s.oracle()
	must(t, o.CheckOutside(t.Context(), s.src, inside))
	m, err := NewMutator(s.src, s.files, filepath.Join(p.Dir, "side"), uint64(len(k.Name)))
	must(t, err)
	t.Cleanup(m.Release)

	var counts Counts
	for round := 0; m.Done() < n && !t.Failed(); round++ {
		mutationRound(t, s, o, m, &counts, round)
	}
	if counts.Of(Right) == 0 || counts.Of(Stale) == 0 {
		t.Errorf("%s: want some right, some ESTALE", &counts)
	}
	ops := m.Counts()
	for _, op := range operations {
		if ops[op.name] == 0 && !m.lacks[op.name] && m.Done() > 300 {
			t.Errorf("%q was never done", op.name)
		}
	}
	if !t.Failed() {
		figure.Print(t, "mutations racing with reads, %s: %d, %s, 0 wrong, 0 short", strings.TrimPrefix(t.Name(), "TestMutations/"), m.Done(), &counts)
	}
}

// mutationRound mounts, changes sources under readers, unmounts, and puts the
// sources back.
func mutationRound(t *testing.T, s *site, o *Oracle, m *Mutator, counts *Counts, round int) {
	mount := s.mount()
	defer closing(t, mount)
	ledger := NewLedger(s.files)
	m.Watch(ledger)
	defer m.Unwatch(ledger)
	judge := &Judge{Oracle: o, Ledger: ledger, Prefix: inside + "/"}
	client := &Client{Path: mount.Path(archive), Judge: func(uint64) *Judge { return judge }, Counts: counts, Cached: 60, Forget: 8}

	var stop atomic.Bool
	var readers sync.WaitGroup
	failed := func(err error) {
		if err != nil {
			t.Errorf("round %d, seed %d: %v\n%s\n%s", round, m.Seed, err, m.Log(""), mount.Log())
			stop.Store(true)
		}
	}
	for reader := range uint64(2) {
		r, err := OpenCurrent(client.Path) // before anything changes
		must(t, err)
		readers.Go(func() { failed(client.Hold(r, rand.New(rand.NewPCG(uint64(round), reader)), stop.Load)) })
	}
	readers.Go(func() { // opened again and again
		rnd := rand.New(rand.NewPCG(uint64(round), 2))
		for !stop.Load() {
			failed(client.Session(rnd, 1+rnd.IntN(40)))
			time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		}
	})
	rnd := rand.New(rand.NewPCG(uint64(round), 1<<32))
	time.Sleep(5 * time.Millisecond)
	for i := 0; i < mutationsAtOnce && !stop.Load(); i++ {
		time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		if err := m.Mutate(); err != nil {
			t.Errorf("round %d: %v", round, err)
			break
		}
	}
	stop.Store(true)
	readers.Wait()
	if err := m.Restore(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		return
	}
	// The archive is again what it was, and after a reload all of it can be read.
	if err := mount.Reload(t.Context()); err != nil {
		t.Errorf("round %d: %v", round, err)
	}
	healed := *client
	healed.Judge = func(uint64) *Judge { return &Judge{Oracle: o} }
	if err := healed.Session(rnd, 50); err != nil {
		t.Errorf("round %d, after a reload: %v\n%s\n%s", round, err, m.Log(""), mount.Log())
	}
}

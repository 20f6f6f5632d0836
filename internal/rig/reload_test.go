package rig

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// kept is how many generations a handle can be behind and still has to work.
const kept = 8

// generations knows which archive an inode number stands for.
type generations struct {
	mu    sync.Mutex
	byIno map[uint64]*Oracle
}

// add says that an inode number is an oracle's.
func (g *generations) add(ino uint64, o *Oracle) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if have := g.byIno[ino]; have != nil && have != o {
		return fmt.Errorf("VIOLATION: two archives have the inode number %d", ino)
	}
	g.byIno[ino] = o
	return nil
}

// find waits for a generation to be known: a reader may see it before the one who
// reloads does.
func (g *generations) find(ino uint64) *Oracle {
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		g.mu.Lock()
		o := g.byIno[ino]
		g.mu.Unlock()
		if o != nil {
			return o
		}
	}
	return nil
}

// A reader that stays on one generation while others come reads that one to the
// end; a layout that is wrong changes nothing.
func TestReloads(t *testing.T) {
	require.Needs(t, "fuse")
	for _, method := range methods {
		t.Run(method.name, func(t *testing.T) {
			t.Parallel()
			testReloads(t, max(10, figure.N(20, 5000)/method.part), method.options)
		})
	}
}

func testReloads(t *testing.T, n int, options []string) {
	s := newSite(t, "", 12, Sizes, options...)
	oracles := s.states(5)
	gens := &generations{byIno: map[uint64]*Oracle{}}
	mount := s.mount()
	defer closing(t, mount)
	first, err := StatOf(mount.Path(archive))
	must(t, errors.Join(err, gens.add(first.Ino, oracles[0])))

	var counts Counts
	var stop atomic.Bool
	var published, old atomic.Int64
	var readers sync.WaitGroup
	for reader := range uint64(4) {
		readers.Go(func() {
			rnd := rand.New(rand.NewPCG(12, reader))
			for !stop.Load() {
				client := &Client{Path: mount.Path(archive), Counts: &counts, Cached: 60, Forget: 8, Most: 2 * BlockLen}
				client.Judge = func(ino uint64) *Judge {
					if o := gens.find(ino); o != nil {
						return &Judge{Oracle: o}
					}
					return nil
				}
				began := published.Load()
				until := began + rnd.Int64N(kept)
				r, err := OpenCurrent(client.Path)
				if err != nil {
					t.Error(err)
					return
				}
				if err := client.Hold(r, rnd, func() bool {
					time.Sleep(100 * time.Microsecond)
					return stop.Load() || published.Load() > until
				}); err != nil {
					t.Errorf("opened %d generations ago: %v\n%s", published.Load()-began, err, mount.Log())
					stop.Store(true)
				}
				if published.Load() > began {
					old.Add(1)
				}
			}
		})
	}
	reloads, refused := s.reloads(mount, oracles, gens, n, &published, &stop)
	stop.Store(true)
	readers.Wait()
	if !t.Failed() {
		figure.Print(t, "reloads under pinned readers, %s: %d, and %d refused for a wrong layout; handles that outlived their generation %d; %s; 0 mixed generations", filepath.Base(t.Name()), reloads, refused, old.Load(), &counts)
	}
}

// states makes trees that share some files and have others of their own, and the
// layout that shows the first.
func (s *site) states(n int) (oracles []*Oracle) {
	s.t.Helper()
	for i := range n {
		dir := fmt.Sprintf("%s/state-%d", s.dir, i)
		must(s.t, Freeze(s.t.Context(), dir, s.src))
		rnd := rand.New(rand.NewPCG(uint64(i), 12))
		for j, name := range s.files {
			if path := filepath.Join(dir, name); i > 0 && j%(i+1) == 0 {
				fi, err := os.Stat(path)
				must(s.t, err)
				// Half of them keep their size, so that an archive of the same size may come of it.
				must(s.t, os.WriteFile(path, Noise(rnd, fi.Size()+int64(i%2)), 0o644))
			}
		}
		must(s.t, Age(dir))
		state := *s
		state.src = dir
		oracles = append(oracles, state.oracle())
	}
	s.show(0)
	return oracles
}

// show writes the layout of a state.
func (s *site) show(state int) {
	s.t.Helper()
	part := Part{fmt.Sprintf("%s/state-%d", s.dir, state), inside}
	must(s.t, WriteLayout(s.layout+".new", map[string][]Part{archive: {part}}, s.options...))
	must(s.t, os.Rename(s.layout+".new", s.layout))
}

// wrong are layouts that can't be, with the exit codes that reload gives for them.
var wrong = map[string]int{
	"version: 1\narchives: [{name: a.zip, entries: [{source: /nowhere/to/be/found}]}]\n": 4,
	"version: 1\narchives: [{name: a.zip, entires: []}]\n":                               3,
	"version: 1\narchives: [{\n":                                                         3,
	"":                                                                                   3,
}

// reloads reloads n times, each second time with a wrong layout.
func (s *site) reloads(m *Mount, oracles []*Oracle, gens *generations, n int, published *atomic.Int64, stop *atomic.Bool) (reloads, refused int) {
	t := s.t
	t.Helper()
	rnd := rand.New(rand.NewPCG(12, 100))
	texts := slices.Sorted(maps.Keys(wrong))
	shown := 0
	for i := range n {
		if stop.Load() {
			break
		}
		was, err := StatOf(m.Path(archive))
		must(t, err)
		if i%2 == 1 {
			text := texts[rnd.IntN(len(texts))]
			must(t, os.WriteFile(s.layout, []byte(text), 0o644))
			if code := ExitCode(m.Reload(t.Context())); code != wrong[text] {
				t.Errorf("reload of %q: exit code %d, want %d", text, code, wrong[text])
			}
			if is, err := StatOf(m.Path(archive)); is != was || err != nil {
				t.Errorf("after a reload that was refused: %+v, %v; want %+v", is, err, was)
			}
			refused++
			s.show(shown)
			continue
		}
		shown = (shown + 1 + rnd.IntN(len(oracles)-1)) % len(oracles)
		s.show(shown)
		if err := m.Reload(t.Context()); err != nil {
			t.Errorf("reload: %v\n%s", err, m.Log())
			return reloads, refused
		}
		is, err := StatOf(m.Path(archive))
		must(t, errors.Join(err, gens.add(is.Ino, oracles[shown])))
		published.Add(1)
		reloads++
		if is.Ino == was.Ino || is.Mtime/int64(time.Second) == was.Mtime/int64(time.Second) {
			t.Errorf("the archive is another, but was %+v and is %+v", was, is)
		}
		if is.Size != oracles[shown].Size() {
			t.Errorf("the size is %d, want %d", is.Size, oracles[shown].Size())
		}
	}
	return reloads, refused
}

package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// racySizes are sizes of files that are edited while they are hashed.
var racySizes = []int64{1, 100, 4096, 4097, 20_000, 60_000, BlockLen - 1, BlockLen, BlockLen + 1, 2*BlockLen + 100}

// Edits just before, while and after CRC-32s are worked out are never lost: what
// was remembered is not trusted where it is old.
func TestRacyEdits(t *testing.T) {
	require.Needs(t, "fuse")
	n := figure.N(60, 50_000) / len(Kinds)
	files := figure.N(20, 200)
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			p := place(t, k)
			sizes := make([]int64, files)
			for i := range sizes {
				sizes[i] = racySizes[i%len(racySizes)]
			}
			var c racyCounts
			for round := 0; c.edits < n && !t.Failed(); round++ {
				base := filepath.Join(p.Dir, fmt.Sprint(round))
				must(t, os.Mkdir(base, 0o755))
				racyRound(t, newRacy(t, base, uint64(round), sizes), &c)
				must(t, os.RemoveAll(base))
			}
			if c.right == 0 {
				t.Errorf("no archive was right: %+v", c)
			}
			// An overlay does not tell of mappings, and a file system in memory stamps
			// no store through one: it shows only when bytes are checked as they are
			// read.
			if c.stale > 0 && !k.upper && k.Name != "tmpfs" {
				t.Errorf("%d archives can't be read, though their sources rest: %+v", c.stale, c)
			}
			if t.Failed() {
				return
			}
			figure.Print(t, "racy edits around hashing on %s: %d in %d runs (%d refused); afterwards %d archives right, %d reads refused, 0 stale CRC-32s trusted",
				k.Name, c.edits, c.runs, c.refused, c.right, c.stale)
		})
	}
}

type racyCounts struct{ edits, runs, refused, right, stale int }

// racy is a tree with an archive for each file, so that a fault of one is not the
// others'.
type racy struct {
	*site
	m *Mutator
}

func newRacy(t *testing.T, base string, seed uint64, sizes []int64) *racy {
	s := newSite(t, base, seed, sizes)
	archives := map[string][]Part{}
	for i, name := range s.files {
		archives[fmt.Sprintf("%d.zip", i)] = []Part{{filepath.Join(s.src, name), "file"}}
	}
	var options []string
	if seed%2 == 0 { // more is hashed, and remembered, when files that are being written stop nothing
		options = []string{"on_busy: skip"}
	}
	if seed%3 == 0 {
		options = append(options, "method: deflate", "level: 1")
	}
	must(t, WriteLayout(s.layout, archives, options...))
	m, err := NewMutator(s.src, s.files, filepath.Join(base, "side"), seed)
	must(t, err)
	return &racy{s, m}
}

// racyRound hashes while files are edited, then reads what a mount with the
// remembered CRC-32s shows.
func racyRound(t *testing.T, r *racy, c *racyCounts) {
	defer r.m.Release()
	rnd := rand.New(rand.NewPCG(r.m.Seed, 13))
	// Pages that are dirty before: a store to them moves no time stamp.
	for range 2 {
		must(t, r.m.Do("store to a held mapping", r.files[rnd.IntN(len(r.files))]))
	}
	for run := range 2 {
		// Not for as long as it takes: in the end it looks at files that are at rest.
		var writer sync.WaitGroup
		writer.Go(func() {
			for range 5 + rnd.IntN(20) {
				time.Sleep(time.Duration(rnd.IntN(8000)) * time.Microsecond)
				if err := r.edit(rnd); err != nil {
					t.Error(err)
					return
				}
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), Patience)
		_, err := vzip.Run(ctx, "hash", "--quiet", "--cache", r.cache, r.layout)
		cancel()
		c.runs++
		switch code := ExitCode(err); code {
		case 0:
		case 4: // files that change
			c.refused++
		default:
			t.Errorf("run %d: %v", run, err)
		}
		writer.Wait()
	}
	// Hashed in peace but for mappings that are held, then edited at once.
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	_, err := vzip.Run(ctx, "hash", "--quiet", "--cache", r.cache, r.layout)
	cancel()
	c.runs++
	if code := ExitCode(err); code == 4 {
		c.refused++
	} else if code != 0 {
		t.Error(err)
	}
	for range 3 {
		if err := r.edit(rnd); err != nil {
			t.Error(err)
		}
	}
	for _, h := range r.m.held {
		touch(func() { h.m[0] ^= 4 })
	}
	r.m.Release()
	r.settled(t, c)
	c.edits += r.m.Done()
}

// edit edits a file, often one that is held.
func (r *racy) edit(rnd *rand.Rand) error {
	if held := r.m.held; len(held) > 0 && rnd.IntN(2) == 0 {
		return r.m.Do("store to a held mapping", held[rnd.IntN(len(held))].file)
	}
	return r.m.Mutate()
}

// settled mounts when nobody writes any more: each archive agrees with itself and
// with its file, or can't be read.
func (r *racy) settled(t *testing.T, c *racyCounts) {
	mount := r.mount()
	defer closing(t, mount)
	for i, name := range r.files {
		got, err := os.ReadFile(mount.Path(fmt.Sprintf("%d.zip", i)))
		if err != nil {
			if !errors.Is(err, unix.ESTALE) && !errors.Is(err, unix.EIO) {
				t.Error(err)
			}
			c.stale++
			continue
		}
		want, err := os.ReadFile(filepath.Join(r.src, name))
		must(t, err)
		z, err := Parse(got)
		var data []byte
		if err == nil {
			data, err = Inflated(got, &z.Entries[0])
		}
		switch {
		case err != nil:
			t.Errorf("VIOLATION: seed %d, %s: %v\n%s", r.m.Seed, name, err, r.m.Log(name))
		case !bytes.Equal(data, want):
			t.Errorf("VIOLATION: seed %d, %s: the archive has other bytes than the file\n%s", r.m.Seed, name, r.m.Log(name))
		default:
			c.right++
		}
	}
}

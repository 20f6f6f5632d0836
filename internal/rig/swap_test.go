package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// canary is what must never be seen in an archive.
const canary = "CANARY: this file is outside of every source. "

// trap is a tree parts of which are swapped for ways out of it.
type trap struct {
	*site
	swaps []swap
	binds string // a folder over which the canary's can be mounted
	done  atomic.Int64
}

// swap is two paths that change places.
type swap struct{ inside, outside string }

func newTrap(t *testing.T, seed uint64) *trap {
	sizes := make([]int64, 24)
	for i := range sizes {
		sizes[i] = int64(i * 5000)
	}
	s := newSite(t, "", seed, sizes)
	// The canary's folder has the names and sizes of the tree's.
	secret := filepath.Join(s.dir, "secret")
	for i, name := range s.files {
		path := filepath.Join(secret, name)
		text := bytes.Repeat([]byte(canary), int(sizes[i])/len(canary)+1)
		must(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text[:sizes[i]], 0o644)))
	}
	must(t, Age(secret))
	alt := filepath.Join(s.dir, "alt")
	must(t, os.MkdirAll(alt, 0o755))
	tr := &trap{site: s, binds: s.src + "/d2"}
	add := func(name string, make func(path string) error) {
		out := filepath.Join(alt, fmt.Sprint(len(tr.swaps)))
		must(t, make(out))
		tr.swaps = append(tr.swaps, swap{filepath.Join(s.src, name), out})
	}
	// A folder for a link to the canary's, files for links to the canary's files.
	add("d0", func(p string) error { return os.Symlink(filepath.Join(secret, "d0"), p) })
	add("d1", func(p string) error { return os.Symlink("../secret/d1", p) })
	for i, name := range s.files {
		switch {
		case strings.HasPrefix(name, "d0"), strings.HasPrefix(name, "d1"):
		case i%4 == 0:
			add(name, func(p string) error { return os.Symlink(filepath.Join(secret, name), p) })
		case i%4 == 1:
			add(name, func(p string) error { return unix.Mkfifo(p, 0o644) })
		case i%4 == 2 && os.Geteuid() == 0:
			add(name, func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))) }) // zero
		default: // a link in a link's place that leads to the whole disk
			add(name, func(p string) error { return os.Symlink("/proc/self/root"+filepath.Join(secret, name), p) })
		}
	}
	return tr
}

// run swaps at random until n swaps are done and stop is closed. With bind set,
// the canary's folder is mounted over one of the tree's as well. In the end
// everything is as it was.
func (tr *trap) run(t *testing.T, rnd *rand.Rand, n int, bind bool, stop <-chan struct{}) {
	out := make([]bool, len(tr.swaps))
	flip := func(i int) {
		if err := unix.Renameat2(unix.AT_FDCWD, tr.swaps[i].inside, unix.AT_FDCWD, tr.swaps[i].outside, unix.RENAME_EXCHANGE); err != nil {
			t.Errorf("renameat2: %v", err)
		}
		out[i] = !out[i]
		tr.done.Add(1)
	}
	reset := func() {
		for i := range out {
			if out[i] {
				flip(i)
			}
		}
	}
	for enough := false; !enough || int(tr.done.Load()) < n; {
		select {
		case <-stop:
			enough = true
		default:
		}
		for range 1 + rnd.IntN(figure.N(100, 5000)) {
			flip(rnd.IntN(len(out)))
		}
		if bind {
			if err := unix.Mount(filepath.Join(tr.dir, "secret", "d2"), tr.binds, "", unix.MS_BIND, ""); err != nil {
				t.Errorf("bind mount: %v", err)
			}
			time.Sleep(time.Duration(rnd.IntN(200)) * time.Microsecond)
			if err := Detach(tr.binds); err != nil {
				t.Error(err)
			}
			tr.done.Add(2)
		}
		switch rnd.IntN(8) {
		case 0, 1, 2, 3: // let it stand for a moment
			time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		case 4: // or as it should be, for as long as vzip needs
			reset()
			time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
		}
		if t.Failed() {
			break
		}
	}
	reset()
}

// What is swapped into a tree while it is read does not lead out of it: neither
// when its CRC-32s are worked out nor later, and nothing hangs on a FIFO or reads a device.
func TestSwaps(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse")
	n := figure.N(5000, 10_000_000)
	hashing, runs := swapsWhileHashing(t, n/2)
	reading, counts := swapsWhileReading(t, n/2)
	figure.Print(t, "swaps of folders and files for links, FIFOs, devices, bind mounts: %d during %d runs of vzip, %d during %s: the canary was never seen",
		hashing, runs, reading, counts)
}

func swapsWhileHashing(t *testing.T, n int) (swaps int64, runs int) {
	tr := newTrap(t, 10)
	follow := tr.dir + "/follow.yaml"
	must(t, WriteLayout(follow, map[string][]Part{archive: tr.parts()}, "symlinks: follow"))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { tr.run(t, rand.New(rand.NewPCG(10, 1)), n, false, stop) })
	defer wg.Wait()
	defer close(stop)
	ended := map[int]int{}
	for ; !t.Failed() && (runs < 12 || int(tr.done.Load()) < n); runs++ {
		layout := []string{tr.layout, follow}[runs%2]
		ctx, cancel := context.WithTimeout(t.Context(), Patience)
		out, err := vzip.Run(ctx, "cat", "--no-cache", "--quiet", layout, archive)
		cancel()
		if bytes.Contains(out, []byte(canary)) {
			t.Errorf("VIOLATION: the canary is in what vzip cat %s wrote", layout)
		}
		switch code := ExitCode(err); code {
		case 0:
			if _, err := Parse(out); err != nil {
				t.Errorf("VIOLATION: vzip cat ended well, but: %v", err)
			}
			ended[code]++
		case 1, 4:
			ended[code]++
		default:
			t.Errorf("vzip cat: %v", err)
		}
	}
	t.Logf("exit codes: %v", ended)
	return tr.done.Load(), runs
}

func swapsWhileReading(t *testing.T, n int) (swaps int64, counts *Counts) {
	tr := newTrap(t, 11)
	o := tr.oracle()
	mount := tr.mount()
	defer closing(t, mount)
	ledger := NewLedger(tr.files)
	for _, name := range tr.files {
		ledger.note(name, changed) // each may be away
	}
	counts = new(Counts)
	client := &Client{
		Path: mount.Path(archive), Counts: counts, Cached: 10, Forget: 8,
		Judge: func(uint64) *Judge { return &Judge{Oracle: o, Ledger: ledger, Prefix: inside + "/"} },
	}
	stop := make(chan struct{})
	var wg, swapper sync.WaitGroup
	for worker := range uint64(2) {
		r, err := OpenCurrent(client.Path)
		must(t, err)
		wg.Go(func() {
			i := 0
			err := client.Hold(r, rand.New(rand.NewPCG(11, 2+worker)), func() bool {
				i++
				return i > 1000 && int(tr.done.Load()) >= n || t.Failed()
			})
			if err != nil {
				t.Errorf("%v\n%s", err, mount.Log())
			}
		})
	}
	swapper.Go(func() { tr.run(t, rand.New(rand.NewPCG(11, 1)), n, os.Geteuid() == 0, stop) })
	wg.Wait()
	close(stop)
	swapper.Wait()
	return tr.done.Load(), counts
}

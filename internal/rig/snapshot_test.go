package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// cloning are the file systems that can clone.
var cloning = []string{"xfs", "btrfs"}

// onCloning runs a test on each of them, of a size in bytes; 0: as others have it.
func onCloning(t *testing.T, size int64, test func(t *testing.T, p *Place)) {
	t.Helper()
	for _, name := range cloning {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Needs(t, "fuse")
			i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name })
			k := Kinds[i]
			k.Size = size
			test(t, place(t, k))
		})
	}
}

// freezing has a site's archive read from clones, and returns the folder that they are in.
func (s *site) freezing(p *Place) (clones string) {
	s.t.Helper()
	clones = filepath.Join(p.Dir, "clones")
	must(s.t, os.Mkdir(clones, 0o755))
	must(s.t, WriteLayout(s.layout, map[string][]Part{archive: s.parts()}, "snapshot: "+clones))
	return clones
}

// wantFolders fails unless a folder for clones has so many of them, in a while.
func wantFolders(t *testing.T, clones string, want int) {
	t.Helper()
	var names []string
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		list, err := os.ReadDir(clones)
		must(t, err)
		names = nil
		for _, e := range list {
			names = append(names, e.Name())
		}
		if len(names) == want {
			return
		}
	}
	t.Errorf("%s has %q, want %d folders", clones, names, want)
}

// Whatever programs do to sources of an archive with snapshot, each read of it is right;
// and so is each of the archives that reloads show meanwhile. TestMutations does the same
// without snapshot, and has to see ESTALE.
func TestSnapshotMutations(t *testing.T) {
	t.Parallel()
	onCloning(t, 0, snapshotMutations)
}

func snapshotMutations(t *testing.T, p *Place) {
	s := newSite(t, p.Dir, 21, Sizes)
	clones := s.freezing(p)
	o := s.oracle() // of copies, without snapshot: the bytes are the same
	m, err := NewMutator(s.src, s.files, filepath.Join(p.Dir, "side"), 21)
	must(t, err)
	t.Cleanup(m.Release)
	mount := s.mount()
	defer closing(t, mount)

	var counts Counts
	client := &Client{Path: mount.Path(archive), Judge: func(uint64) *Judge { return &Judge{Oracle: o} }, Counts: &counts, Cached: 30, Forget: 4}
	var stop atomic.Bool
	var group sync.WaitGroup
	failed := func(err error) {
		if err != nil {
			t.Errorf("%v\n%s\n%s", err, m.Log(""), mount.Log())
			stop.Store(true)
		}
	}
	for reader := range uint64(2) {
		r, err := OpenCurrent(client.Path)
		must(t, err)
		group.Go(func() { failed(client.Hold(r, rand.New(rand.NewPCG(21, reader)), stop.Load)) })
	}
	reloads := 0
	group.Go(func() {
		for !stop.Load() {
			failed(mount.Reload(t.Context()))
			failed(readTwice(client.Path))
			reloads++
		}
	})
	n := figure.N(600, 30_000)
	for m.Done() < n && !stop.Load() {
		failed(m.Mutate())
		if m.Done()%100 == 99 {
			failed(m.Restore())
		}
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	group.Wait()
	if counts.Of(Right) != counts.Reads() || counts.Reads() == 0 || reloads == 0 {
		t.Errorf("%s, %d reloads", &counts, reloads)
	}
	must(t, m.Restore())
	m.Release()
	must(t, mount.Reload(t.Context()))
	must(t, client.Session(rand.New(rand.NewPCG(21, 9)), 50)) // the tree is what it was
	wantFolders(t, clones, 1)                                 // those of old generations are gone
	if !t.Failed() {
		figure.Print(t, "mutations racing with reads from clones on %s: %d, %d reloads, %s, 0 wrong, 0 failed", p.Name, m.Done(), reloads, &counts)
	}
	must(t, mount.Close())
	wantFolders(t, clones, 0)
}

// readTwice reads an archive past the kernel's memory, twice from one handle: it has to be
// right in itself, and the same.
func readTwice(path string) error {
	r, err := OpenCurrent(path)
	if err != nil {
		return err
	}
	defer r.Close()
	var got [2][]byte
	for i := range got {
		for off := int64(0); off < r.Size; {
			p, _, err := r.Read(Direct, off, int(min(1<<20, r.Size-off)))
			if err != nil {
				return fmt.Errorf("reading %s at %d: %w", path, off, err)
			}
			if len(p) == 0 {
				return fmt.Errorf("%s ends at %d of %d", path, off, r.Size)
			}
			got[i], off = append(got[i], p...), off+int64(len(p))
		}
	}
	if !bytes.Equal(got[0], got[1]) {
		return errors.New("two reads of one archive differ")
	}
	_, err = Parse(got[0])
	return err
}

// What a killed process leaves is removed at the next start, but nothing that is in use.
func TestSnapshotKilled(t *testing.T) {
	t.Parallel()
	onCloning(t, 0, func(t *testing.T, p *Place) {
		s := newSite(t, p.Dir, 22, []int64{0, 1, 100_000})
		clones := s.freezing(p)
		o := s.oracle()
		other := s.dir + "/other"
		must(t, os.Mkdir(other, 0o755))
		ctx, cancel := context.WithTimeout(t.Context(), Patience)
		defer cancel()
		living, err := vzip.Mount(ctx, s.layout, other, "--quiet", "--no-cache")
		must(t, err)
		t.Cleanup(func() { _ = Detach(other) })
		defer closing(t, living)

		rnd := rand.New(rand.NewPCG(22, 22))
		kills := figure.N(5, 200)
		for range kills {
			// At any moment of a start, whether it is ready or not.
			cmd := vzip.Command(t.Context(), "cat", "--quiet", "--no-cache", s.layout, archive)
			must(t, cmd.Start())
			time.Sleep(time.Duration(rnd.IntN(120)) * time.Millisecond)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		mount := s.mount()
		mount.Kill()
		must(t, Detach(s.mnt))
		// It is there yet, and nothing but a start takes it away.
		list, err := os.ReadDir(clones)
		must(t, err)
		if len(list) < 2 {
			t.Errorf("a killed process left nothing: %v", list)
		}
		mount = s.mount()
		wantFolders(t, clones, 2)
		for _, m := range []*Mount{living, mount} {
			client := &Client{Path: m.Path(archive), Counts: new(Counts), Judge: func(uint64) *Judge { return &Judge{Oracle: o} }}
			if err := client.Session(rnd, 50); err != nil {
				t.Errorf("%v\n%s", err, m.Log())
			}
		}
		// The signal ends a mount that is open, after which nothing is left.
		held, err := os.Open(mount.Path(archive))
		must(t, err)
		must(t, syscall.Kill(mount.Pid, syscall.SIGTERM))
		time.Sleep(50 * time.Millisecond)
		must(t, held.Close())
		closing(t, mount)
		wantFolders(t, clones, 1)
		if !t.Failed() {
			figure.Print(t, "kill -9 while clones are made on %s: %d times; nothing is left after the next start", p.Name, kills)
		}
	})
}

// TestSnapshotCost measures what clones take: time, and room on the disk.
func TestSnapshotCost(t *testing.T) {
	onCloning(t, int64(figure.N(1<<30, 8<<30)), func(t *testing.T, p *Place) {
		for _, tree := range []struct {
			files int
			size  int64
		}{
			{figure.N(200, 20_000), 64 << 10},
			{figure.N(2, 4), int64(figure.N(1<<20, 1<<30))},
		} {
			src := filepath.Join(p.Dir, fmt.Sprint("tree-", tree.files))
			data := Noise(rand.New(rand.NewPCG(23, 23)), min(tree.size, 1<<20))
			for i := range tree.files {
				dir := filepath.Join(src, fmt.Sprint(i/500))
				must(t, os.MkdirAll(dir, 0o755))
				f, err := os.Create(filepath.Join(dir, fmt.Sprint(i)))
				must(t, err)
				for off := int64(0); off < tree.size; off += int64(len(data)) {
					_, err = f.Write(data)
					must(t, err)
				}
				must(t, f.Close())
			}
			unix.Sync()
			s := &site{t: t, dir: t.TempDir(), src: src}
			s.layout, s.cache, s.mnt = s.dir+"/layout.yaml", s.dir+"/cache", s.dir+"/mnt"
			must(t, os.Mkdir(s.mnt, 0o755))
			took := map[bool]time.Duration{}
			var room int64
			for _, freeze := range []bool{false, false, true} { // the first works out CRC-32s
				var options []string
				if freeze {
					clones := filepath.Join(p.Dir, fmt.Sprint("clones-", tree.files))
					must(t, os.Mkdir(clones, 0o755))
					options = []string{"snapshot: " + clones}
				}
				must(t, WriteLayout(s.layout, map[string][]Part{archive: s.parts()}, options...))
				free := freeBytes(t, p.Dir)
				begin := time.Now()
				mount := s.mount()
				took[freeze] = time.Since(begin)
				unix.Sync()
				room = free - freeBytes(t, p.Dir)
				closing(t, mount)
			}
			figure.Print(t, "a mount of %d files of %d bytes on %s, CRC-32s remembered: %v, with clones %v, which take %d bytes of the disk",
				tree.files, tree.size, p.Name, took[false].Round(time.Millisecond), took[true].Round(time.Millisecond), room)
			if bytes := int64(tree.files) * tree.size; room > bytes/2+8<<20 {
				t.Errorf("clones of %d bytes take %d of the disk", bytes, room)
			}
		}
	})
}

func freeBytes(t *testing.T, dir string) int64 {
	t.Helper()
	var s unix.Statfs_t
	must(t, unix.Statfs(dir, &s))
	return int64(s.Bfree) * s.Bsize
}

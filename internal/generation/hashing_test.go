package generation

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vzip/internal/checksum"
	"vzip/internal/crccache"
	"vzip/internal/verified"
	"vzip/layout"
)

const oneArchive = "version: 1\narchives: [{name: a.zip, entries: [{source: src}]}]\n"

// early scans a layout. Its files are hashed once start is called.
func early(t *testing.T, l *layout.Layout, o Options) (g *Generation, start func() (failed <-chan int)) {
	t.Helper()
	if o.Reader == nil {
		o.Reader = verified.NewReader(verified.Options{Timeout: 20 * time.Second})
	}
	g, err := Scan(context.Background(), l, o)
	must(t, err)
	t.Cleanup(g.Close)
	return g, func() <-chan int {
		done := make(chan int, 1)
		g.Start(StartOptions{HashOptions: o.HashOptions, Finished: func(failed int) { done <- failed }, Warn: o.Warn})
		return done
	}
}

func all(t *testing.T, a *Archive) []byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(a, 0, a.Size()))
	must(t, err)
	return b
}

// Whatever is read first, by any number of readers: the bytes are those of a
// generation that was hashed before, and all is remembered.
func TestStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{"src/empty": "", "src/x": "12345"}
	for i := range 300 {
		files[fmt.Sprintf("src/d%d/f%d", i%7, i)] = strings.Repeat(fmt.Sprint(i), i*i%7000)
	}
	files["src/large"] = strings.Repeat("0123456789abcdef", 5*checksum.BlockLen/16) + "end"
	write(t, dir, files)
	must(t, os.Link(dir+"/src/large", dir+"/src/again"))
	must(t, os.Symlink("large", dir+"/src/link"))
	// Over the size from which several workers share one, with a hole.
	f, err := os.Create(dir + "/src/huge")
	must(t, err)
	must(t, f.Truncate(70<<20))
	for _, at := range []int64{0, 40 << 20, 69 << 20} {
		_, err = f.WriteAt(bytes.Repeat([]byte("huge"), 1000), at)
		must(t, err)
	}
	must(t, f.Close())
	l := load(t, dir, twoArchives)
	var r read
	want := all(t, build(t, l, r.options(t, nil)).Archives[0])
	hashed := r.files

	for _, order := range []string{"forward", "backward", "together", "directory first"} {
		t.Run(order, func(t *testing.T) {
			cache, err := crccache.Open(t.TempDir())
			must(t, err)
			var r read
			g, start := early(t, l, r.options(t, cache))
			a := g.Archives[0]
			if a.Size() != int64(len(want)) {
				t.Fatalf("got size %d, want %d", a.Size(), len(want))
			}
			done := start()
			step := 1 << 20
			var at []int64
			for off := int64(0); off < a.Size(); off += int64(step) {
				at = append(at, off)
			}
			check := func(off int64) {
				n := int(min(int64(step), a.Size()-off))
				d, err := a.Read(context.Background(), off, n)
				if err != nil {
					t.Errorf("%d bytes at %d: %v", n, off, err)
					return
				}
				defer d.Release()
				if !bytes.Equal(d.Bytes(), want[off:off+int64(n)]) {
					t.Errorf("%d bytes at %d differ", n, off)
				}
			}
			switch order {
			case "forward":
				for _, off := range at {
					check(off)
				}
			case "backward":
				for i := range at {
					check(at[len(at)-1-i])
				}
			case "together":
				var wg sync.WaitGroup
				for w := range 4 {
					wg.Go(func() {
						for _, i := range rand.New(rand.NewPCG(1, uint64(w))).Perm(len(at)) {
							check(at[i])
						}
					})
				}
				wg.Wait()
			case "directory first":
				check(at[len(at)-1])
			}
			if failed := <-done; failed != 0 {
				t.Errorf("%d failed", failed)
			}
			if g.hashing.Load() != nil {
				t.Error("hashing is not gone")
			}
			if !bytes.Equal(all(t, a), want) {
				t.Error("it differs when all is hashed")
			}
			if r.files != hashed {
				t.Errorf("%d files were hashed, want %d", r.files, hashed)
			}
			var again read
			build(t, l, again.options(t, cache))
			if again.files != 0 {
				t.Errorf("%d files are not remembered", again.files)
			}
		})
	}
}

// Who waits gets the file that is waited for, before all others; and those ahead of a
// reader come before those behind.
func TestUrgentFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 400 {
		files[fmt.Sprintf("src/f%03d", i)] = strings.Repeat(fmt.Sprint(i), 40000)
	}
	write(t, dir, files)
	var r read
	o := r.options(t, nil)
	o.Workers = 1
	gate := make(chan struct{}, 1000)
	var passed atomic.Int64
	o.Progress = func(int64) { <-gate; passed.Add(1) }
	g, start := early(t, load(t, dir, oneArchive), o)
	a := g.Archives[0]
	start()
	defer func() { close(gate) }()
	eventually(t, "one is begun", func() bool {
		h := g.hashing.Load()
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.begun) == 1
	})
	got := make(chan error)
	go func() {
		d, err := a.Read(context.Background(), a.HeaderOffset(200), 30+4)
		if err == nil {
			d.Release()
		}
		got <- err
	}()
	eventually(t, "the read waits", func() bool { return g.hashing.Load().urgent.Load() == 1 })
	gate <- struct{}{} // the one that was begun
	gate <- struct{}{} // the urgent one
	must(t, <-got)
	if n := passed.Load(); n > 2 {
		t.Errorf("%d files were hashed first", n)
	}
	for range 20 {
		gate <- struct{}{}
	}
	eventually(t, "those ahead", func() bool { return passed.Load() == 22 })
	for i := 201; i < 219; i++ {
		if _, ok := a.KnownCRC(i); !ok {
			t.Errorf("entry %d, ahead of the reader, is not hashed", i)
		}
	}
}

// Hashing can be halted and gone on with; what a reader wants is hashed all the same.
func TestPause(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("src/f%d", i)] = strings.Repeat("x", i*1000)
	}
	files["src/x"] = "12345"
	write(t, dir, files)
	cache, err := crccache.Open(t.TempDir())
	must(t, err)
	var r read
	g, start := early(t, load(t, dir, twoArchives), r.options(t, cache))
	done := start()
	g.Pause()
	time.Sleep(50 * time.Millisecond)
	if got, err := readData(g.Archives[0]); got != "12345" || err != nil {
		t.Errorf("got %q and %v", got, err)
	}
	g.Resume()
	if failed := <-done; failed > 0 {
		t.Errorf("%d failed", failed)
	}
	checkZIP(t, g.Archives[0])
}

// The end of a generation ends its hashing, and what is known is remembered.
func TestCloseWhileStarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("src/f%02d", i)] = strings.Repeat("x", 1000+i)
	}
	write(t, dir, files)
	l := load(t, dir, oneArchive)
	cache, err := crccache.Open(t.TempDir())
	must(t, err)
	var r read
	o := r.options(t, cache)
	o.Workers = 1
	gate := make(chan struct{})
	var n atomic.Int64
	o.Progress = func(int64) {
		if n.Add(1) > 10 {
			<-gate
		}
	}
	o.Reader = verified.NewReader(verified.Options{Timeout: time.Minute})
	g, err := Scan(context.Background(), l, o)
	must(t, err)
	g.Start(StartOptions{HashOptions: o.HashOptions, Warn: o.Warn})
	eventually(t, "some are hashed", func() bool { return n.Load() > 10 })
	g.Close()
	close(gate)
	var again read
	build(t, l, again.options(t, cache))
	if again.files != 40 && again.files != 41 {
		t.Errorf("%d files were hashed again, want 40", again.files)
	}
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		if to, _ := os.Readlink(fd); strings.HasPrefix(to, dir+"/src/f") {
			t.Errorf("%s is open", to)
		}
	}
}

package generation

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/crccache"
)

// The CRC-32 of an archive is that of its bytes, whatever is in it, and no source is read
// for it.
func TestCRC32Sidecar(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for round := range 20 {
		dir := t.TempDir()
		must(t, os.MkdirAll(filepath.Join(dir, "src/hollow"), 0o755))
		must(t, os.Symlink("some/where", filepath.Join(dir, "src/link")))
		for i := range rnd.IntN(30) {
			size := rnd.IntN(2000)
			if i == 0 {
				size = rnd.IntN(400_000) // of several blocks
			}
			write(t, dir, map[string]string{fmt.Sprintf("src/d%d/f%d", i%3, i): randomText(size)})
		}
		var r read
		g, files := shown(t, dir, "comment: c, sidecars: [crc32]", r.options(t, nil))
		crc := crc32.ChecksumIEEE(readFile(t, files["d/a.zip"], false, 1<<20))
		f := files["d/a.zip.crc32"]
		want := fmt.Sprintf("a.zip %08X\n", crc)
		for _, n := range []int{1, 7, 4096} {
			if got := string(readFile(t, f, false, n)); got != want || f.Size != int64(len(want)) {
				t.Fatalf("round %d: got %q, size %d, want %q", round, got, f.Size, want)
			}
		}
		h, err := f.Open(false)
		must(t, err)
		b, err := h.Read(context.Background(), f.Size+5, 10)
		if must(t, err); b.Len() != 0 {
			t.Errorf("behind the end: got %d bytes", b.Len())
		}
		b.Release()
		h.Close()
		if g.InUse() || InFlight() < 0 {
			t.Error("it is in use after all was closed")
		}
	}
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "src"), 0o755))
	var r read
	_, files := shown(t, dir, "directories: false, sidecars: [crc32]", r.options(t, nil))
	want := fmt.Sprintf("a.zip %08X\n", crc32.ChecksumIEEE(readFile(t, files["d/a.zip"], false, 100)))
	if got := string(readFile(t, files["d/a.zip.crc32"], false, 100)); got != want {
		t.Errorf("the empty archive: got %q, want %q", got, want)
	}
}

const allSidecars = "sidecars: [sha256, crc32, manifest]"

// summed counts the bytes that are summed for digests.
func (g *Generation) summed() *atomic.Int64 {
	var n atomic.Int64
	g.sums.progress = func(bytes int64) { n.Add(bytes) }
	return &n
}

// wantSidecars holds a generation's sidecars of d/a.zip against the archive's bytes.
func wantSidecars(t *testing.T, files map[string]*File) {
	t.Helper()
	whole := readFile(t, files["d/a.zip"], false, 1<<20)
	for p, want := range map[string]string{
		"d/a.zip.crc32":  fmt.Sprintf("a.zip %08X\n", crc32.ChecksumIEEE(whole)),
		"d/a.zip.sha256": fmt.Sprintf("%x  a.zip\n", sha256.Sum256(whole)),
	} {
		if got := string(readFile(t, files[p], false, 4096)); got != want || files[p].Size != int64(len(want)) {
			t.Errorf("%s: got %q, size %d, want %q", p, got, files[p].Size, want)
		}
	}
	z, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	must(t, err)
	for _, n := range []int{1000, 1 << 20} {
		text := readFile(t, files["d/a.zip.json"], false, n)
		var m struct {
			Name    string
			Size    int64
			Entries []struct {
				Name       string
				Size       int64
				CRC32      string
				DataOffset int64 `json:"data_offset"`
			}
		}
		must(t, json.Unmarshal(text, &m))
		if m.Name != "d/a.zip" || m.Size != int64(len(whole)) || len(m.Entries) != len(z.File) {
			t.Errorf("got the manifest of %s, %d bytes, %d entries", m.Name, m.Size, len(m.Entries))
		}
		for i, f := range z.File {
			at, err := f.DataOffset()
			must(t, err)
			e := m.Entries[i]
			if e.Name != f.Name || e.Size != int64(f.UncompressedSize64) || e.CRC32 != fmt.Sprintf("%08x", f.CRC32) || e.DataOffset != at {
				t.Errorf("got entry %+v, want %+v", e, f.FileHeader)
			}
		}
	}
}

func sidecarTree(t *testing.T, dir string) {
	t.Helper()
	files := map[string]string{"src/large": randomText(5<<20 + 17), "src/empty": "", "src/block": randomText(128 << 10)}
	for i := range 1200 {
		files[fmt.Sprintf("src/d%d/file%d", i%7, i)] = fmt.Sprint(i)
	}
	write(t, dir, files)
}

// Sidecars tell what is in the archive, also where it is not hashed yet when they are
// read, and have their sizes before.
func TestSidecars(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sidecarTree(t, dir)
	var r read
	_, files := shown(t, dir, allSidecars, r.options(t, nil))
	wantSidecars(t, files)

	for _, first := range []string{"d/a.zip.crc32", "d/a.zip.sha256", "d/a.zip.json"} {
		l := load(t, dir, "version: 1\narchives: [{name: d/a.zip, "+allSidecars+", entries: [{source: src}]}]\n")
		g, err := Scan(context.Background(), l, r.options(t, nil))
		must(t, err)
		must(t, g.Date(nil))
		early := byPath(g)
		for p, f := range files {
			if early[p].Size != f.Size {
				t.Errorf("%s: size %d before it is hashed, %d after", p, early[p].Size, f.Size)
			}
		}
		g.Start(StartOptions{HashOptions: HashOptions{Workers: 2}})
		if got, want := readFile(t, early[first], false, 1<<20), readFile(t, files[first], false, 1<<20); !bytes.Equal(got, want) {
			t.Errorf("%s before all is hashed: got %d bytes, want %d others", first, len(got), len(want))
		}
		wantSidecars(t, early)
		g.Close()
	}
}

// A SHA-256 is worked out once: in the background or when it is asked for, and neither
// for the next generation nor for the next mount, also under another name.
func TestSHA256Remembered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sidecarTree(t, dir)
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	var r read
	first, files := shown(t, dir, allSidecars, r.options(t, cache))
	n := first.summed()
	finished := make(chan int, 1)
	first.SumUp(func(archives int) { finished <- archives })
	if got := <-finished; got != 1 || n.Load() != files["d/a.zip"].Size {
		t.Errorf("in the background: %d archives and %d bytes, want 1 and %d", got, n.Load(), files["d/a.zip"].Size)
	}
	wantSidecars(t, files)

	o := r.options(t, nil)
	o.Before = first
	reloaded := build(t, load(t, dir, "version: 1\narchives: [{name: d/a.zip, "+allSidecars+", entries: [{source: src}]}]\n"), o)
	must(t, reloaded.Date(first))
	again := reloaded.summed()
	wantSidecars(t, byPath(reloaded))

	next, files := shown(t, dir, allSidecars, r.options(t, cache))
	once := next.summed()
	wantSidecars(t, files)
	other := build(t, load(t, dir, "version: 1\narchives: [{name: b.zip, "+allSidecars+", entries: [{source: src}]}]\n"), r.options(t, cache))
	renamed := other.summed()
	err, cacheErr := other.Sum(context.Background(), HashOptions{Workers: 2, Start: func(int, int64) { t.Error("there is something to sum") }})
	must(t, errors.Join(err, cacheErr))
	if again.Load()+once.Load()+renamed.Load() != 0 {
		t.Errorf("summed again: %d bytes after a reload, %d after a mount, %d under another name", again.Load(), once.Load(), renamed.Load())
	}

	write(t, dir, map[string]string{"src/d1/file1": "X"})
	changed, files := shown(t, dir, allSidecars, r.options(t, cache))
	n = changed.summed()
	wantSidecars(t, files)
	if n.Load() != files["d/a.zip"].Size {
		t.Errorf("of an archive that changed %d bytes are summed, want %d", n.Load(), files["d/a.zip"].Size)
	}
}

// What was summed before a pause is not summed again; a reader gets its sum all the same.
func TestSHA256Paused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(24 << 20)})
	var r read
	g, files := shown(t, dir, allSidecars, r.options(t, nil))
	var n atomic.Int64
	g.sums.progress = func(bytes int64) {
		if n.Add(bytes) == bytes {
			g.Pause()
		}
	}
	finished := make(chan int, 1)
	g.SumUp(func(archives int) { finished <- archives })
	g.waitIdle(t)
	if got := n.Load(); got == 0 || got >= files["d/a.zip"].Size {
		t.Errorf("%d bytes were summed before the pause, want a part of %d", got, files["d/a.zip"].Size)
	}
	wantSidecars(t, files)
	if got := n.Load(); got != files["d/a.zip"].Size {
		t.Errorf("%d bytes were summed, want each of %d once", got, files["d/a.zip"].Size)
	}
	g.Resume()
	g.waitIdle(t)
	select {
	case got := <-finished:
		t.Errorf("after the pause %d archives were summed again", got)
	default:
	}
}

// waitIdle waits until nobody sums in the background.
func (g *Generation) waitIdle(t *testing.T) {
	t.Helper()
	busy := func() bool {
		g.sums.mu.Lock()
		defer g.sums.mu.Unlock()
		return g.sums.busy
	}
	for end := time.Now().Add(time.Minute); busy(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("somebody goes on summing")
		}
	}
}

// Who reads in the middle of the work in the background has it done at once, and who
// gives up waiting leaves it.
func TestSHA256Waits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(8 << 20)})
	var r read
	g, files := shown(t, dir, allSidecars, r.options(t, nil))
	gate, reached := make(chan struct{}), make(chan struct{}, 100)
	g.sums.progress = func(int64) { reached <- struct{}{}; <-gate }
	g.SumUp(nil)
	<-reached // in the background
	ctx, cancel := context.WithCancel(context.Background())
	h, err := files["d/a.zip.sha256"].Open(false)
	must(t, err)
	defer h.Close()
	failed := make(chan error, 1)
	go func() {
		_, err := h.Read(ctx, 0, 100)
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up: got error %v", err)
	}
	close(gate)
	wantSidecars(t, files)
	g.waitIdle(t)
}

// A source that changed fails the sum with the archive's own error, and what was
// remembered before stays right.
func TestSHA256Changed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(3 << 20), "src/y": "12345"})
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	var r read
	o := r.options(t, cache)
	list := o.reports()
	g, files := shown(t, dir, allSidecars, o)
	h, err := files["d/a.zip.sha256"].Open(false)
	must(t, err)
	defer h.Close()
	write(t, dir, map[string]string{"src/y": "54321"})
	for range 3 {
		if _, err := h.Read(context.Background(), 0, 100); !errors.Is(err, unix.ESTALE) {
			t.Errorf("got error %v, want ESTALE", err)
		}
	}
	if reports := list(); len(reports) != 1 || !strings.Contains(reports[0], `entry "src/y"`) {
		t.Errorf("got reports %q", reports)
	}
	// The CRC-32s are those that the archive was shown with.
	if _, known := g.Archives[0].digest.get(); known {
		t.Error("there is a sum")
	}
	err, _ = g.Sum(context.Background(), HashOptions{})
	var sources SourceErrors
	if !errors.As(err, &sources) || !errors.Is(err, unix.ESTALE) || !strings.HasPrefix(err.Error(), "archive d/a.zip: ") {
		t.Errorf("Sum: got error %v", err)
	}
	_, files = shown(t, dir, allSidecars, r.options(t, cache))
	wantSidecars(t, files)
}

func TestSumRecord(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("x"))
	r := sumRecord(crccache.KeyOf("sha256 x"), sum)
	if got, ok := sumOf(r); got != sum || !ok {
		t.Errorf("got %x and %v, want %x", got, ok, sum)
	}
	r.Ino ^= 1
	if _, ok := sumOf(r); ok {
		t.Error("a record with another bit is taken")
	}
}

package generation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/figure"
)

// byteRun is a run of bytes.
type byteRun struct{ start, end int64 }

// sparseFile makes a file with data at some places, some of it taken away again.
func sparseFile(t *testing.T, path string, rnd *rand.Rand) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	size := rnd.Int64N(1 << (10 + rnd.IntN(14)))
	must(t, f.Truncate(size))
	place := func() (off, n int64) {
		off = rnd.Int64N(size + 1)
		n = rnd.Int64N(min(1<<19, size-off) + 1)
		if rnd.IntN(2) == 0 {
			off -= off % 4096
		}
		return off, n
	}
	for range rnd.IntN(8) {
		off, n := place()
		_, err := f.WriteAt([]byte(randomText(int(n))), off)
		must(t, err)
	}
	for range rnd.IntN(3) {
		if off, n := place(); n > 0 {
			must(t, unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n))
		}
	}
	if off, n := place(); rnd.IntN(3) == 0 { // zeros that take room
		_, err := f.WriteAt(make([]byte, n), off)
		must(t, err)
	}
	must(t, f.Sync()) // for st_blocks
}

// holesOf are the blocks of a file that its file system says are holes, as runs.
func holesOf(t *testing.T, path string) (holes []byteRun) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	stat, err := f.Stat()
	must(t, err)
	size := stat.Size()
	if size-stat.Sys().(*syscall.Stat_t).Blocks*512 < checksum.BlockLen {
		return nil
	}
	for at := int64(0); at < size; {
		end := min(at+checksum.BlockLen, size)
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if err == unix.ENXIO {
			data = size
		} else {
			must(t, err)
		}
		if data >= end {
			holes = append(holes, byteRun{at, end})
		}
		at = end
	}
	return holes
}

// walked looks through a file as cp does, and returns its holes.
func walked(t *testing.T, f *File, h Handle, most int) (holes []byteRun) {
	t.Helper()
	seek := func(off int64, whence int) int64 {
		at, err := h.Seek(context.Background(), off, whence)
		must(t, err)
		if at < off || at > f.Size {
			t.Fatalf("%s: whence %d from %d on: got %d", f.Path, whence, off, at)
		}
		return at
	}
	for at, steps := int64(0), 0; at < f.Size; steps++ {
		if steps > most {
			t.Fatalf("%s: no end after %d steps", f.Path, steps)
		}
		data := seek(at, unix.SEEK_DATA)
		if data > at {
			holes = append(holes, byteRun{at, data})
		}
		if data == f.Size {
			break
		}
		if at = seek(data, unix.SEEK_HOLE); at == data {
			t.Fatalf("%s: at %d there is both data and a hole", f.Path, data)
		}
	}
	return holes
}

// joined puts runs together that have nothing between them.
func joined(runs []byteRun) (all []byteRun) {
	for _, r := range runs {
		if n := len(all); n > 0 && all[n-1].end == r.start {
			all[n-1].end = r.end
		} else {
			all = append(all, r)
		}
	}
	return all
}

// cut is what is in a part of the archive, in pages of its own.
func cut(runs []byteRun, from, size int64) (all []byteRun) {
	for _, r := range runs {
		r = byteRun{max(0, r.start-from), min(size, r.end-from)}
		r.start = (r.start + 4095) / 4096 * 4096
		if r.end < size {
			r.end -= r.end % 4096
		}
		if r.start < r.end {
			all = append(all, r)
		}
	}
	return all
}

// The holes of any archive, and of its volumes, are those of its sources, in whole
// blocks: all zeros, from wherever they are looked for, also before anything is hashed.
func TestSeek(t *testing.T) {
	t.Parallel()
	var holes, steps int
	for seed := range figure.N(12, 300) {
		dir := t.TempDir()
		rnd := rand.New(rand.NewPCG(5, uint64(seed)))
		for i := range rnd.IntN(12) {
			sparseFile(t, fmt.Sprintf("%s/src/d%d/f%d", dir, i%3, i), rnd)
		}
		write(t, dir, map[string]string{"src/small": "12345"})
		must(t, os.Symlink("small", dir+"/src/link"))
		time.Sleep(25 * time.Millisecond)
		l := load(t, dir, fmt.Sprintf("version: 1\narchives: [{name: d/a.zip, split: %d, %s, entries: [{source: src}]}]\n", 65536+rnd.IntN(1<<20), allSidecars))
		var r read
		g, start := early(t, l, r.options(t, nil))
		if seed%2 == 0 {
			<-start()
		} else {
			start()
		}
		must(t, g.Date(nil))
		a := g.Archives[0]
		var want []byteRun
		for i := range a.Len() {
			if !a.IsFile(i) {
				continue
			}
			ref, _ := a.Source(i)
			for _, h := range holesOf(t, ref.Path()) {
				want = append(want, byteRun{a.DataOffset(i) + h.start, a.DataOffset(i) + h.end})
			}
		}
		whole := []byte(nil)
		for _, f := range g.Files() {
			h, err := f.Open(false)
			must(t, err)
			wantHere := cut(joined(want), f.from, f.Size)
			if f.kind != "" && f.kind != volumeKind {
				wantHere = nil
			}
			got := walked(t, f, h, 2*len(want)+2)
			if !slices.Equal(got, wantHere) {
				t.Errorf("seed %d, %s: holes at %v, want %v", seed, f.Path, got, wantHere)
			}
			if f.kind == "" {
				whole = readFile(t, f, false, 1<<20)
			}
			for _, r := range got {
				holes++
				if strings.Trim(string(whole[f.from+r.start:f.from+r.end]), "\x00") != "" {
					t.Errorf("seed %d, %s: not all zeros in %v", seed, f.Path, r)
				}
			}
			for range 100 {
				steps++
				off := rnd.Int64N(f.Size)
				if n := len(got); n > 0 && rnd.IntN(2) == 0 { // near a border
					r := got[rnd.IntN(n)]
					off = max(0, min([]int64{r.start, r.end}[rnd.IntN(2)]+rnd.Int64N(3)-1, f.Size-1))
				}
				data, hole := off, f.Size
				for _, r := range slices.Backward(got) {
					switch {
					case off < r.start:
						hole = r.start
					case off < r.end:
						data, hole = r.end, off
					}
				}
				gotData, err := h.Seek(context.Background(), off, unix.SEEK_DATA)
				must(t, err)
				gotHole, err := h.Seek(context.Background(), off, unix.SEEK_HOLE)
				must(t, err)
				if gotData != data || gotHole != hole {
					t.Errorf("seed %d, %s at %d: data at %d, a hole at %d, want %d and %d", seed, f.Path, off, gotData, gotHole, data, hole)
				}
			}
			h.Close()
		}
	}
	if holes == 0 {
		t.Error("there were no holes")
	}
	figure.Print(t, "holes of archives, volumes and sidecars: %d, all zeros; %d offsets agree with them", holes, steps)
}

// A source that is known to have other bytes has no holes, and neither has one that is
// not what was hashed; one that has come back has them again.
func TestSeekChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const size = 8 * checksum.BlockLen
	path := dir + "/src/x"
	write(t, dir, map[string]string{"src/x": randomText(2 * checksum.BlockLen)})
	must(t, os.Truncate(path, size))
	time.Sleep(25 * time.Millisecond)
	var r read
	open := func() (g *Generation, a *Archive, l *Lease, i int) {
		g = build(t, load(t, dir, oneArchive), r.options(t, nil))
		a = g.Archives[0]
		i, _ = a.Find("src/x")
		l, err := a.Open(false)
		must(t, err)
		t.Cleanup(l.Close)
		return g, a, l, i
	}
	g, a, l, i := open()
	at := a.DataOffset(i)
	wantHoles := func(what string, want ...byteRun) {
		t.Helper()
		if got := walked(t, g.Files()[0], l, 4); !slices.Equal(got, want) {
			t.Errorf("%s: holes at %v, want %v", what, got, want)
		}
	}
	hole := cut([]byteRun{{at + 2*checksum.BlockLen, at + size}}, 0, a.Size())[0]
	wantHoles("at first", hole)
	must(t, os.Chmod(path, 0o600))
	wantHoles("another mode")
	if _, err := readData(a); err != nil { // which has it looked at
		t.Error(err)
	}
	eventually(t, "it to be found equal", func() bool { s, _ := g.stateOf(a.key(i)); return s == equal })
	wantHoles("found equal", hole)
	g, a, l, i = open()
	wantHoles("another generation", hole)
	g.Changed(a.key(i), a.Identity(i))
	wantHoles("known to be changed")
}

// Sources that can't have holes are not asked.
func TestSeekCost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 2000 {
		files[fmt.Sprintf("src/%d", i)] = "x"
	}
	files["src/large"] = randomText(1 << 20)
	write(t, dir, files)
	g, err := Scan(context.Background(), load(t, dir, oneArchive), Options{Report: func(err error) { t.Error(err) }})
	must(t, err)
	defer g.Close()
	f := g.Files()[0]
	must(t, os.RemoveAll(dir+"/src")) // nobody asks, and nothing is hashed
	h, err := f.Open(false)
	must(t, err)
	defer h.Close()
	for _, off := range []int64{0, f.Size / 2, f.Size - 1} {
		data, err := h.Seek(context.Background(), off, unix.SEEK_DATA)
		must(t, err)
		hole, err := h.Seek(context.Background(), off, unix.SEEK_HOLE)
		must(t, err)
		if data != off || hole != f.Size {
			t.Errorf("at %d: data at %d, a hole at %d", off, data, hole)
		}
	}
}

// What is open of a generation that was given up has no holes any more: a read tells why.
func TestSeekExpired(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "x"})
	must(t, os.Truncate(dir+"/src/x", 1<<20))
	var r read
	g := build(t, load(t, dir, "version: 1\narchives: [{name: d/a.zip, split: 65536, "+allSidecars+", entries: [{source: src}]}]\n"), r.options(t, nil))
	must(t, g.Date(nil))
	for _, f := range g.Files() {
		h, err := f.Open(false)
		must(t, err)
		defer h.Close()
		before := walked(t, f, h, 2)
		if wants := f.kind == ""; wants && len(before) != 1 {
			t.Errorf("%s: holes at %v, want one", f.Path, before)
		}
		g.Expire()
		if after := walked(t, f, h, 2); len(after) > 0 {
			t.Errorf("%s: holes at %v, want none", f.Path, after)
		}
		if _, err := h.Read(context.Background(), 0, 1); !errors.Is(err, unix.ESTALE) {
			t.Errorf("%s: got error %v, want ESTALE", f.Path, err)
		}
	}
}

// What an archive takes is what its sources take, and no more of a volume than it has.
func TestHoles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(checksum.BlockLen)})
	must(t, os.Truncate(dir+"/src/x", 1<<30))
	g, err := Scan(context.Background(), load(t, dir, "version: 1\narchives: [{name: d/a.zip, split: 10MiB, "+allSidecars+", entries: [{source: src}]}]\n"), Options{})
	must(t, err)
	defer g.Close()
	must(t, g.Date(nil))
	var volumes int64
	for _, f := range g.Files() {
		switch got := f.Holes(); {
		case f.kind == "" && (got < 1<<30-2*checksum.BlockLen || got > 1<<30-checksum.BlockLen):
			t.Errorf("the archive: %d bytes in holes", got)
		case f.kind == "":
			volumes -= got
		case f.kind == volumeKind:
			volumes += got
		case got != 0:
			t.Errorf("%s: %d bytes in holes", f.Path, got)
		}
	}
	if volumes > 0 || volumes < -int64(len(g.Files())) {
		t.Errorf("volumes have %d bytes more in holes than the archive", volumes)
	}
}

package generation

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// shown builds a layout's one archive, a.zip of the folder src, with options, and returns
// what is shown by path.
func shown(t *testing.T, dir, options string, cacheless Options) (*Generation, map[string]*File) {
	t.Helper()
	g := build(t, load(t, dir, "version: 1\narchives: [{name: d/a.zip, "+options+", entries: [{source: src}]}]\n"), cacheless)
	must(t, g.Date(nil))
	return g, byPath(g)
}

func byPath(g *Generation) map[string]*File {
	files := map[string]*File{}
	for _, f := range g.Files() {
		files[f.Path] = f
	}
	return files
}

// readFile reads a file whole, in reads of n bytes.
func readFile(t *testing.T, f *File, ahead bool, n int) []byte {
	t.Helper()
	got, err := tryRead(f, ahead, n)
	if err != nil {
		t.Fatalf("%s: %v", f.Path, err)
	}
	return got
}

func tryRead(f *File, ahead bool, n int) ([]byte, error) {
	h, err := f.Open(ahead)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	var all []byte
	for off := int64(0); off < f.Size; {
		b, err := h.Read(context.Background(), off, n)
		if err != nil {
			return all, err
		}
		all = append(all, bytes.Join(b.Slices(), nil)...)
		off += int64(b.Len())
		short := b.Len() != n && off != f.Size
		b.Release()
		if short {
			return all, fmt.Errorf("a short read before offset %d", off)
		}
	}
	return all, nil
}

// randomText is n bytes of no meaning, always the same.
func randomText(n int) string {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{7}).Read(p)
	return string(p)
}

// Volumes joined are the archive, whatever their size, and however they are read.
func TestVolumes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(300_000), "src/y": randomText(70_001), "src/z": ""})
	var r read
	_, plain := shown(t, dir, "comment: c", r.options(t, nil))
	whole := readFile(t, plain["d/a.zip"], false, 1<<20)
	size := len(whole)
	for _, split := range []int{size / 2, size - 1, size, size + 1, (size + 1) / 2, (size + 2) / 3, 65536, 131072, 10 * size} {
		_, files := shown(t, dir, fmt.Sprintf("comment: c, split: %d", split), r.options(t, nil))
		count := (size + split - 1) / split
		if len(files) != 1+count {
			t.Errorf("split %d: got %d files, want the archive and %d volumes", split, len(files), count)
		}
		for _, ahead := range []bool{false, true} {
			for _, n := range []int{4096, 50_000, 128 << 10, 1 << 20} {
				var joined []byte
				for i := range count {
					f := files[fmt.Sprintf("d/a.zip.%03d", i+1)]
					if f == nil {
						t.Fatalf("split %d: volume %d is missing", split, i)
					}
					part := readFile(t, f, ahead, n)
					if want := min(split, size-i*split); len(part) != want || f.Size != int64(want) {
						t.Errorf("split %d, volume %d: got %d bytes, size %d, want %d", split, i, len(part), f.Size, want)
					}
					joined = append(joined, part...)
				}
				if !bytes.Equal(joined, whole) {
					t.Errorf("split %d, ahead %v, reads of %d: the volumes are not the archive", split, ahead, n)
				}
			}
		}
	}
}

// A read at any offset gives the bytes there, and none of the next volume.
func TestVolumeAtRandom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(200_000), "src/y": randomText(200_000)})
	var r read
	g, files := shown(t, dir, "split: 64KiB", r.options(t, nil))
	a := g.Archives[0]
	whole, err := io.ReadAll(io.NewSectionReader(a, 0, a.Size()))
	must(t, err)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range len(files) - 1 {
		f := files[fmt.Sprintf("d/a.zip.%03d", i+1)]
		part := whole[i<<16:][:f.Size]
		for _, ahead := range []bool{false, true} {
			h, err := f.Open(ahead)
			must(t, err)
			for range 50 {
				off, n := rnd.IntN(len(part)+1), rnd.IntN(100_000)
				b, err := h.Read(context.Background(), int64(off), n)
				must(t, err)
				if got, want := bytes.Join(b.Slices(), nil), part[off:min(off+n, len(part))]; !bytes.Equal(got, want) {
					t.Errorf("volume %d, %d bytes at %d: got %d bytes, want %d", i, n, off, len(got), len(want))
				}
				b.Release()
			}
			h.Close()
		}
	}
}

// Inode numbers tell all files apart, stay where bytes do, and move where they don't.
func TestNumbersBeside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(200_000)})
	const options = "split: 64KiB, sidecars: [sha256, crc32, manifest], mtime: 2026-01-31T12:00:00Z"
	var r read
	numbers := func(options string) map[string]uint64 {
		t.Helper()
		_, files := shown(t, dir, options, r.options(t, nil))
		list, seen := map[string]uint64{}, map[uint64]string{}
		for p, f := range files {
			if other, ok := seen[f.Inode]; ok || f.Inode < 2 || f.Inode >= 1<<63 {
				t.Errorf("%s: number %d, which is also that of %q", p, f.Inode, other)
			}
			list[p], seen[f.Inode] = f.Inode, p
		}
		return list
	}
	first, again := numbers(options), numbers(options)
	for p, n := range first {
		if again[p] != n {
			t.Errorf("%s: the number was %d, is %d", p, n, again[p])
		}
	}
	for p, n := range numbers(strings.Replace(options, "64KiB", "100kB", 1)) {
		if volume := strings.HasPrefix(filepath.Ext(p), ".0"); volume == (first[p] == n) {
			t.Errorf("%s: with another split the number is %d, was %d", p, n, first[p])
		}
	}
	write(t, dir, map[string]string{"src/x": randomText(200_001)[1:]})
	for p, n := range numbers(options) {
		if first[p] == n {
			t.Errorf("%s: has the number %d with other bytes, too", p, n)
		}
	}
}

package zipgen

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// randomFiles returns up to n files that can be in one archive, in random order.
func randomFiles(rnd *rand.Rand, n int) []file {
	// "-", "." and "0" sort around the slash.
	letters := []string{"a", "b", "ab", "-", ".x", "0", "~", " ", "é", "\xff", strings.Repeat("long", 10)}
	dirs, taken := []string{""}, map[string]bool{}
	var files []file
	for range n * 2 {
		if len(files) == n {
			break
		}
		name := dirs[rnd.IntN(len(dirs))]
		for range 1 + rnd.IntN(4) {
			name += letters[rnd.IntN(len(letters))]
		}
		if taken[name] {
			continue
		}
		taken[name] = true
		f := file{Entry: Entry{Name: name, Mode: TypeFile, Size: 0, ModTime: randomTime(rnd)}}
		switch rnd.IntN(10) {
		case 0, 1, 2:
			dirs = append(dirs, name+"/")
			if rnd.IntN(4) == 0 {
				continue // a directory without an entry
			}
			f.Name, f.Mode = name+"/", TypeDir
		case 3:
			f.Mode = TypeSymlink
			f.data = "../target"
		default:
			f.data = strings.Repeat(name, rnd.IntN(4))
		}
		f.Mode |= rnd.Uint32() & PermMask
		f.Size = int64(len(f.data))
		files = append(files, f)
	}
	rnd.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	return files
}

func randomTime(rnd *rand.Rand) int64 {
	switch rnd.IntN(4) {
	case 0:
		return int64(rnd.Uint64())
	case 1:
		return rnd.Int64N(1<<33) - 1<<31
	}
	return rnd.Int64N(1 << 31)
}

func TestRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 1))
			testRandom(t, rnd, randomFiles(rnd, rnd.IntN(60)))
		})
	}
	// Several blocks of entries.
	for _, n := range []int{runLen, 2*runLen + 1} {
		t.Run(fmt.Sprintf("%d entries", n), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(uint64(n), 2))
			files := randomFiles(rnd, n)
			if len(files) != n {
				t.Fatalf("got %d files, want %d", len(files), n)
			}
			testRandom(t, rnd, files)
		})
	}
}

func testRandom(t *testing.T, rnd *rand.Rand, files []file) {
	r := layOut(t, Options{Comment: "random"}, files...)
	full := readFull(t, r)

	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.Name, b.Name) })
	sorted := layOut(t, Options{Comment: "random"}, files...)
	if !bytes.Equal(full, readFull(t, sorted)) {
		t.Error("the order of the entries changes the bytes")
	}
	crc := func(i int) uint32 { return crc32.ChecksumIEEE([]byte(files[i].data)) }
	check(t, r, entriesOf(files), crc, "random")
	checkData(t, r)
	checkFind(t, r.Archive, files)

	all := checkExtents(t, r)
	for range 100 {
		off := rnd.Int64N(r.Size())
		n := rnd.Int64N(min(r.Size()-off, 2000)) + 1
		checkRange(t, r.Archive, all, off, n)
		if off+n > r.Size() {
			continue
		}
		if got := readRange(t, r, off, n); !bytes.Equal(got, full[off:off+n]) {
			t.Fatalf("ReadAt of %d bytes at %d: got % x, want % x", n, off, got, full[off:off+n])
		}
	}
}

// checkFind looks for each name, and for some that are near.
func checkFind(t *testing.T, a *Archive, files []file) {
	t.Helper()
	index := make(map[string]int, len(files))
	for i, f := range files {
		index[f.Name] = i
	}
	for _, f := range files {
		name := f.Name
		for _, s := range []string{name, name + "/", name + "\x00", name[:len(name)-1], strings.TrimSuffix(name, "/"), name[:len(name)-1] + "\xff"} {
			want, wantOK := index[s]
			got, ok := a.Find(s)
			if ok != wantOK || ok && got != want {
				t.Errorf("Find(%q): got %d, %v; want %d, %v", s, got, ok, want, wantOK)
			}
		}
	}
	for _, s := range []string{"", "\x00", "\xff\xff\xff\xff\xff", "/"} {
		if i, ok := a.Find(s); ok {
			t.Errorf("Find(%q): got %d, want none", s, i)
		}
	}
}

package crccache

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"vzip/internal/figure"
)

// fresh is what is added to a cache after it was damaged.
var fresh = []Record{record(8, 1), record(8, 2)}

// small is a cache file with records of all lengths, and where each ends. Those of
// several slots have more than one block.
func small() (file []byte, rs []Record, ends []int) {
	file = image(0)
	for _, r := range mixed(1, 12) {
		file = appendRecord(file, r)
		rs, ends = append(rs, r), append(ends, len(file))
	}
	return file, rs, ends
}

// A cache cut off anywhere keeps the records before the cut, and takes new ones.
func TestTruncated(t *testing.T) {
	t.Parallel()
	file, rs, ends := small()
	dir := cacheInMemory(t, file)
	for n := range len(file) + 1 {
		must(t, os.WriteFile(filepath.Join(dir, FileName), file[:n], 0o600))
		whole, end := 0, min(n, slotLen)
		if n >= slotLen {
			whole = sort.SearchInts(ends, n+1)
			end = append([]int{slotLen}, ends...)[whole]
		}
		left := rs[:whole]
		wantRecords(t, dir, left, min(1, n%slotLen+n-end))
		add(t, open(t, dir), fresh...)
		wantRecords(t, dir, slices.Concat(left, fresh), min(1, max(0, n/slotLen*slotLen-end)))
		if want := int64(max(n/slotLen, 1)+len(fresh)) * slotLen; fileSize(t, dir) != want {
			t.Errorf("%d bytes after adding, want %d", fileSize(t, dir), want)
		}
		// A process that saw the damage is rid of it when it writes.
		if n%9 == 0 {
			c := open(t, dir)
			_, err := c.Scan(func(Record) {})
			must(t, err)
			add(t, c, fresh[0])
			wantNewest(t, dir, slices.Concat(left, fresh))
			if _, damaged := all(t, dir); damaged != 0 {
				t.Errorf("%d damaged are left", damaged)
			}
		}
		if t.Failed() {
			t.Fatalf("cut to %d bytes", n)
		}
	}
	figure.Print(t, "a cache cut off at each of its %d bytes: 0 wrong records, 0 failed starts", len(file)+1)
}

// Flipped bits anywhere cost the records that they are in, and no other.
func TestFlippedBitsAtRandom(t *testing.T) {
	t.Parallel()
	file, rs, ends := small()
	dir := cacheInMemory(t, file)
	rnd := rand.New(rand.NewPCG(1, 2))
	rounds, starts := figure.N(10_000, 1_000_000), 0
	in := bufio.NewReaderSize(nil, bufferLen) // scan takes it as it is
	for round := range rounds {
		bad := slices.Clone(file)
		for range 1 + rnd.IntN(3) {
			bit := rnd.IntN(8 * len(file))
			bad[bit/8] ^= 1 << (bit % 8)
		}
		var want []Record
		for i, r := range rs {
			start := ends[i] - slotLen*(1+tails(r.Size))
			if bytes.Equal(bad[:slotLen], file[:slotLen]) && bytes.Equal(bad[start:ends[i]], file[start:ends[i]]) {
				want = append(want, r)
			}
		}
		wantDamaged := min(1, len(rs)-len(want))
		var got []Record
		s := scanner{blocks: true, each: func(_ int64, r Record) { got = append(got, kept(r)) }}
		in.Reset(bytes.NewReader(bad))
		must(t, s.scan(in))
		if !slices.EqualFunc(got, want, same) || s.damaged < wantDamaged {
			t.Fatalf("round %d: got %d records and %d damaged, want %d: %s", round, len(got), s.damaged, len(want), brief(got, want))
		}
		if round%(rounds/200) == 0 {
			starts++
			must(t, os.WriteFile(filepath.Join(dir, FileName), bad, 0o600))
			c := open(t, dir)
			_, err := c.Scan(func(Record) {})
			must(t, err)
			add(t, c, fresh...)
			wantNewest(t, dir, append(want, fresh...))
			if _, damaged := all(t, dir); damaged != 0 {
				t.Fatalf("round %d: %d damaged are left", round, damaged)
			}
		}
	}
	figure.Print(t, "random bits of a cache flipped: %d times, 0 wrong records; %d starts after it, 0 failed", rounds, starts)
}

// A flipped bit in the header costs all records. Of each byte one bit is tried
// in a file, and all bits without.
func TestFlippedBitsInHeader(t *testing.T) {
	t.Parallel()
	file := image(4711, records(1, 3)...)
	dir := cacheWith(t, file)
	for bit := range slotLen * 8 {
		file[bit/8] ^= 1 << (bit % 8)
		if _, ok := header(file); ok {
			t.Errorf("bit %d of byte %d: header is accepted", bit%8, bit/8)
		}
		if bit%8 == bit/8%8 {
			must(t, os.WriteFile(filepath.Join(dir, FileName), file, 0o600))
			wantRecords(t, dir, nil, 1)
			add(t, open(t, dir), fresh...)
			wantRecords(t, dir, fresh, 0)
		}
		file[bit/8] ^= 1 << (bit % 8)
	}
}

// A flipped bit in a record costs that record. One file has a record for each bit.
func TestFlippedBitsInRecords(t *testing.T) {
	t.Parallel()
	file := image(0)
	var good []Record
	for bit := range slotLen * 8 {
		r := record(1, bit)
		file = appendRecord(file, r)
		file[len(file)-slotLen+bit/8] ^= 1 << (bit % 8)
		if good = append(good, record(2, bit)); bit%2 == 0 {
			file = appendRecord(file, good[bit])
		} else { // damaged ones come alone and in pairs
			file = slices.Insert(file, len(file)-slotLen, appendRecord(nil, good[bit])...)
		}
	}
	dir := cacheWith(t, file)
	wantRecords(t, dir, good, slotLen*8)
	add(t, open(t, dir), fresh...)
	wantRecords(t, dir, slices.Concat(good, fresh), slotLen*8)
}

func TestOtherFiles(t *testing.T) {
	t.Parallel()
	body := image(0, records(1, 3)...)[slotLen:]
	headerOf := func(magic string) []byte {
		b := make([]byte, bodyLen)
		copy(b, magic)
		return append(seal(b), body...)
	}
	for _, tt := range []struct {
		name        string
		file        []byte
		wantDamaged int
	}{
		{"empty", nil, 0},
		{"version before", headerOf("vzip crc-32s v1\n"), 1},
		{"next version", headerOf("vzip crc-32s v3\n"), 1},
		{"wrong magic", headerOf("some other magic"), 1},
		{"no magic", headerOf(""), 1},
		{"no header", body, 1},
		{"zeros", make([]byte, 1<<16+5), 1},
		{"text", []byte(fmt.Sprintf("%01000d", 7)), 1},
		{"records before the header", append(slices.Clone(body), image(0)...), 1},
	} {
		dir := cacheWith(t, tt.file)
		wantRecords(t, dir, nil, tt.wantDamaged)
		add(t, open(t, dir), fresh...)
		wantRecords(t, dir, fresh, 0)
		if got, want := fileSize(t, dir), int64(1+len(fresh))*slotLen; got != want || t.Failed() {
			t.Errorf("%s: %d bytes after adding, want %d", tt.name, got, want)
		}
	}
}

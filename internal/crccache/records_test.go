package crccache

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"vzip/internal/checksum"
)

// slots cuts a record into its slots.
func slots(r Record) (s [][]byte) {
	r.encode(func(slot []byte) { s = append(s, slices.Clone(slot)) })
	return s
}

// reseal gives a head and its tail slots the check values that fit.
func reseal(s [][]byte) [][]byte {
	copy(s[0], seal(slices.Clone(s[0][:bodyLen])))
	for n, slot := range s[1:] {
		binary.LittleEndian.PutUint32(slot[bodyLen:], tailCheck(stored(s[0]), uint32(n+1), slot[:bodyLen]))
	}
	return s
}

// A record counts as a whole or not at all, and never hides the ones after it.
// A torn record that is accepted fails here.
func TestBrokenRecords(t *testing.T) {
	t.Parallel()
	before, after := long(2, 3), long(2, 4)
	r := long(1, 6) // 31 blocks: 3 tail slots, the last of 1 block
	other := long(3, 6)
	cut := func(n int) func([][]byte) [][]byte {
		return func(s [][]byte) [][]byte { return s[:n] }
	}
	set := func(at int, v uint64) func([][]byte) [][]byte {
		return func(s [][]byte) [][]byte {
			binary.LittleEndian.PutUint64(s[0][at:], v)
			return reseal(s)
		}
	}
	for _, tt := range []struct {
		name        string
		change      func([][]byte) [][]byte
		wantDamaged int
	}{
		{"nothing", func(s [][]byte) [][]byte { return s }, 0},
		{"head only", cut(1), 1},
		{"1 tail slot", cut(2), 1},
		{"all tail slots but one", cut(3), 1},
		{"no head", func(s [][]byte) [][]byte { return s[1:] }, 3},
		{"no first tail slot", func(s [][]byte) [][]byte { return slices.Delete(s, 1, 2) }, 1},
		{"no middle tail slot", func(s [][]byte) [][]byte { return slices.Delete(s, 2, 3) }, 1},
		{"tail slots swapped", func(s [][]byte) [][]byte { s[1], s[2] = s[2], s[1]; return s }, 1},
		{"tail slot twice", func(s [][]byte) [][]byte { return slices.Insert(s, 2, s[1]) }, 2},
		{"other record's tail slot", func(s [][]byte) [][]byte { s[2] = slots(other)[2]; return s }, 1},
		{"other record's tail slots", func(s [][]byte) [][]byte { return append(s[:1], slots(other)[1:]...) }, 1},
		{"torn, then again", func(s [][]byte) [][]byte { return append(s[:2:2], s...) }, 1},
		{"torn, then another", func(s [][]byte) [][]byte { return append(s[:3:3], slots(other)...) }, 1},
		{"torn twice", func(s [][]byte) [][]byte { return append(s[:3:3], s[:2]...) }, 2},
		{"zeros for tail slots", func(s [][]byte) [][]byte { clear(s[1]); clear(s[2]); clear(s[3]); return s }, 1},
		{"zeros for one tail slot", func(s [][]byte) [][]byte { clear(s[2]); return s }, 1},
		{"zeros for the head", func(s [][]byte) [][]byte { clear(s[0]); return s }, 4},
		{"zeros", func(s [][]byte) [][]byte { clear(s[0]); return append(s[:1], s[0], s[0]) }, 3},
		{"flipped bit in the head", func(s [][]byte) [][]byte { s[0][20] ^= 1; return s }, 1},
		{"flipped bit in a block", func(s [][]byte) [][]byte { s[2][20] ^= 1; return s }, 1},
		{"sound, but a block is another", func(s [][]byte) [][]byte { s[2][20] ^= 1; return reseal(s) }, 1},
		{"sound, but the file's CRC is another", set(56, 1), 1},
		{"sound, but there are more blocks", func(s [][]byte) [][]byte { s[3][4] = 1; return reseal(s) }, 1},
		{"one block more in the size", set(16, uint64(r.Size+checksum.BlockLen)), 1},
		{"one block less in the size", set(16, uint64(r.Size-checksum.BlockLen)), 1},
		{"one byte less in the size", set(16, uint64(r.Size-1)), 1},
		{"greatest size", set(16, checksum.MaxSize), 1},
		{"greater than the greatest", set(16, checksum.MaxSize+1), 1},
		{"negative size", set(16, 1<<63), 1},
	} {
		broken := slots(r)
		if broken = tt.change(broken); tt.name != "nothing" && bytes.Equal(slices.Concat(broken...), appendRecord(nil, r)) {
			t.Fatalf("%s: nothing is changed", tt.name)
		}
		file := append(image(0, before), slices.Concat(broken...)...)
		want := []Record{before}
		switch tt.name {
		case "nothing", "torn, then again":
			want = append(want, r)
		case "torn, then another":
			want = append(want, other)
		}
		dir := cacheInMemory(t, file)
		wantRecords(t, dir, want, tt.wantDamaged) // at the end
		add(t, open(t, dir), after, fresh[0])
		wantRecords(t, dir, append(want, after, fresh[0]), tt.wantDamaged) // in the middle
		c := open(t, dir)
		_, err := c.Scan(func(Record) {})
		must(t, err)
		add(t, c, fresh[1])
		wantRecords(t, dir, append(want, after, fresh[0], fresh[1]), 0) // and gone
		if t.Failed() {
			t.Fatal(tt.name)
		}
	}
}

// What is no record in the middle of a file is passed over: zeros of a file
// system that crashed, and slots that moved.
func TestDamageInTheMiddle(t *testing.T) {
	t.Parallel()
	rs := records(1, 4)
	file := image(0, rs...)
	zeros := slices.Clone(file)
	clear(zeros[2*slotLen : 4*slotLen])
	wantRecords(t, cacheWith(t, zeros), []Record{rs[0], rs[3]}, 2)
	moved := slices.Concat(file[:2*slotLen], make([]byte, 7), file[2*slotLen:])
	wantRecords(t, cacheWith(t, moved), rs[:1], 4)
}

// A size that only the cache tells takes no memory.
func TestSizeTakesNoMemory(t *testing.T) {
	s := slots(Record{Identity: long(1, 6).Identity, Sum: long(1, 6).Sum})
	binary.LittleEndian.PutUint64(s[0][16:], checksum.MaxSize)
	file := append(image(0), slices.Concat(reseal(s)...)...)
	for range 1000 {
		file = append(file, s[0]...)
	}
	dir := cacheWith(t, file)
	var was, is runtime.MemStats
	runtime.ReadMemStats(&was)
	wantRecords(t, dir, nil, 1001)
	runtime.ReadMemStats(&is)
	if n := is.TotalAlloc - was.TotalAlloc; n > 4<<20 {
		t.Errorf("took %d bytes, want a read buffer and little more", n)
	}
}

// Records whose blocks don't fit the size are refused, and stop nothing.
func TestAddRefuses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	c := open(t, dir)
	for name, change := range map[string]func(*Record){
		"no blocks":       func(r *Record) { r.Blocks = nil },
		"a block less":    func(r *Record) { r.Blocks = r.Blocks[1:] },
		"a block more":    func(r *Record) { r.Size -= checksum.BlockLen },
		"negative size":   func(r *Record) { r.Size = -1 },
		"greater than 16": func(r *Record) { r.Size = checksum.MaxSize + 1 },
	} {
		r := long(1, 6)
		if change(&r); c.Add(r) == nil {
			t.Errorf("%s: is accepted", name)
		}
	}
	add(t, c, fresh...)
	wantRecords(t, dir, fresh, 0)
}

// scanBytes is all without files.
func scanBytes(t testing.TB, file []byte) (rs []Record, damaged int) {
	s := scanner{blocks: true, each: func(_ int64, r Record) { rs = append(rs, kept(r)) }}
	must(t, s.scan(bufio.NewReaderSize(bytes.NewReader(file), slotLen)))
	return rs, s.damaged
}

func FuzzScan(f *testing.F) {
	good := image(0, mixed(1, 3)...)
	flipped := slices.Clone(good)
	flipped[2*slotLen+20] ^= 4
	for _, seed := range [][]byte{nil, good, flipped, good[:100], good[slotLen:], good[:len(good)-1], append(image(1<<62), good...)} {
		f.Add(seed, byte(0))
	}
	f.Add(good[16:], byte(1))
	f.Add(good[16:], byte(2))
	f.Add(image(0, long(1, 3), long(2, 0))[16:], byte(2))
	added := image(0, fresh...)[slotLen:]
	f.Fuzz(func(t *testing.T, file []byte, how byte) {
		if how%3 > 0 { // sound by its checksums, which chance would not find
			file = append([]byte(magic), file...)
			soundly(file, how%3 == 2)
		}
		got, damaged := scanBytes(t, file)
		if len(file) < slotLen {
			file = append(file, make([]byte, slotLen-len(file))...)
		}
		if _, ok := header(file); !ok {
			if len(got) != 0 || damaged > 1 {
				t.Errorf("no header: got %d records and %d damaged", len(got), damaged)
			}
			return
		}
		next, free := slotLen, (len(file)-1)/slotLen // slots in no record
		for _, r := range got {
			b := appendRecord(nil, r)
			for next+len(b) <= len(file) && !bytes.Equal(file[next:next+len(b)], b) {
				next += slotLen
			}
			if next += len(b); next > len(file) {
				t.Fatalf("%+v is none of the file's records", r)
			}
			free -= len(b) / slotLen
			if r.Blocks != nil && checksum.Join(r.Blocks, r.Size) != r.CRC32 {
				t.Fatalf("%+v contradicts itself", r)
			}
		}
		if damaged > free || free > 0 && damaged == 0 {
			t.Errorf("got %d records and %d damaged, and %d slots are in no record", len(got), damaged, free)
		}
		file = append(file[:len(file)/slotLen*slotLen:len(file)], added...) // as Flush does
		now, left := scanBytes(t, file)
		if want := slices.Concat(got, fresh); !slices.EqualFunc(now, want, same) || left > damaged {
			t.Errorf("after adding: got %d records and %d damaged, want %d and at most %d", len(now), left, len(want), damaged)
		}
	})
}

// soundly gives all slots check values that fit, those of records as well that
// have tail slots in the file if tails is set.
func soundly(file []byte, withTails bool) {
	for at := 0; at+slotLen <= len(file); {
		s := [][]byte{file[at : at+slotLen]}
		at += slotLen
		if size := int64(binary.LittleEndian.Uint64(s[0][16:])); withTails && at > slotLen && size >= 0 && tails(size) <= (len(file)-at)/slotLen {
			crc := uint32(0)
			for range tails(size) {
				slot := file[at : at+slotLen]
				at += slotLen
				for i := range perSlot {
					left := size - int64((len(s)-1)*perSlot+i)*checksum.BlockLen
					if left > 0 {
						crc = checksum.JoinBlock(crc, binary.LittleEndian.Uint32(slot[4*i:]), min(left, checksum.BlockLen))
					} else {
						clear(slot[4*i : 4*i+4])
					}
				}
				s = append(s, slot)
			}
			if len(s) > 1 {
				binary.LittleEndian.PutUint32(s[0][56:], crc)
			}
		}
		reseal(s)
	}
}

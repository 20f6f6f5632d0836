package crccache

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// fresh is what is added to a cache after it was damaged.
var fresh = []Record{record(8, 1), record(8, 2)}

// A cache cut off anywhere keeps the records before the cut, and takes new ones.
func TestTruncated(t *testing.T) {
	t.Parallel()
	rs := records(1, 3)
	file := image(0, rs...)
	dir := cacheWith(t, file)
	for n := range len(file) + 1 {
		must(t, os.WriteFile(filepath.Join(dir, FileName), file[:n], 0o600))
		left := rs[:max(0, n/slotLen-1)]
		wantRecords(t, dir, left, min(1, n%slotLen))
		add(t, open(t, dir), fresh...)
		wantRecords(t, dir, slices.Concat(left, fresh), 0)
		if want := int64(1+len(left)+len(fresh)) * slotLen; fileSize(t, dir) != want {
			t.Errorf("cut to %d bytes: %d after adding, want %d", n, fileSize(t, dir), want)
		}
		if t.Failed() {
			t.Fatalf("cut to %d bytes", n)
		}
	}
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

func FuzzScan(f *testing.F) {
	good := image(0, records(1, 3)...)
	flipped := slices.Clone(good)
	flipped[2*slotLen+20] ^= 4
	for _, seed := range [][]byte{nil, good, flipped, good[:100], good[slotLen:], good[:len(good)-1], append(image(1<<62), good...)} {
		f.Add(seed, false)
	}
	f.Add(good[16:], true)
	dir := f.TempDir()
	must(f, os.Chmod(dir, 0o700))
	f.Fuzz(func(t *testing.T, file []byte, sealed bool) {
		if sealed { // sound by their checksums, which chance would not find
			file = append([]byte(magic), file...)
			for i := 0; i+slotLen <= len(file); i += slotLen {
				copy(file[i:], seal(slices.Clone(file[i:i+bodyLen])))
			}
		}
		must(t, os.WriteFile(filepath.Join(dir, FileName), file, 0o600))
		got, damaged := all(t, dir)
		slots := max(0, (len(file)+slotLen-1)/slotLen-1)
		if _, ok := header(append(slices.Clone(file), make([]byte, slotLen)...)); !ok || len(file) < slotLen {
			slots = 0
			if len(got) != 0 || damaged != min(1, len(file)) {
				t.Errorf("no header: got %d records and %d damaged", len(got), damaged)
			}
		} else if len(got)+damaged != slots {
			t.Errorf("got %d records and %d damaged, want %d slots", len(got), damaged, slots)
		}
		next := slotLen
		for _, r := range got {
			b := appendRecord(nil, r)
			for next+slotLen <= len(file) && string(file[next:next+slotLen]) != string(b) {
				next += slotLen
			}
			if next += slotLen; next > len(file) {
				t.Fatalf("%+v is none of the file's records", r)
			}
		}
		add(t, open(t, dir), fresh...)
		damaged -= min(damaged, min(1, len(file)%slotLen)) // the torn end is cut off
		if slots == 0 {
			damaged = 0
		}
		wantRecords(t, dir, slices.Concat(got, fresh), damaged)
	})
}

package zipgen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// decodeFiles makes files of any bytes: for each a mode (4 bytes), a time (8), the
// lengths of name and data (1, 1), and those two.
func decodeFiles(b []byte) []file {
	var files []file
	for len(b) >= 14 {
		f := file{Entry: Entry{
			Mode:    binary.LittleEndian.Uint32(b),
			ModTime: int64(binary.LittleEndian.Uint64(b[4:])),
		}}
		nameLen, size := int(b[12]), int(b[13])
		b = b[14:]
		nameLen = min(nameLen, len(b))
		f.Name, b = string(b[:nameLen]), b[nameLen:]
		size = min(size, len(b))
		f.data, b = string(b[:size]), b[size:]
		f.Size = int64(size)
		files = append(files, f)
	}
	return files
}

func encodeFiles(files ...file) []byte {
	var b []byte
	for _, f := range files {
		b = binary.LittleEndian.AppendUint32(b, f.Mode)
		b = binary.LittleEndian.AppendUint64(b, uint64(f.ModTime))
		b = append(b, byte(len(f.Name)), byte(len(f.data)))
		b = append(append(b, f.Name...), f.data...)
	}
	return b
}

// fuzzOptions makes options of any bits.
func fuzzOptions(bits byte, comment string) Options {
	o := Options{Comment: comment, Owners: bits&1 != 0, NTFSTimes: bits&2 != 0}
	if n := bits >> 2; 0 < n && n <= 9 {
		o.Align = MinAlign / 2 << n
	}
	return o
}

// refused tells whether entries can't be laid out, for a reason that the package
// tells.
func refused(t *testing.T, entries []Entry, o Options) bool {
	t.Helper()
	_, err := New(entries, o)
	if err == nil {
		return false
	}
	for _, known := range []error{ErrName, ErrDuplicate, ErrMode, ErrSize} {
		if errors.Is(err, known) {
			return true
		}
	}
	o.Comment = ""
	if _, err := New(entries, o); err != nil {
		t.Errorf("the comment is not to blame for %v", err)
	}
	return true
}

// FuzzArchive: any entries are refused with an error of the package, or make an
// archive that strictzip and archive/zip read, and any slice of it is the full
// bytes' slice.
func FuzzArchive(f *testing.F) {
	f.Add([]byte(nil), "", byte(0))
	f.Add(encodeFiles(kinds()...), "comment", byte(3))
	f.Add(encodeFiles(regular("b", "data"), regular("a", "PK\x05\x06")), "PK\x05", byte(0))
	f.Add(encodeFiles(regular("PK\x01\x02", "PK\x03\x04")), "PK\x01\x02", byte(1))
	f.Add(encodeFiles(regular("a", ""), regular("a-b", ""), regular("a/b", "")), "", byte(2))
	f.Add(encodeFiles(regular("../a", ""), directory("/"), regular("\xff", "")), "PK\x05\x06", byte(0))
	f.Fuzz(func(t *testing.T, b []byte, comment string, bits byte) {
		files, o := decodeFiles(b), fuzzOptions(bits, comment)
		for i := range files {
			if o.Owners {
				files[i].UID, files[i].GID = uint32(len(b)*7919+i), ^uint32(i)
			}
		}
		if refused(t, entriesOf(files), o) {
			return
		}
		r := layOut(t, o, files...)
		checkFiles(t, r, comment)
		checkExtents(t, r)
		full := readFull(t, r)
		rnd := rand.New(rand.NewPCG(uint64(len(b)), uint64(r.Size())))
		for range 10 {
			off := rnd.Int64N(r.Size())
			n := 1 + rnd.Int64N(r.Size()-off)
			if !bytes.Equal(readRange(t, r, off, n), full[off:off+n]) {
				t.Errorf("%d bytes at %d differ from the full bytes'", n, off)
			}
		}
	})
}

// decodeEntries makes entries of any size of any bytes: for each a kind, a size
// (1, 8 bytes) and a name of one byte.
func decodeEntries(b []byte) (entries []Entry) {
	for ; len(b) >= 10 && len(entries) < 1000; b = b[10:] {
		e := Entry{Name: fmt.Sprintf("%03d%c", len(entries), 'a'+b[9]%26), Mode: mode0644, ModTime: leapDay}
		switch size := binary.LittleEndian.Uint64(b[1:]); b[0] % 8 {
		case 0:
			e.Name, e.Mode = e.Name+"/", mode0755
		case 1:
			e.Mode, e.Size = modeLink, int64(size%1000)
		case 2, 3, 4:
			e.Size = 0xfffffffd + int64(size%4) // around the sentinel
		case 5:
			e.Size = 0xffffffff - int64(size%400) // so that an offset comes there
		default:
			e.Size = int64(size >> (1 + b[9]%63))
		}
		entries = append(entries, e)
	}
	return entries
}

// FuzzSizes: entries of any sizes are refused, or make an archive whose headers
// strictzip and archive/zip read.
func FuzzSizes(f *testing.F) {
	f.Add([]byte("\x020000000000\x010000000000\x000000000000\x020000000000"), byte(0))
	f.Add([]byte("\x050000000000\x080000000000\x0300000000\x7f0"), byte(3))
	f.Add([]byte("\x050000000000\x080000000000\x0300000000\x7f0"), byte(3|9<<2))
	f.Add(bytes.Repeat([]byte("\x0f\x00\x00\x00\x00\x00\x00\x00\x40\x00"), 4), byte(1))
	f.Add(bytes.Repeat([]byte("\x050000000000"), 3), byte(0))
	f.Add([]byte("\x020000000001\x020000000001\x070000000\x022"), byte(5<<2))
	f.Fuzz(func(t *testing.T, b []byte, bits byte) {
		entries, o := decodeEntries(b), fuzzOptions(bits, "")
		if refused(t, entries, o) {
			return
		}
		a, err := New(entries, o)
		if err != nil {
			t.Fatal(err)
		}
		r := a.NewReader(pattern{a})
		check(t, r, entries, patternCRC, "")
		checkExtents(t, r)

		// The same entries deflated, to sizes that follow from the bytes.
		for i, e := range entries {
			if size := e.Size>>(b[10*i]%5) + int64(b[10*i+9]%4); deflatable(e) && size > 0 {
				entries[i].CompressedSize = size
			}
		}
		want, err := New(entries, o)
		got, relayoutErr := a.Deflated(func(i int) int64 { return entries[i].CompressedSize })
		if (err == nil) != (relayoutErr == nil) || err != nil && (!errors.Is(err, ErrSize) || !errors.Is(relayoutErr, ErrSize)) {
			t.Fatalf("laid out at once: %v; anew: %v", err, relayoutErr)
		}
		if err == nil {
			sameArchive(t, got, want)
			r := got.NewReader(pattern{got})
			check(t, r, entries, patternCRC, "")
			checkExtents(t, r)
		}
	})
}

// FuzzReadAt: any slice is the full bytes' slice.
func FuzzReadAt(f *testing.F) {
	r := layOut(f, Options{Comment: "end"}, kinds()...)
	full := readFull(f, r)
	f.Add(int64(0), uint16(0))
	f.Add(int64(0), uint16(len(full)))
	f.Add(int64(len(full)-1), uint16(2))
	f.Add(int64(len(full)), uint16(1))
	f.Add(int64(-1), uint16(1))
	f.Add(int64(1<<63-1), uint16(1<<16-1))
	for x := range r.Extents(0, r.Size()) {
		f.Add(x.Offset-1, uint16(x.Len+2))
	}
	f.Fuzz(func(t *testing.T, off int64, n uint16) {
		got := make([]byte, n)
		k, err := r.ReadAt(got, off)
		if off < 0 {
			if k != 0 || err == nil {
				t.Errorf("got %d, %v; want 0 and an error", k, err)
			}
			return
		}
		want := full[min(off, r.Size()):]
		want = want[:min(len(want), int(n))]
		if !bytes.Equal(got[:k], want) {
			t.Errorf("got % x, want % x", got[:k], want)
		}
		if short := len(want) < int(n); short && err != io.EOF || !short && err != nil {
			t.Errorf("got error %v for %d of %d bytes", err, k, n)
		}
	})
}

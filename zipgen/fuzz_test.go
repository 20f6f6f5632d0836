package zipgen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
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

// FuzzArchive: any entries are refused with an error of the package, or make an
// archive that strictzip and archive/zip read.
func FuzzArchive(f *testing.F) {
	f.Add([]byte(nil), "")
	f.Add(encodeFiles(kinds()...), "comment")
	f.Add(encodeFiles(regular("b", "data"), regular("a", "PK\x05\x06")), "PK\x05")
	f.Add(encodeFiles(regular("PK\x01\x02", "PK\x03\x04")), "PK\x01\x02")
	f.Add(encodeFiles(regular("a", ""), regular("a-b", ""), regular("a/b", "")), "")
	f.Add(encodeFiles(regular("../a", ""), directory("/"), regular("\xff", "")), "PK\x05\x06")
	f.Fuzz(func(t *testing.T, b []byte, comment string) {
		files := decodeFiles(b)
		_, err := New(entriesOf(files), Options{Comment: comment})
		if err != nil {
			for _, known := range []error{ErrName, ErrDuplicate, ErrMode, ErrSize} {
				if errors.Is(err, known) {
					return
				}
			}
			if _, err := New(entriesOf(files), Options{}); err != nil {
				t.Errorf("the comment is not to blame for %v", err)
			}
			return
		}
		r := layOut(t, Options{Comment: comment}, files...)
		checkFiles(t, r, comment)
		checkExtents(t, r)
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

package strictzip

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestCheckData(t *testing.T) {
	t.Parallel()
	a := plain()
	a.entries[inFile].data[3] ^= 1
	if err := parseRaw(t, a).CheckData(); !errors.Is(err, ErrCRC) {
		t.Errorf("changed data: got %v", err)
	}
	a = plain()
	a.entries[inLink].both(func(h *rawHeader) { h.crc++ })
	got := parseRaw(t, a)
	if err := got.CheckData(); !errors.Is(err, ErrCRC) {
		t.Errorf("changed CRC-32: got %v", err)
	}
	if err := got.Entries[inFile].CheckData(got.r); err != nil {
		t.Errorf("another entry: %v", err)
	}
	if err := got.Entries[inFile].CheckData(bytes.NewReader(nil)); !errors.Is(err, ErrTruncated) {
		t.Errorf("no data: got %v", err)
	}
	// More than one buffer of data.
	a = &raw{entries: []*rawEntry{newFile("a", strings.Repeat("0123456789", dataBufferLen/4))}}
	a.layOut()
	if err := parseRaw(t, a).CheckData(); err != nil {
		t.Errorf("long data: %v", err)
	}
}

// failing fails from an offset on.
type failing struct {
	io.ReaderAt
	at int64
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.at {
		return 0, iotest.ErrTimeout
	}
	return f.ReaderAt.ReadAt(p, off)
}

// Reading may fail anywhere, or find less than was promised: that is no verdict
// on the archive, or that it is cut.
func TestReadErrors(t *testing.T) {
	t.Parallel()
	s := plain().render()
	for at := range s.size {
		if _, err := Parse(failing{s, at}, s.size); !errors.Is(err, iotest.ErrTimeout) {
			t.Fatalf("failing at %d: got %v", at, err)
		}
	}
	for _, more := range []int64{1, 100000} {
		if _, err := Parse(s, s.size+more); !errors.Is(err, ErrTruncated) {
			t.Errorf("%d bytes too many promised: got %v", more, err)
		}
	}
	if _, err := Parse(s, -1); !errors.Is(err, ErrTruncated) {
		t.Errorf("size -1: got %v", err)
	}
	stop := errors.New("stop")
	if _, err := Scan(s, s.size, func(Entry) error { return stop }); err != stop {
		t.Errorf("visit's error: got %v", err)
	}
}

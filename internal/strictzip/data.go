package strictzip

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// dataBufferLen bounds what data takes in memory.
const dataBufferLen = 128 << 10

// CheckData reads the data of all entries and compares its CRC-32 with the headers'.
func (a *Archive) CheckData() error {
	buf := make([]byte, dataBufferLen)
	for i := range a.Entries {
		if err := a.Entries[i].checkData(a.r, buf); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
	}
	return nil
}

// CheckData does so for one entry. The reader is the one it was parsed from.
func (e *Entry) CheckData(r io.ReaderAt) error {
	return e.checkData(r, make([]byte, min(dataBufferLen, e.Size)))
}

func (e *Entry) checkData(r io.ReaderAt, buf []byte) error {
	if e.Method == methodDeflate {
		return e.checkDeflated(r, buf)
	}
	sum := crc32.NewIEEE()
	for at, end := e.DataAt, e.DataAt+e.Size; at < end; {
		p := buf[:min(int64(len(buf)), end-at)]
		if err := readFull(r, p, at); err != nil {
			return fmt.Errorf("%q: data: %w", clip(e.Name), err)
		}
		sum.Write(p)
		at += int64(len(p))
	}
	if got := sum.Sum32(); got != e.CRC32 {
		return fmt.Errorf("%q: %w: the data has %08x, the headers say %08x", clip(e.Name), ErrCRC, got, e.CRC32)
	}
	return nil
}

// readFull fills p. That the archive's size promises more than there is makes
// the archive short; other failures are the reader's own.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %d of %d at %d", ErrTruncated, n, len(p), off)
	}
	return fmt.Errorf("reading %d bytes at %d: %w", len(p), off, err)
}

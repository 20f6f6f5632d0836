package strictzip

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

const (
	endLen          = 22 // + comment
	zip64EndLen     = 56
	zip64LocatorLen = 20

	endSignature          = "PK\x05\x06" // 4.3.16
	zip64EndSignature     = "PK\x06\x06" // 4.3.14
	zip64LocatorSignature = "PK\x06\x07" // 4.3.15
)

// readEnd reads the records after the central directory, and says where that
// is: right before them.
func readEnd(r io.ReaderAt, size int64) (*Archive, error) {
	if size < endLen {
		return nil, fmt.Errorf("%w: the archive has %d, an empty one has %d", ErrTruncated, size, endLen)
	}
	tail := make([]byte, min(size, endLen+sentinel16))
	tailAt := size - int64(len(tail))
	if err := readFull(r, tail, tailAt); err != nil {
		return nil, err
	}
	i, err := findEnd(tail)
	if err != nil {
		return nil, err
	}
	a, err := readEndAt(r, tail[i:], tailAt+int64(i))
	if err != nil && anotherEnd(tail, i) {
		return nil, fmt.Errorf("%w: two end records, the second maybe in the comment of the first: %w", ErrEnd, err)
	}
	return a, err
}

// findEnd finds the end record in an archive's last bytes. Readers try the last
// 22 bytes, and then look for the last signature. So with a comment behind it, no
// signature may follow the record's own, be it in the comment or in the numbers
// before it (4.4.26 does not say so); data and names may hold one.
func findEnd(tail []byte) (int, error) {
	at := len(tail) - endLen
	if !bytes.HasPrefix(tail[at:], []byte(endSignature)) || !fits(tail[at:]) {
		at = bytes.LastIndex(tail, []byte(endSignature))
	}
	if at < 0 {
		return 0, fmt.Errorf("%w: there is no end record in the last %d bytes", ErrEnd, len(tail))
	}
	switch b := tail[at:]; {
	case fits(b):
		return at, nil
	case anotherEnd(tail, at):
		return 0, fmt.Errorf("%w: the comment, or what is before it, holds an end signature", ErrEnd)
	case len(b) < endLen || endLen+commentLen(b) > len(b):
		return 0, fmt.Errorf("%w: the end record is cut after %d", ErrTruncated, len(b))
	}
	return 0, fmt.Errorf("%w: the archive goes on after its comment", ErrGap)
}

// anotherEnd looks for an end record before the one that was found.
func anotherEnd(tail []byte, at int) bool {
	for at >= 0 {
		if at = bytes.LastIndex(tail[:at], []byte(endSignature)); at >= 0 && fits(tail[at:]) {
			return true
		}
	}
	return false
}

// fits says whether an end record and its comment end with the archive.
func fits(b []byte) bool { return len(b) >= endLen && endLen+commentLen(b) == len(b) }

func commentLen(b []byte) int { return int(binary.LittleEndian.Uint16(b[20:])) }

// readEndAt reads the end record b that stands at an offset.
func readEndAt(r io.ReaderAt, b []byte, at int64) (*Archive, error) {
	n := numbers(b[4:])
	disk, directoryDisk, here, total := n.u16(), n.u16(), n.u16(), n.u16()
	length, offset := n.u32(), n.u32()
	n.u16() // length of the comment: it fits
	a := &Archive{Count: int64(total), Comment: string(n), DirectoryAt: int64(offset), DirectoryLen: int64(length), r: r}
	if disk != 0 || directoryDisk != 0 {
		return nil, fmt.Errorf("%w: this is number %d, the directory starts on %d", ErrDisk, disk, directoryDisk)
	}
	if here != total {
		return nil, fmt.Errorf("%w: %d entries on this disk, %d in total", ErrEnd, here, total)
	}
	switch countMax, lengthMax, offsetMax := total == sentinel16, length == sentinel32, offset == sentinel32; {
	case countMax && lengthMax && offsetMax:
		a.ZIP64 = true
		var err error
		if at, err = a.readZIP64(at); err != nil {
			return nil, err
		}
	case countMax || lengthMax || offsetMax:
		return nil, fmt.Errorf("%w: only a part is saturated: %#x entries, length %#x, offset %#x", ErrZIP64, total, length, offset)
	}
	return a, a.endsAt(at)
}

// endsAt says whether the directory ends where the end records start.
func (a *Archive) endsAt(at int64) error {
	if a.DirectoryAt > at || a.DirectoryLen > at-a.DirectoryAt {
		return fmt.Errorf("%w: directory at %d, %d bytes long, end records at %d", ErrOverlap, a.DirectoryAt, a.DirectoryLen, at)
	}
	gap := at - a.DirectoryAt - a.DirectoryLen
	if gap == 0 {
		return nil
	}
	if !a.ZIP64 && gap >= zip64LocatorLen {
		b := make([]byte, 4)
		if err := readFull(a.r, b, at-zip64LocatorLen); err == nil && string(b) == zip64LocatorSignature {
			return fmt.Errorf("%w: end records without need", ErrZIP64)
		}
	}
	return fmt.Errorf("%w: %d between the directory and the end records", ErrGap, gap)
}

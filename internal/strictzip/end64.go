package strictzip

import (
	"fmt"
	"math"
)

// readZIP64 reads the ZIP64 end record (4.3.14) and its locator (4.3.15), which
// stand right before the end record. It returns where they start.
func (a *Archive) readZIP64(endAt int64) (int64, error) {
	b := make([]byte, zip64EndLen+zip64LocatorLen)
	at := endAt - int64(len(b))
	if at < 0 {
		return 0, fmt.Errorf("%w: no room for the records that saturated fields call for", ErrZIP64)
	}
	if err := readFull(a.r, b, at); err != nil {
		return 0, err
	}
	record, locator := b[:zip64EndLen], b[zip64EndLen:]
	if err := a.checkLocator(locator, record, at); err != nil {
		return 0, err
	}

	n := numbers(record[4:])
	if rest := n.u64(); rest != zip64EndLen-12 {
		return 0, fmt.Errorf("%w: the end record says that %d bytes follow, not %d", ErrZIP64, rest, zip64EndLen-12)
	}
	if made, needed := n.u16(), n.u16(); made != 0x032d || needed != 45 {
		return 0, fmt.Errorf("%w: the ZIP64 end record is made by %#04x and needs %d", ErrVersion, made, needed)
	}
	if disk, directoryDisk := n.u32(), n.u32(); disk != 0 || directoryDisk != 0 {
		return 0, fmt.Errorf("%w: the ZIP64 end record is on %d, the directory on %d", ErrDisk, disk, directoryDisk)
	}
	here, total, length, offset := n.u64(), n.u64(), n.u64(), n.u64()
	switch {
	case here != total:
		return 0, fmt.Errorf("%w: %d entries on this disk, %d in total", ErrEnd, here, total)
	case total < sentinel16 && length < sentinel32 && offset < sentinel32:
		return 0, fmt.Errorf("%w: end records without need: %d entries, directory of %d bytes at %d", ErrZIP64, total, length, offset)
	case offset > uint64(at) || length > uint64(at):
		return 0, fmt.Errorf("%w: directory at %d, %d bytes long, end records at %d", ErrOverlap, offset, length, at)
	case total > math.MaxInt64:
		return 0, fmt.Errorf("%w: %d entries", ErrEnd, total)
	}
	a.Count, a.DirectoryLen, a.DirectoryAt = int64(total), int64(length), int64(offset)
	return at, nil
}

// checkLocator checks the locator, and that the record is where it says.
func (a *Archive) checkLocator(b, record []byte, at int64) error {
	n := numbers(b)
	if sig := n.bytes(4); string(sig) != zip64LocatorSignature {
		return fmt.Errorf("%w: saturated fields, but % x in the locator's place", ErrZIP64, sig)
	}
	disk, offset, disks := n.u32(), n.u64(), n.u32()
	if disk != 0 || disks != 1 {
		return fmt.Errorf("%w: the locator says disk %d of %d", ErrDisk, disk, disks)
	}
	if string(record[:4]) == zip64EndSignature {
		if offset != uint64(at) {
			return fmt.Errorf("%w: the locator says %d, the end record is at %d", ErrZIP64, offset, at)
		}
		return nil
	}
	if offset < uint64(at) {
		sig := make([]byte, 4)
		if err := readFull(a.r, sig, int64(offset)); err == nil && string(sig) == zip64EndSignature {
			return fmt.Errorf("%w: between the ZIP64 end record and its locator", ErrGap)
		}
	}
	return fmt.Errorf("%w: no ZIP64 end record before its locator", ErrSignature)
}

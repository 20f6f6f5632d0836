package strictzip

import (
	"bytes"
	"fmt"
)

// Header IDs of extra fields (4.5.2, 4.6.1; the last one is Info-ZIP's).
const (
	idZIP64    = 0x0001
	idNTFS     = 0x000a
	idExtended = 0x5455
	idOwner    = 0x7875
	idAlign    = 0xd935 // Android's zipalign

	// Each with its header, ZIP64 with two sizes and an offset; without the padding of
	// local headers.
	maxExtraLen = 4 + 24 + 4 + 32 + 4 + 5 + 4 + 11
)

// extra holds the fields that an extra field (4.5.1) is made of, nil for those
// that it lacks.
type extra struct {
	zip64    numbers
	ntfsTime *uint64
	modTime  *int64
	owner    *Owner
	align    numbers
}

// parseExtra takes an extra field apart: known IDs in ascending order, so that
// ZIP64 comes first and none comes twice.
func parseExtra(b []byte) (x extra, err error) {
	n := numbers(b)
	for last := -1; len(n) > 0; {
		if len(n) < 4 {
			return x, fmt.Errorf("%w: ends with % x", ErrExtra, []byte(n))
		}
		id, length := int(n.u16()), int(n.u16())
		if length > len(n) {
			return x, fmt.Errorf("%w: %#04x of %d bytes, %d are left", ErrExtra, id, length, len(n))
		}
		if id <= last {
			return x, fmt.Errorf("%w: %#04x after %#04x", ErrExtra, id, last)
		}
		last = id
		data := n.bytes(length)
		switch id {
		case idZIP64:
			if len(data) == 0 {
				return x, fmt.Errorf("%w: an empty field", ErrZIP64)
			}
			x.zip64 = data
		case idNTFS:
			x.ntfsTime, err = parseNTFS(data)
		case idExtended:
			x.modTime, err = parseExtended(data)
		case idOwner:
			x.owner, err = parseOwner(data)
		case idAlign:
			x.align = data
		default:
			err = fmt.Errorf("%w: unknown, %#04x", ErrExtra, id)
		}
		if err != nil {
			return x, err
		}
	}
	return x, nil
}

// parseNTFS parses NTFS times (4.5.5): reserved 0, tag 1 of 24 bytes with times
// of modification, access and creation. They are one here.
func parseNTFS(b []byte) (*uint64, error) {
	if len(b) != 32 {
		return nil, fmt.Errorf("%w: NTFS, %d bytes", ErrExtra, len(b))
	}
	n := numbers(b)
	if reserved, tag, size := n.u32(), n.u16(), n.u16(); reserved != 0 || tag != 1 || size != 24 {
		return nil, fmt.Errorf("%w: NTFS, reserved %#x, tag %d, size %d", ErrExtra, reserved, tag, size)
	}
	modified, accessed, created := n.u64(), n.u64(), n.u64()
	if accessed != modified || created != modified {
		return nil, fmt.Errorf("%w: NTFS, modified %d, accessed %d, created %d", ErrTime, modified, accessed, created)
	}
	return &modified, nil
}

// parseExtended parses Info-ZIP's extended timestamp: flags, then the
// modification time alone. Readers disagree about the sign.
func parseExtended(b []byte) (*int64, error) {
	if len(b) != 5 || b[0] != 1 {
		return nil, fmt.Errorf("%w: extended timestamp % x", ErrExtra, b)
	}
	n := numbers(b[1:])
	t := int64(int32(n.u32()))
	if t < 0 {
		return nil, fmt.Errorf("%w: extended timestamp %d", ErrTime, t)
	}
	return &t, nil
}

// checkAlign checks the field that aligns data to start at a multiple of what it says:
// that number, and no more zeros than it takes.
func checkAlign(b numbers, dataAt int64) (align int64, err error) {
	if b == nil {
		return 0, nil
	}
	if len(b) < 2 {
		return 0, fmt.Errorf("%w: alignment, %d bytes", ErrExtra, len(b))
	}
	align = int64(b.u16())
	switch {
	case align < 512 || align > 32<<10 || align&(align-1) != 0:
		return 0, fmt.Errorf("%w: alignment to %d", ErrExtra, align)
	case dataAt%align != 0:
		return 0, fmt.Errorf("%w: alignment to %d, data at %d", ErrExtra, align, dataAt)
	case len(bytes.Trim(b, "\x00")) > 0:
		return 0, fmt.Errorf("%w: alignment, padding of other bytes than zeros", ErrExtra)
	case align < 32<<10 && int64(len(b)) >= align: // 32 KiB may stand for more
		return 0, fmt.Errorf("%w: alignment to %d by %d bytes", ErrExtra, align, len(b))
	}
	return align, nil
}

// parseOwner parses Info-ZIP's "new Unix" field: version 1, then UID and GID,
// each behind its length.
func parseOwner(b []byte) (*Owner, error) {
	if len(b) != 11 || b[0] != 1 || b[1] != 4 || b[6] != 4 {
		return nil, fmt.Errorf("%w: owner % x", ErrExtra, b)
	}
	uid, gid := numbers(b[2:6]), numbers(b[7:])
	return &Owner{UID: uid.u32(), GID: gid.u32()}, nil
}

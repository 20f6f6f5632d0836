package strictzip

import (
	"fmt"
	"io"
)

// Archive is what an archive's headers tell. Offsets count from its first byte.
type Archive struct {
	Entries     []Entry // in the directory's order; none after Scan
	Count       int64   // of entries
	Comment     string
	ZIP64       bool // it has ZIP64 end records
	DirectoryAt int64
	// DirectoryLen counts the central headers' bytes, end records apart.
	DirectoryLen int64

	r io.ReaderAt
}

// Entry is what both headers of an entry tell; they agree.
type Entry struct {
	Name                               string
	MadeBy, Needed, Flags, Clock, Date uint16
	Method                             uint16 // 0 stored, 8 deflated
	CRC32, ExternalAttributes          uint32 // CRC32 of what the data holds, uncompressed

	Size           int64 // of what the data holds
	CompressedSize int64 // of the data; the same where it is stored
	HeaderAt       int64 // of the local header
	DataAt         int64
	CentralAt      int64

	ModTime  *int64  // extended timestamp: seconds since 1970-01-01 UTC
	NTFSTime *uint64 // NTFS: 100 ns since 1601-01-01 UTC, for all three times
	Owner    *Owner
	Align    int64 // of the data, in bytes, by padding; 0 without

	// Lengths of the ZIP64 extra field's data, 0 without the field.
	LocalZIP64, CentralZIP64 int
}

// Owner is the content of Info-ZIP's extra field 0x7875.
type Owner struct{ UID, GID uint32 }

// Parse reads all headers of an archive, and none of its data.
func Parse(r io.ReaderAt, size int64) (*Archive, error) {
	var entries []Entry
	a, err := Scan(r, size, func(e Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.Entries = entries
	return a, nil
}

// Scan is Parse for directories larger than memory: it gives every entry to
// visit and keeps none. An error of visit ends it and is returned.
func Scan(r io.ReaderAt, size int64, visit func(Entry) error) (*Archive, error) {
	a, err := readEnd(r, size)
	if err != nil {
		return nil, fmt.Errorf("end records: %w", err)
	}
	d := newDirectory(r, a.DirectoryAt, a.DirectoryLen)
	var names order
	at := int64(0) // where the next local header has to be
	for i := range a.Count {
		e, h, err := d.next()
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		if err := names.add(e.Name); err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		if err := follows(e.HeaderAt, at); err != nil {
			return nil, fmt.Errorf("entry %d, %q: local header: %w", i, clip(e.Name), err)
		}
		if err := readLocal(r, &e, h, a.DirectoryAt); err != nil {
			return nil, fmt.Errorf("entry %d, %q: local header: %w", i, clip(e.Name), err)
		}
		at = e.DataAt + e.CompressedSize
		if err := visit(e); err != nil {
			return nil, err
		}
	}
	if err := d.close(); err != nil {
		return nil, fmt.Errorf("after %d entries: %w", a.Count, err)
	}
	if err := follows(a.DirectoryAt, at); err != nil {
		return nil, fmt.Errorf("central directory: %w", err)
	}
	return a, nil
}

// follows says whether a record starts where the one before it ends.
func follows(at, end int64) error {
	switch {
	case at > end:
		return fmt.Errorf("%w: it starts at %d, what is before it ends at %d", ErrGap, at, end)
	case at < end:
		return fmt.Errorf("%w: it starts at %d, what is before it ends at %d", ErrOverlap, at, end)
	}
	return nil
}

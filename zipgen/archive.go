package zipgen

import (
	"encoding/binary"
	"iter"
)

// Options are an archive's own settings.
type Options struct {
	// Comment is the archive comment (4.4.26), at most [MaxNameLen] bytes.
	Comment string
	// Owners stores the entries' user and group IDs (0x7875).
	Owners bool
	// NTFSTimes stores the times that an extended timestamp can't tell, from
	// 1601 on, as NTFS times (4.5.5).
	NTFSTimes bool
	// Align has the data of each file of at least so many bytes start at a multiple of
	// them, by a padding field (0xd935) in its local header: a power of two from
	// [MinAlign] to [MaxAlign], or 0. Up to 32 KiB that holds for all such files. A
	// field has no room for more in all cases: then the largest power of two that it
	// can reach counts, at least 32 KiB.
	Align int64
}

// The bounds of [Options.Align], in bytes.
const (
	MinAlign = 512
	MaxAlign = 128 << 10
)

// columns are what an archive keeps of its entries, beside their names.
type columns struct {
	offset, size, modTime, mode Column // see record
	central                     Column // where central headers are, from the directory's start
	packed                      Column // what the compressed size is beyond the size, wrapping
	uid, gid                    Column // with Options.Owners
}

func (c *columns) add(r *record, central uint64) {
	c.offset.Add(r.offset)
	c.central.Add(central)
	c.size.Add(r.size)
	c.packed.Add(r.packed - r.size)
	c.modTime.Add(uint64(r.modTime))
	c.mode.Add(uint64(r.mode))
}

func (c *columns) seal() {
	for _, c := range []*Column{&c.offset, &c.central, &c.size, &c.packed, &c.modTime, &c.mode, &c.uid, &c.gid} {
		c.Seal()
	}
}

// record returns what is kept of entry i, without where its central header is.
func (c *columns) record(i int) record {
	k, j := i/runLen, i%runLen
	r := record{
		offset: c.offset.runs[k].at(j), size: c.size.runs[k].at(j),
		modTime: int64(c.modTime.runs[k].at(j)), mode: uint32(c.mode.runs[k].at(j)),
	}
	if r.packed = r.size; r.mode&deflated != 0 {
		r.packed += c.packed.runs[k].at(j)
	}
	return r
}

// owner returns entry i's owner; the zero one where none are stored.
func (c *columns) owner(i int) owner {
	if len(c.uid.runs) == 0 {
		return owner{}
	}
	return owner{uint32(c.uid.At(i)), uint32(c.gid.At(i))}
}

type owner struct{ uid, gid uint32 }

// Archive is the layout of one ZIP file: immutable, and safe for any number of
// goroutines. It takes some 10 to 20 bytes an entry beside its name: what numbers
// of neighbours have in common is kept once, and so is the name of their folder.
type Archive struct {
	columns
	names        names
	count        int
	directoryAt  uint64
	directoryLen uint64
	end          []byte // the records after the directory, with the comment
}

// Len returns the number of entries.
func (a *Archive) Len() int { return a.count }

// Size returns the archive's length in bytes.
func (a *Archive) Size() int64 {
	return int64(a.directoryAt+a.directoryLen) + int64(len(a.end))
}

// Comment returns the archive comment.
func (a *Archive) Comment() string {
	fixed := endLen
	if a.ZIP64() {
		fixed += zip64EndLen + zip64LocatorLen
	}
	return string(a.end[fixed:])
}

// ZIP64 tells whether the archive has ZIP64 records: end records always, and
// fields where an entry needs one.
func (a *Archive) ZIP64() bool { return binary.LittleEndian.Uint32(a.end) == zip64EndSignature }

// Directory returns where the central directory starts and its length in bytes.
func (a *Archive) Directory() (offset, length int64) {
	return int64(a.directoryAt), int64(a.directoryLen)
}

// Entry returns entry i, 0 <= i < Len().
func (a *Archive) Entry(i int) Entry {
	r, o := a.record(i), a.owner(i)
	e := Entry{
		Name: a.names.at(i).String(), Mode: r.mode & (TypeMask | PermMask), Size: int64(r.size), ModTime: r.modTime,
		UID: o.uid, GID: o.gid,
	}
	if r.mode&deflated != 0 {
		e.CompressedSize = int64(r.packed)
	}
	return e
}

// EntryName returns the name of entry i.
func (a *Archive) EntryName(i int) string { return a.names.at(i).String() }

// AppendEntryName appends the name of entry i to b.
func (a *Archive) AppendEntryName(b []byte, i int) []byte {
	n := a.names.at(i)
	return append(append(b, n.folder...), n.own...)
}

// EntrySize returns the size of entry i's data, inflated.
func (a *Archive) EntrySize(i int) int64 { return int64(a.size.At(i)) }

// EntryCompressedSize returns how many bytes entry i's data has in the archive, and
// whether it is deflated.
func (a *Archive) EntryCompressedSize(i int) (size int64, isDeflated bool) {
	r := a.record(i)
	return int64(r.packed), r.mode&deflated != 0
}

// HasDeflated tells whether any entry is deflated.
func (a *Archive) HasDeflated() bool {
	for i := range a.count {
		if uint32(a.mode.At(i))&deflated != 0 {
			return true
		}
	}
	return false
}

// EntryModTime returns the modification time of entry i.
func (a *Archive) EntryModTime(i int) int64 { return int64(a.modTime.At(i)) }

// HeaderOffset returns where entry i's local header starts in the archive.
func (a *Archive) HeaderOffset(i int) int64 { return int64(a.offset.At(i)) }

// DataOffset returns where entry i's data starts in the archive.
func (a *Archive) DataOffset(i int) int64 {
	var c cursor
	c.enter(a, LocalHeader, i)
	return c.Offset + c.Len
}

// Find returns the index of the entry with this name; where there is none, that of the
// first one behind it, Len() at the end.
func (a *Archive) Find(name string) (int, bool) { return a.names.find(name, a.count) }

// Kind tells where an extent's bytes come from.
type Kind uint8

const (
	// LocalHeader is an entry's local file header with name and extra field.
	LocalHeader Kind = iota
	// Data is an entry's data.
	Data
	// CentralHeader is an entry's file header in the central directory.
	CentralHeader
	// End is all records after the directory, with the archive comment.
	End
)

// Extent is a run of archive bytes with one origin.
type Extent struct {
	Kind   Kind
	Entry  int   // index of the entry; Len() for End
	Offset int64 // of the first byte in the archive
	Len    int64 // in bytes, never 0
}

// Extent returns the extent that holds byte off, 0 <= off < Size(), in
// O(log Len()).
func (a *Archive) Extent(off int64) Extent {
	c := a.seek(off)
	return c.Extent
}

// cursor is an extent, with what is kept of its entry.
type cursor struct {
	Extent
	record record
	name   name
}

// seek returns the extent that holds byte off.
func (a *Archive) seek(off int64) (c cursor) {
	switch dir := off - int64(a.directoryAt); {
	case dir >= int64(a.directoryLen):
		c.toEnd(a)
	case dir >= 0:
		c.enter(a, CentralHeader, a.central.last(uint64(dir), a.count))
	default:
		if c.enter(a, LocalHeader, a.offset.last(uint64(off), a.count)); off >= c.Offset+c.Len {
			c.toData()
		}
	}
	return c
}

// enter goes to a header of entry i.
func (c *cursor) enter(a *Archive, k Kind, i int) {
	c.record, c.name = a.record(i), a.names.at(i)
	if k == LocalHeader {
		c.Extent = Extent{Kind: k, Entry: i, Offset: int64(c.record.offset), Len: int64(c.record.localLen(c.name.len()))}
	} else {
		c.Extent = Extent{Kind: k, Entry: i, Offset: int64(a.directoryAt + a.central.At(i)), Len: int64(c.record.centralLen(c.name.len()))}
	}
}

// toData goes from an entry's local header to its data.
func (c *cursor) toData() {
	c.Extent = Extent{Kind: Data, Entry: c.Entry, Offset: c.Offset + c.Len, Len: int64(c.record.packed)}
}

func (c *cursor) toEnd(a *Archive) {
	c.Extent = Extent{Kind: End, Entry: a.count, Offset: int64(a.directoryAt + a.directoryLen), Len: int64(len(a.end))}
}

// next goes to the extent that follows, from any but End, in O(1).
func (c *cursor) next(a *Archive) {
	switch {
	case c.Kind == LocalHeader && c.record.packed > 0:
		c.toData()
	case c.Entry+1 < a.count && c.Kind == CentralHeader:
		c.enter(a, CentralHeader, c.Entry+1)
	case c.Entry+1 < a.count:
		c.enter(a, LocalHeader, c.Entry+1)
	case c.Kind != CentralHeader:
		c.enter(a, CentralHeader, 0)
	default:
		c.toEnd(a)
	}
}

// Extents yields the extents of the n bytes from off on, in order; the first and
// the last may reach outside of them.
func (a *Archive) Extents(off, n int64) iter.Seq[Extent] {
	return func(yield func(Extent) bool) {
		if off < 0 || off >= a.Size() || n <= 0 {
			return
		}
		stop := off + min(n, a.Size()-off)
		for c := a.seek(off); yield(c.Extent) && c.Offset+c.Len < stop; {
			c.next(a)
		}
	}
}

package zipgen

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"
	"strings"
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
}

// blockLen is the number of entries a block holds. Blocks are filled once and
// never grow after, so building needs no spare memory for doubling slices.
const blockLen = 4096

// block is a run of entries: records without pointers, and their names end to end.
type block struct {
	records []record
	owners  []owner // with Options.Owners, one for each record
	names   []byte
}

type owner struct{ uid, gid uint32 }

// owner returns entry i's owner; the zero one where none are stored.
func (b *block) owner(i int) owner {
	if i < len(b.owners) {
		return b.owners[i]
	}
	return owner{}
}

func (b *block) name(i int) []byte {
	if i+1 < len(b.records) {
		return b.names[b.records[i].name:b.records[i+1].name]
	}
	return b.names[b.records[i].name:]
}

// Builder collects entries in order. The zero Builder is ready for use, with the
// zero Options.
type Builder struct {
	options  Options
	blocks   []block
	count    int
	at       uint64 // where the next local header goes
	lastSize uint64 // of the entry that was added last
	dir      uint64 // length of the central directory so far
	last     string
}

// NewBuilder returns a builder of an archive with these options.
func NewBuilder(o Options) *Builder { return &Builder{options: o} }

// Add appends an entry. Names must come in ascending bytewise order, with
// directories' trailing slash; the error wraps one of the sentinels of this
// package and leaves the builder as it was.
func (b *Builder) Add(e Entry) error {
	if err := e.check(); err != nil {
		return err
	}
	if b.count > 0 && e.Name <= b.last {
		if e.Name == b.last {
			return fmt.Errorf("%q: %w", clip(e.Name), ErrDuplicate)
		}
		return fmt.Errorf("%q after %q: %w", clip(e.Name), clip(b.last), ErrOrder)
	}
	if parent, ok := b.fileAbove(e.Name); ok {
		return fmt.Errorf("%q is a file, and %q needs it as a directory: %w", clip(parent), clip(e.Name), ErrDuplicate)
	}
	r := record{offset: b.at, central: b.dir, size: uint64(e.Size), modTime: e.ModTime, mode: e.Mode}
	if b.options.Owners {
		r.mode |= hasOwner
	}
	if b.lastSize == uint32max {
		r.mode |= wideSizes
	}
	if b.options.NTFSTimes && !fitsExtendedTimestamp(e.ModTime) && fitsNTFSTime(e.ModTime) {
		r.mode |= hasNTFSTime
	}
	local, central := r.lens(len(e.Name))
	at, dir := b.at+uint64(local)+r.size, b.dir+uint64(central)
	// What is left over room for end records with the longest comment.
	if at+dir > math.MaxInt64-1<<20 {
		return fmt.Errorf("%q: %w: the archive would pass 2^63-1 bytes", clip(e.Name), ErrSize)
	}

	if b.count%blockLen == 0 {
		b.seal()
		b.blocks = append(b.blocks, block{records: make([]record, 0, 64)})
	}
	blk := &b.blocks[len(b.blocks)-1]
	r.name = uint32(len(blk.names))
	blk.names = append(blk.names, e.Name...)
	blk.records = append(blk.records, r)
	if b.options.Owners {
		blk.owners = append(blk.owners, owner{e.UID, e.GID})
	}
	b.at, b.dir, b.last, b.lastSize = at, dir, e.Name, r.size
	b.count++
	return nil
}

// seal gives the newest block its final size.
func (b *Builder) seal() {
	if len(b.blocks) > 0 {
		blk := &b.blocks[len(b.blocks)-1]
		blk.names, blk.records = slices.Clip(bytes.Clone(blk.names)), slices.Clip(slices.Clone(blk.records))
		blk.owners = slices.Clip(slices.Clone(blk.owners))
	}
}

// fileAbove looks for a file among name's parents. Parents shared with the
// entry before were looked for then.
func (b *Builder) fileAbove(name string) (string, bool) {
	shared := 0
	for shared < len(name) && shared < len(b.last) && name[shared] == b.last[shared] {
		shared++
	}
	for i := strings.LastIndexByte(name[:shared], '/') + 1; ; i++ {
		n := strings.IndexByte(name[i:], '/')
		if n < 0 {
			return "", false
		}
		i += n
		if _, ok := (&Archive{blocks: b.blocks}).Find(name[:i]); ok {
			return name[:i], true
		}
	}
}

// Archive returns the finished layout. The builder must not be used after.
func (b *Builder) Archive() (*Archive, error) {
	comment := b.options.Comment
	if len(comment) > MaxNameLen {
		return nil, fmt.Errorf("the comment has %d bytes, at most %d fit", len(comment), MaxNameLen)
	}
	e := end{count: uint64(b.count), directory: b.dir, directoryAt: b.at, comment: comment}
	records := e.append(nil)
	// A reader looks for this signature from the end. With a comment behind them,
	// the bytes of the fixed part may make another one, or the start of one.
	fixed := len(records) - endLen - len(comment)
	if comment != "" && bytes.Contains(records[fixed+1:], []byte("PK\x05\x06")) {
		return nil, fmt.Errorf("the comment, with the fields before it, holds the signature of an end record")
	}
	b.seal()
	return &Archive{blocks: b.blocks, count: b.count, directoryAt: b.at, directoryLen: b.dir, end: records}, nil
}

// New lays out an archive of entries in any order. The slice is left as it is.
func New(entries []Entry, o Options) (*Archive, error) {
	sorted := slices.SortedFunc(slices.Values(entries), func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	b := NewBuilder(o)
	for _, e := range sorted {
		if err := b.Add(e); err != nil {
			return nil, err
		}
	}
	return b.Archive()
}

// Archive is the layout of one ZIP file: immutable, and safe for any number of
// goroutines. It takes 40 bytes an entry, 8 more with an owner, and the bytes of
// its name.
type Archive struct {
	blocks       []block
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

func (a *Archive) at(i int) (*record, []byte) {
	b := &a.blocks[i/blockLen]
	return &b.records[i%blockLen], b.name(i % blockLen)
}

// Entry returns entry i, 0 <= i < Len().
func (a *Archive) Entry(i int) Entry {
	r, name := a.at(i)
	o := a.blocks[i/blockLen].owner(i % blockLen)
	return Entry{
		Name: string(name), Mode: r.mode & (TypeMask | PermMask), Size: int64(r.size), ModTime: r.modTime,
		UID: o.uid, GID: o.gid,
	}
}

// EntrySize returns the size of entry i's data without making its name.
func (a *Archive) EntrySize(i int) int64 {
	r, _ := a.at(i)
	return int64(r.size)
}

// HeaderOffset returns where entry i's local header starts in the archive.
func (a *Archive) HeaderOffset(i int) int64 {
	r, _ := a.at(i)
	return int64(r.offset)
}

// DataOffset returns where entry i's data starts in the archive.
func (a *Archive) DataOffset(i int) int64 {
	r, name := a.at(i)
	local, _ := r.lens(len(name))
	return int64(r.offset) + int64(local)
}

// Find returns the index of the entry with this name.
func (a *Archive) Find(name string) (int, bool) {
	i := a.search(func(_ *record, n []byte) bool { return string(n) > name }) - 1
	if i < 0 {
		return 0, false
	}
	_, n := a.at(i)
	return i, string(n) == name
}

// search returns the first entry for which past is true, as sort.Search does.
func (a *Archive) search(past func(r *record, name []byte) bool) int {
	// The first entries of the blocks lie far apart: find the block, then look inside.
	k := sort.Search(len(a.blocks), func(k int) bool {
		return past(&a.blocks[k].records[0], a.blocks[k].name(0))
	}) - 1
	if k < 0 {
		return 0
	}
	b := &a.blocks[k]
	return k*blockLen + sort.Search(len(b.records), func(i int) bool {
		return past(&b.records[i], b.name(i))
	})
}

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
	switch dir := off - int64(a.directoryAt); {
	case dir >= int64(a.directoryLen):
		return a.endExtent()
	case dir >= 0:
		i := a.search(func(r *record, _ []byte) bool { return int64(r.central) > dir }) - 1
		return a.extent(CentralHeader, i)
	}
	i := a.search(func(r *record, _ []byte) bool { return int64(r.offset) > off }) - 1
	if x := a.extent(LocalHeader, i); off < x.Offset+x.Len {
		return x
	}
	return a.extent(Data, i)
}

func (a *Archive) endExtent() Extent {
	return Extent{Kind: End, Entry: a.count, Offset: int64(a.directoryAt + a.directoryLen), Len: int64(len(a.end))}
}

func (a *Archive) extent(k Kind, i int) Extent {
	r, name := a.at(i)
	local, central := r.lens(len(name))
	switch k {
	case LocalHeader:
		return Extent{Kind: k, Entry: i, Offset: int64(r.offset), Len: int64(local)}
	case Data:
		return Extent{Kind: k, Entry: i, Offset: int64(r.offset) + int64(local), Len: int64(r.size)}
	}
	return Extent{Kind: k, Entry: i, Offset: int64(a.directoryAt + r.central), Len: int64(central)}
}

// next returns the extent after x, which must not be End, in O(1).
func (a *Archive) next(x Extent) Extent {
	switch {
	case x.Kind == LocalHeader && a.EntrySize(x.Entry) > 0:
		return a.extent(Data, x.Entry)
	case x.Entry+1 < a.count && x.Kind == CentralHeader:
		return a.extent(CentralHeader, x.Entry+1)
	case x.Entry+1 < a.count:
		return a.extent(LocalHeader, x.Entry+1)
	case x.Kind != CentralHeader:
		return a.extent(CentralHeader, 0)
	}
	return a.endExtent()
}

// Extents yields the extents of the n bytes from off on, in order; the first and
// the last may reach outside of them.
func (a *Archive) Extents(off, n int64) iter.Seq[Extent] {
	return func(yield func(Extent) bool) {
		if off < 0 || off >= a.Size() || n <= 0 {
			return
		}
		stop := off + min(n, a.Size()-off)
		for x := a.Extent(off); yield(x) && x.Offset+x.Len < stop; {
			x = a.next(x)
		}
	}
}

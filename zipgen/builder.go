package zipgen

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// Builder collects entries in order. The zero Builder is ready for use, with the
// zero Options.
type Builder struct {
	options Options
	columns columns
	names   namesBuilder
	count   int
	end     edge
	// files are the lengths of the names of files that the last name starts with, or is.
	files []int
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
	last := b.names.last
	if b.count > 0 && e.Name <= last {
		if e.Name == last {
			return fmt.Errorf("%q: %w", clip(e.Name), ErrDuplicate)
		}
		return fmt.Errorf("%q after %q: %w", clip(e.Name), clip(last), ErrOrder)
	}
	shared := sharedLen(e.Name, last)
	if parent, ok := b.fileAbove(e.Name, shared); ok {
		return fmt.Errorf("%q is a file, and %q needs it as a directory: %w", clip(parent), clip(e.Name), ErrDuplicate)
	}
	r := record{size: uint64(e.Size), packed: uint64(e.Size), modTime: e.ModTime, mode: e.Mode}
	if b.options.Owners {
		r.mode |= hasOwner
	}
	if b.options.NTFSTimes && !fitsExtendedTimestamp(e.ModTime) && fitsNTFSTime(e.ModTime) {
		r.mode |= hasNTFSTime
	}
	if align := b.options.Align; align > 0 && e.Size >= align && e.Mode&TypeMask == TypeFile {
		r.mode |= uint32(bits.TrailingZeros64(uint64(align))) << alignAt
	}
	if needsUTF8(e.Name) {
		r.mode |= utf8Name
	}
	if e.CompressedSize > 0 {
		r.deflate(uint64(e.CompressedSize))
	}
	central := b.end.dir
	if !b.end.add(&r, len(e.Name)) {
		return fmt.Errorf("%q: %w: %s", clip(e.Name), ErrSize, tooLarge)
	}
	b.names.add(e.Name, shared)
	b.columns.add(&r, central)
	if b.options.Owners {
		b.columns.uid.Add(uint64(e.UID))
		b.columns.gid.Add(uint64(e.GID))
	}
	for len(b.files) > 0 && b.files[len(b.files)-1] > shared {
		b.files = b.files[:len(b.files)-1]
	}
	if !r.isDir() {
		b.files = append(b.files, len(e.Name))
	}
	b.count++
	return nil
}

// sharedLen returns how many bytes a and b start with in common.
func sharedLen(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// fileAbove looks for a file among name's parents. In bytewise order all names that
// start with a file's follow it, so that the last name has it in common with name;
// where it has the next byte as well it was refused itself.
func (b *Builder) fileAbove(name string, shared int) (string, bool) {
	_, is := slices.BinarySearch(b.files, shared)
	return name[:shared], is && name[shared] == '/'
}

// Archive returns the finished layout. The builder must not be used after.
func (b *Builder) Archive() (*Archive, error) {
	if a := b.options.Align; a != 0 && (a < MinAlign || a > MaxAlign || a&(a-1) != 0) {
		return nil, fmt.Errorf("an alignment of %d bytes is no power of two from %d to %d", a, MinAlign, MaxAlign)
	}
	if comment := b.options.Comment; len(comment) > MaxNameLen {
		return nil, fmt.Errorf("the comment has %d bytes, at most %d fit", len(comment), MaxNameLen)
	}
	b.columns.seal()
	return b.end.archive(b.columns, b.names.finish(), b.count, b.options.Comment)
}

// edge is where what was laid out ends.
type edge struct {
	at   uint64 // where the next local header goes
	dir  uint64 // length of the central directory
	wide bool   // the last entry makes the next one have wideSizes
}

// add gives a record its place behind the others, unless the archive would be too large.
func (e *edge) add(r *record, nameLen int) bool {
	r.offset = e.at
	if r.mode &^= wideSizes; e.wide {
		r.mode |= wideSizes
	}
	at, dir := e.at+uint64(r.localLen(nameLen))+r.packed, e.dir+uint64(r.centralLen(nameLen))
	// What is left over room for end records with the longest comment.
	if at+dir > math.MaxInt64-1<<20 {
		return false
	}
	*e = edge{at, dir, r.size == uint32max || r.packed == uint32max}
	return true
}

const tooLarge = "the archive would pass 2^63-1 bytes"

// archive ends an archive of that many entries.
func (e *edge) archive(c columns, n names, count int, comment string) (*Archive, error) {
	end := end{count: uint64(count), directory: e.dir, directoryAt: e.at, comment: comment}
	records := end.append(nil)
	// A reader looks for this signature from the end. With a comment behind them,
	// the bytes of the fixed part may make another one, or the start of one.
	fixed := len(records) - endLen - len(comment)
	if comment != "" && bytes.Contains(records[fixed+1:], []byte("PK\x05\x06")) {
		return nil, fmt.Errorf("the comment, with the fields before it, holds the signature of an end record")
	}
	return &Archive{columns: c, names: n, count: count, directoryAt: e.at, directoryLen: e.dir, end: records}, nil
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

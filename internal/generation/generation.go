// Package generation joins what a layout's plans lack to be read: the CRC-32 of
// every entry, and the open sources. A generation is what a mount shows: for as
// long as it lives its archives have one size, one inode number, one content.
//
// In scope: CRCs of all archives with each file read once, reads that fail
// rather than give another generation's bytes. Out of scope: FUSE, ZIP records.
package generation

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/crc32"
	"golang.org/x/sys/unix"

	"vzip/internal/oneline"
	"vzip/internal/source"
	"vzip/layout"
	"vzip/zipgen"
)

// Generation is a set of archives with one state of their sources.
type Generation struct {
	Archives []*Archive

	files  []file   // of all archives, equal ones together
	groups []uint32 // where each run of equal files starts in files

	set *source.Set
	// report takes each entry's read error once.
	report   func(error)
	mu       sync.Mutex
	reported map[uint64]string
}

// file names an entry of an archive.
type file struct{ archive, entry uint32 }

// maxOpen is how many sources are kept open between reads.
const maxOpen = 256

// New returns the generation of plans, without CRCs yet. report takes the error
// of each source that can't be read, once; it may be nil.
func New(plans []*layout.Plan, report func(error)) *Generation {
	g := &Generation{set: source.NewSet(maxOpen), report: report, reported: map[uint64]string{}}
	for i, p := range plans {
		a := &Archive{Plan: p, g: g, index: i, crcs: make([]uint32, p.Len()), known: make([]bool, p.Len())}
		a.reader = p.NewReader(a)
		g.Archives = append(g.Archives, a)
		for j := range p.Len() {
			// Empty files are read as well: those of /proc say that they are empty.
			if !p.IsFile(j) {
				a.crcs[j], a.known[j] = crc32.ChecksumIEEE([]byte(p.Link(j))), true
			}
		}
	}
	g.group()
	return g
}

// Close closes the sources. Nothing may be read after it.
func (g *Generation) Close() { g.set.Close() }

// Source implements [source.Index].
func (g *Generation) Source(key uint64) (source.Ref, source.Identity, uint64) {
	a, i := g.Archives[key>>entryBits], int(key&(1<<entryBits-1))
	ref, root := a.Plan.Source(i)
	return ref, a.Identity(i), uint64(root)
}

// entryBits is how many bits of a source's key number the entry.
const entryBits = 40

// Archive is one virtual ZIP file. It is an [io.ReaderAt], safe for any number of
// goroutines.
type Archive struct {
	*layout.Plan
	g      *Generation
	index  int
	reader *zipgen.Reader
	crcs   []uint32
	known  []bool
}

// ReadAt reads the archive's bytes: all of p, or up to the end with io.EOF, or an
// error. The error wraps ESTALE where a source is no longer what it was.
func (a *Archive) ReadAt(p []byte, off int64) (int, error) { return a.reader.ReadAt(p, off) }

var errUnknownCRC = errors.New("its CRC-32 is not worked out yet")

// CRC32 implements [zipgen.Content].
func (a *Archive) CRC32(i int) (uint32, error) {
	if !a.known[i] {
		return 0, errUnknownCRC
	}
	return a.crcs[i], nil
}

// KnownCRC returns entry i's CRC-32 if it is known.
func (a *Archive) KnownCRC(i int) (crc uint32, ok bool) { return a.crcs[i], a.known[i] }

// ReadEntryAt implements [zipgen.Content].
func (a *Archive) ReadEntryAt(i int, p []byte, off int64) error {
	if !a.IsFile(i) {
		copy(p, a.Link(i)[off:])
		return nil
	}
	key := uint64(a.index)<<entryBits | uint64(i)
	if err := a.g.set.ReadFull(a.g, key, a.Identity(i), p, off); err != nil {
		a.g.reportOnce(key, err)
		return &SourceError{err}
	}
	return nil
}

// SourceError is the failure to read a source.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return oneline.Text(e.Err.Error()) }

// Unwrap returns what went wrong.
func (e *SourceError) Unwrap() error { return e.Err }

// reportOnce tells an entry's error, and tells it again only when it is another.
func (g *Generation) reportOnce(key uint64, err error) {
	if g.report == nil {
		return
	}
	text := err.Error()
	if errno := unix.Errno(0); errors.As(err, &errno) {
		text = errno.Error() // without the offset, which is another at each read
	}
	g.mu.Lock()
	seen := g.reported[key] == text
	g.reported[key] = text
	g.mu.Unlock()
	if !seen {
		a, i := g.Archives[key>>entryBits], int(key&(1<<entryBits-1))
		hint := ""
		if errors.Is(err, unix.ESTALE) {
			hint = ": it can't be read until the archive is mounted again"
		}
		g.report(fmt.Errorf("archive %s, entry %q: %w%s", a.Name, a.Entry(i).Name, &SourceError{err}, hint))
	}
}

// Inode returns an inode number for the archive's content at its name: equal on
// every machine and at every run, another when a byte of it changes. CRCs must be
// known.
func (a *Archive) Inode() (uint64, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00", a.Name)
	dir, _ := a.Directory()
	// Names, sizes and CRCs all stand in the directory.
	if _, err := io.Copy(h, io.NewSectionReader(a, dir, a.Size()-dir)); err != nil {
		return 0, err
	}
	ino := binary.LittleEndian.Uint64(h.Sum(nil)) >> 1 // go-fuse gives itself numbers with the top bit set
	return max(ino, 2), nil                            // 1 is the mount's root
}

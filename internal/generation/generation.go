// Package generation joins what a layout's plans lack to be read: the CRC-32 of
// every entry, and the open sources. A generation is what a mount shows: for as
// long as it lives its archives have one size, one inode number, one content.
//
// In scope: CRCs of all archives with each file read once, reads that fail
// rather than give another generation's bytes. Out of scope: FUSE, ZIP records.
package generation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/klauspost/crc32"
	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/crccache"
	"vzip/internal/manifest"
	"vzip/internal/oneline"
	"vzip/internal/seeded"
	"vzip/internal/snapshot"
	"vzip/internal/source"
	"vzip/internal/spool"
	"vzip/internal/verified"
	"vzip/layout"
)

// Generation is a set of archives with one state of their sources.
type Generation struct {
	Archives []*Archive

	files  []file   // of all archives, equal ones together
	groups []uint32 // where each run of equal files starts in files

	// packed is what was worked out of groups of files that are deflated, until the
	// archives are laid out for it; nil where none is.
	packed [][]checksum.Packed

	reader *verified.Reader
	cache  *crccache.Cache  // nil: remember nothing
	clones *snapshot.Clones // of archives with snapshot; nil: none
	// report takes each entry's read error once.
	report   func(error)
	mu       sync.Mutex
	reported map[uint64]string
	leases   map[*Lease]struct{}

	early   bool                    // published before all CRCs are known
	hashing atomic.Pointer[hashing] // what works out those that are not known; nil if all are

	sums   sums
	read   atomic.Int64 // when a Lease was read last, in nanoseconds since 1970
	drifts drifts
	users  atomic.Int64
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
}

// file names an entry of an archive.
type file struct{ archive, entry uint32 }

// New returns the generation of plans, without CRCs yet. It is read with reader;
// report takes the error of each source that can't be read, once, and may be nil.
func New(plans []*layout.Plan, reader *verified.Reader, report func(error)) *Generation {
	g := &Generation{reader: reader, report: report, reported: map[uint64]string{}, leases: map[*Lease]struct{}{}}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.users.Store(1)
	for i, p := range plans {
		a := &Archive{Plan: p, g: g, index: i, crcs: make([]uint32, p.Len()), known: newFlags(p.Len())}
		if p.Sidecars().SHA256 {
			a.digest = &digest{}
		}
		g.Archives = append(g.Archives, a)
		for j := range p.Len() {
			a.data += p.EntrySize(j)
			// Empty files are read as well: those of /proc say that they are empty.
			if p.IsFile(j) {
				a.left.add(p.EntrySize(j))
				if p.EntrySize(j) > checksum.BlockLen {
					a.large = append(a.large, large{entry: uint32(j)})
				}
			} else {
				a.crcs[j] = crc32.ChecksumIEEE([]byte(p.Link(j)))
				a.known.set(j)
			}
		}
	}
	g.group()
	if slices.ContainsFunc(plans, (*layout.Plan).Packs) {
		g.packed = make([][]checksum.Packed, len(g.groups))
	}
	return g
}

// Close ends the use of the generation that began with New, or with Hold. Its sources
// are closed when the last of its archives is closed, too: nobody can use it after that.
func (g *Generation) Close() {
	if g.users.Add(-1) == 0 {
		g.cancel()
		if h := g.hashing.Load(); h != nil {
			h.flush()
		}
		if g.reader != nil {
			g.reader.Forget(g)
		}
		for _, a := range g.Archives {
			if a.spool != nil {
				a.spool.Close()
			}
		}
		if g.clones != nil && !seeded.On("keep-clones") {
			go g.clones.Remove() // a reader who closes a file should not wait for that
		}
	}
}

// Hold begins a use of the generation that Close ends, unless the last one has ended.
func (g *Generation) Hold() bool {
	for {
		n := g.users.Load()
		if n <= 0 {
			return false
		}
		if g.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// entryBits is how many bits of a source's key number the entry.
const entryBits = 40

func (g *Generation) at(key uint64) (*Archive, int) {
	return g.Archives[key>>entryBits], int(key & (1<<entryBits - 1))
}

func (a *Archive) key(i int) uint64 { return uint64(a.index)<<entryBits | uint64(i) }

// Source implements [source.Index].
func (g *Generation) Source(key uint64) (source.Ref, source.Identity, uint64) {
	a, i := g.at(key)
	ref, root := a.Plan.Source(i)
	return ref, a.Identity(i), uint64(root)
}

// Size implements [verified.Sources].
func (g *Generation) Size(key uint64) int64 {
	a, i := g.at(key)
	return a.EntrySize(i)
}

// Device implements [verified.Sources].
func (g *Generation) Device(key uint64) uint64 {
	a, i := g.at(key)
	return a.Plan.Device(i)
}

// BlockCRC implements [verified.Sources].
func (g *Generation) BlockCRC(key uint64, n int) (uint32, error) {
	a, i := g.at(key)
	if !a.known.get(i) {
		return 0, errUnknownCRC
	}
	if a.EntrySize(i) <= checksum.BlockLen {
		return a.crcs[i], nil
	}
	at, ok := a.findLarge(i)
	if !ok || n >= len(a.large[at].blocks) {
		return 0, errUnknownCRC
	}
	return a.large[at].blocks[n], nil
}

// findLarge looks at no blocks: others may be entering some.
func (a *Archive) findLarge(i int) (at int, ok bool) {
	at = sort.Search(len(a.large), func(n int) bool { return int(a.large[n].entry) >= i })
	return at, at < len(a.large) && int(a.large[at].entry) == i
}

// Archive is one virtual ZIP file. It is an [io.ReaderAt], safe for any number of
// goroutines.
type Archive struct {
	*layout.Plan
	// Inode stands for the archive's content at its name, and Time is its
	// modification time in seconds since 1970. Both are set by Date.
	Inode uint64
	Time  int64

	g      *Generation
	index  int
	crcs   []uint32
	known  flags // which of crcs are worked out
	large  []large
	packs  packs        // set by Pack
	spool  *spool.Spool // of deflated blocks; nil: none
	data   int64        // size of all entries' data, inflated
	summed contentSum
	left   left    // what is not hashed yet
	digest *digest // nil: no sidecar tells it
	asked  bool    // the cache, for the digest; guarded by sums.recalling
	inJSON sync.Once
	json   *manifest.Manifest // set by inJSON
	whole  atomic.Uint64      // the archive's own CRC-32, and wholeKnown
	stale  atomic.Int32       // entries whose source has other bytes now
	shown  published          // what stands for its bytes; set by Date
	prior  published          // what was published last under its name
}

// large is a file of more than one block.
type large struct {
	entry  uint32
	blocks []uint32 // nil until they are known
}

var errUnknownCRC = errors.New("its CRC-32 is not worked out yet")

// KnownCRC returns entry i's CRC-32 if it is known.
func (a *Archive) KnownCRC(i int) (crc uint32, ok bool) {
	if !a.known.get(i) {
		return 0, false
	}
	return a.crcs[i], true
}

// setSum gives a group of equal files their sum. What readers may see of it is
// written before they find it known.
func (g *Generation) setSum(group int, sum checksum.Sum) {
	if sum.Packed != nil && g.packed != nil {
		g.packed[group] = sum.Packed
	}
	for _, f := range g.members(group) {
		a := g.Archives[f.archive]
		if at, ok := a.findLarge(int(f.entry)); ok {
			a.large[at].blocks = sum.Blocks
		}
		a.crcs[f.entry] = sum.CRC32
		if !a.known.get(int(f.entry)) {
			a.left.known(a.EntrySize(int(f.entry)))
		}
		a.known.set(int(f.entry))
		if a.digest != nil && a.left.files.Load() == 0 {
			g.canSum()
		}
	}
}

// sum returns the sum of a group whose CRC is known.
func (g *Generation) sum(group int) (checksum.Sum, bool) {
	f := g.members(group)[0]
	a := g.Archives[f.archive]
	if !a.known.get(int(f.entry)) {
		return checksum.Sum{}, false
	}
	sum := checksum.Sum{CRC32: a.crcs[f.entry]}
	if at, ok := a.findLarge(int(f.entry)); ok {
		sum.Blocks = a.large[at].blocks
	}
	if sum.Packed = a.packs.blocks(int(f.entry)); sum.Packed == nil && g.packed != nil {
		sum.Packed = g.packed[group]
	}
	return sum, true
}

// archiveError is an error that says of which archive it is.
type archiveError struct {
	name string
	err  error
}

func (e *archiveError) Error() string { return "archive " + e.name + ": " + e.err.Error() }
func (e *archiveError) Unwrap() error { return e.err }

// failed returns an error that says of which archive it is, once.
func (a *Archive) failed(err error) error {
	if errors.As(err, new(*archiveError)) {
		return err
	}
	return &archiveError{a.Name, err}
}

// SourceError is the failure to read a source.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return oneline.Text(e.Err.Error()) }

// Unwrap returns what went wrong.
func (e *SourceError) Unwrap() error { return e.Err }

// reportFailure tells an error that is no source's.
func (g *Generation) reportFailure(err error) {
	if g.report != nil {
		g.report(err)
	}
}

// reportOnce tells an entry's error, and tells it again only when it is another.
func (g *Generation) reportOnce(key uint64, err error) {
	if g.report == nil || errors.Is(err, context.Canceled) {
		return
	}
	text := err.Error()
	if errno := unix.Errno(0); errors.As(err, &errno) {
		text = errno.Error() // without the offset, which is another at each read
		for _, kind := range []any{new(*verified.TimeoutError), new(*verified.CorruptError)} {
			if errors.As(err, kind) {
				text += fmt.Sprintf("%T", kind)
			}
		}
	}
	g.mu.Lock()
	seen := g.reported[key] == text
	g.reported[key] = text
	g.mu.Unlock()
	if !seen {
		a, i := g.at(key)
		hint := ""
		if errors.Is(err, unix.ESTALE) {
			hint = ": it can't be read until a reload, or until it has its bytes back"
		}
		g.report(fmt.Errorf("archive %s, entry %q: %w%s", a.Name, a.EntryName(i), &SourceError{err}, hint))
	}
}

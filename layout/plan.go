package layout

import (
	"slices"
	"strings"

	"vzip/internal/snapshot"
	"vzip/internal/source"
	"vzip/zipgen"
)

// Plan is one archive worked out: where its entries stand, and where their data
// comes from. It is immutable.
type Plan struct {
	*zipgen.Archive
	Name         string // path below the mountpoint
	ModTime      int64  // the newest of the entries', in seconds since 1970
	SkippedLinks int    // symbolic links left out because of symlinks: skip

	access  Access
	layout  *Layout
	archive *Archive
	count   int
	sources sources
	devices []uint64
	// links are the targets of symbolic links by entry; rels the paths of
	// sources whose entry's name does not tell it.
	links map[int]string
	rels  map[int]string
	// clones, if set, are what is read in place of the sources.
	clones *clones
	// sparse are the entries, in order, whose sources take less room than they have
	// bytes; saved is how many bytes less.
	sparse []uint32
	saved  zipgen.Column
	packs  bool // whether the packing of an entry is not 0
}

// sources is what a plan keeps of the entries' sources. Sizes stand in the archive,
// and times are told by what they differ from others: that is less.
type sources struct {
	mtime zipgen.Column // nanoseconds after the entry's own modification time
	ctime zipgen.Column // nanoseconds since 1970
	btime zipgen.Column // nanoseconds after ctime
	ino   zipgen.Column
	kind  zipgen.Column // see the bits below
}

// A source's kind is these bits, its packing, the number of its device, and that of its
// mapping.
const (
	isFile      = 1 << 0
	hardLinked  = 1 << 1
	unsettled   = 1 << 2 // nothing but its clone is known of it
	packingAt   = 3
	deviceAt    = packingAt + packingBits
	deviceBits  = 16
	mappingAt   = deviceAt + deviceBits
	nanoseconds = 1_000_000_000
)

// add adds an item. clone is that of its file, where there are clones.
func (p *Plan) add(it *item, device uint16, modTime int64, packing Packing, clone *source.Clone) {
	i := p.count
	if i == 0 || modTime > p.ModTime {
		p.ModTime = modTime
	}
	p.count++
	kind := uint64(it.mapping)<<mappingAt | uint64(device)<<deviceAt | uint64(packing)<<packingAt
	p.packs = p.packs || packing != 0
	if it.isFile() {
		kind |= isFile
	}
	if it.stat.Nlink > 1 {
		kind |= hardLinked
	}
	s, id := &p.sources, it.stat.Identity
	s.mtime.Add(uint64(id.Mtime - modTime*nanoseconds)) // wraps for times of far off
	s.ctime.Add(uint64(id.Ctime))
	s.btime.Add(uint64(id.Btime - id.Ctime))
	s.ino.Add(id.Ino)
	if p.clones != nil {
		p.clones.add(clone.Identity)
		if !clone.Settled {
			kind |= unsettled
		}
	}
	s.kind.Add(kind)
	if saved := it.stat.Saved(); kind&isFile != 0 && saved >= leastHole {
		p.sparse = append(p.sparse, uint32(i))
		p.saved.Add(uint64(saved))
	}
	if it.target != "" {
		if p.links == nil {
			p.links = map[int]string{}
		}
		p.links[i] = it.target
	}
	if kind&isFile != 0 && it.rel != p.rel(it.mapping, it.name) {
		if p.rels == nil {
			p.rels = map[int]string{}
		}
		p.rels[i] = it.rel
	}
}

// seal ends adding.
func (p *Plan) seal(a *zipgen.Archive) {
	p.Archive = a
	p.sparse = slices.Clip(p.sparse)
	s := &p.sources
	for _, c := range []*zipgen.Column{&s.mtime, &s.ctime, &s.btime, &s.ino, &s.kind, &p.saved} {
		c.Seal()
	}
	if p.clones != nil {
		p.clones.seal()
	}
}

// rel is the path of a source that was not spelt differently.
func (p *Plan) rel(mapping int, name string) string {
	m := &p.archive.Mappings[mapping]
	if !m.stat.IsDir() {
		return m.ref.Rel
	}
	return strings.TrimPrefix(name[len(m.As):], "/")
}

// NTFSTimes tells whether times that an extended timestamp can't tell are stored
// as NTFS times.
func (p *Plan) NTFSTimes() bool { return p.archive.NTFSTimes }

// Aligned tells whether the layout asks for aligned data.
func (p *Plan) Aligned() bool { return p.archive.Align != 0 }

// LayoutFile returns the absolute path of the layout file.
func (p *Plan) LayoutFile() string { return p.layout.Path }

// Exposed tells whether everybody may read the archive, whoever may read its sources.
func (p *Plan) Exposed() bool { return p.archive.Expose == ExposeWorld }

// OnBusy says what becomes of a file that changes while it is read.
func (p *Plan) OnBusy() OnBusy { return p.archive.OnBusy }

// IsFile tells whether entry i's data is that of a source file.
func (p *Plan) IsFile(i int) bool { return p.sources.kind.At(i)&isFile != 0 }

// Link returns the target of entry i if it is a symbolic link, otherwise "".
func (p *Plan) Link(i int) string { return p.links[i] }

// Identity returns what entry i's source file was when it was scanned; with clones, what
// its clone is.
func (p *Plan) Identity(i int) source.Identity {
	if c := p.clones; c != nil {
		return p.identity(i, &c.ctime, &c.btime, &c.ino)
	}
	s := &p.sources
	return p.identity(i, &s.ctime, &s.btime, &s.ino)
}

func (p *Plan) identity(i int, ctime, btime, ino *zipgen.Column) source.Identity {
	changed := int64(ctime.At(i))
	return source.Identity{
		Size:  p.EntrySize(i),
		Mtime: int64(p.sources.mtime.At(i)) + p.EntryModTime(i)*nanoseconds,
		Ctime: changed, Btime: int64(btime.At(i)) + changed,
		Ino: ino.At(i),
	}
}

// Device returns the device that entry i's source file was on; with clones, theirs.
func (p *Plan) Device(i int) uint64 {
	if p.clones != nil {
		return p.clones.from.Dev
	}
	return p.device(i)
}

func (p *Plan) device(i int) uint64 {
	return p.devices[p.sources.kind.At(i)>>deviceAt&(1<<deviceBits-1)]
}

// Frozen tells whether files are read from clones.
func (p *Plan) Frozen() bool { return p.clones != nil }

// settled tells whether what is known of entry i's source stands for the bytes that are
// read.
func (p *Plan) settled(i int) bool {
	return p.clones == nil || p.sources.kind.At(i)&unsettled == 0
}

// Origin returns where entry i's data comes from in the end: what its CRC-32 can be
// remembered under, together with OriginIdentity. Without clones that is what Source has.
// Where a clone was made while its source changed it is the clone, which comes only once,
// and ok is false.
func (p *Plan) Origin(i int) (ref source.Ref, ok bool) {
	if ok = p.settled(i); ok {
		ref, _ = p.origin(i)
	} else {
		ref, _ = p.Source(i)
	}
	return ref, ok
}

// OriginIdentity returns what Origin's file was when it was scanned, or cloned.
func (p *Plan) OriginIdentity(i int) source.Identity {
	if !p.settled(i) {
		return p.Identity(i)
	}
	s := &p.sources
	return p.identity(i, &s.ctime, &s.btime, &s.ino)
}

// OriginDevice returns the device of Origin's file.
func (p *Plan) OriginDevice(i int) uint64 {
	if !p.settled(i) {
		return p.Device(i)
	}
	return p.device(i)
}

// File returns the device and inode number of the file that entry i is made of, cloned or
// not.
func (p *Plan) File(i int) (dev, ino uint64) { return p.device(i), p.sources.ino.At(i) }

// OriginInode returns the inode number of Origin's file.
func (p *Plan) OriginInode(i int) uint64 {
	if !p.settled(i) {
		return p.clones.ino.At(i)
	}
	return p.sources.ino.At(i)
}

// HardLinked tells whether Origin's file has other names.
func (p *Plan) HardLinked(i int) bool { return p.sources.kind.At(i)&hardLinked != 0 && p.settled(i) }

// Source returns where entry i's data is read, and a number that tells its root from
// those of the layout's other sources, and of other clones.
func (p *Plan) Source(i int) (ref source.Ref, root int) {
	if c := p.clones; c != nil {
		return source.Ref{Root: c.from.Root, Rel: snapshot.Rel(i), Pulse: &p.layout.Pulse}, c.number
	}
	return p.origin(i)
}

// origin returns the source of entry i, and the number of its root.
func (p *Plan) origin(i int) (ref source.Ref, root int) {
	mapping := int(p.sources.kind.At(i) >> mappingAt)
	m := &p.archive.Mappings[mapping]
	ref = m.ref
	if rel, ok := p.rels[i]; ok {
		ref.Rel = rel
	} else {
		ref.Rel = p.rel(mapping, p.EntryName(i))
	}
	return ref, m.root
}

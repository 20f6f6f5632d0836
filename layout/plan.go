package layout

import (
	"slices"
	"strings"

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
	// sparse are the entries, in order, whose sources take less room than they have
	// bytes; saved is how many bytes less.
	sparse []uint32
	saved  zipgen.Column
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

// A source's kind is these bits, the number of its device, and that of its mapping.
const (
	isFile      = 1 << 0
	hardLinked  = 1 << 1
	deviceAt    = 2
	deviceBits  = 16
	mappingAt   = deviceAt + deviceBits
	nanoseconds = 1_000_000_000
)

func (p *Plan) add(it *item, device uint16, modTime int64) {
	i := p.count
	if i == 0 || modTime > p.ModTime {
		p.ModTime = modTime
	}
	p.count++
	kind := uint64(it.mapping)<<mappingAt | uint64(device)<<deviceAt
	if !it.isDir() && it.target == "" {
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

// Identity returns what entry i's source file was when it was scanned.
func (p *Plan) Identity(i int) source.Identity {
	s := &p.sources
	ctime := int64(s.ctime.At(i))
	return source.Identity{
		Size:  p.EntrySize(i),
		Mtime: int64(s.mtime.At(i)) + p.EntryModTime(i)*nanoseconds,
		Ctime: ctime, Btime: int64(s.btime.At(i)) + ctime,
		Ino: s.ino.At(i),
	}
}

// Device returns the device that entry i's source file was on.
func (p *Plan) Device(i int) uint64 {
	return p.devices[p.sources.kind.At(i)>>deviceAt&(1<<deviceBits-1)]
}

// Inode returns the inode number of entry i's source file.
func (p *Plan) Inode(i int) uint64 { return p.sources.ino.At(i) }

// HardLinked tells whether entry i's source file has other names.
func (p *Plan) HardLinked(i int) bool { return p.sources.kind.At(i)&hardLinked != 0 }

// Source returns where entry i's data comes from, and a number that tells the
// source's root from those of the layout's other sources.
func (p *Plan) Source(i int) (ref source.Ref, root int) {
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

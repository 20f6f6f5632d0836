package layout

import (
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
	blocks  [][]record
	count   int
	devices []uint64
	// links are the targets of symbolic links by entry; rels the paths of
	// sources whose entry's name does not tell it.
	links map[int]string
	rels  map[int]string
}

// record is what a plan keeps of an entry's source, without pointers. The size
// stands in the archive.
type record struct {
	mtime, ctime, btime int64
	ino                 uint64
	mapping             uint32
	device              uint16
	isFile              bool
	hardLinked          bool
}

// blockLen is how many records are allocated at once, so that a long list is
// never copied.
const blockLen = 4096

func (p *Plan) add(it *item, device uint16, modTime int64) {
	i := p.count
	if i%blockLen == 0 {
		p.blocks = append(p.blocks, make([]record, 0, blockLen))
	}
	if i == 0 || modTime > p.ModTime {
		p.ModTime = modTime
	}
	p.count++
	isFile := !it.isDir() && it.target == ""
	blk := &p.blocks[len(p.blocks)-1]
	id := it.stat.Identity
	*blk = append(*blk, record{
		mtime: id.Mtime, ctime: id.Ctime, btime: id.Btime, ino: id.Ino,
		mapping: uint32(it.mapping), device: device, isFile: isFile, hardLinked: it.stat.Nlink > 1,
	})
	if it.target != "" {
		if p.links == nil {
			p.links = map[int]string{}
		}
		p.links[i] = it.target
	}
	if isFile && it.rel != p.rel(it.mapping, it.name) {
		if p.rels == nil {
			p.rels = map[int]string{}
		}
		p.rels[i] = it.rel
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

func (p *Plan) record(i int) *record { return &p.blocks[i/blockLen][i%blockLen] }

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
func (p *Plan) IsFile(i int) bool { return p.record(i).isFile }

// Link returns the target of entry i if it is a symbolic link, otherwise "".
func (p *Plan) Link(i int) string { return p.links[i] }

// Identity returns what entry i's source file was when it was scanned.
func (p *Plan) Identity(i int) source.Identity {
	r := p.record(i)
	return source.Identity{Size: p.EntrySize(i), Mtime: r.mtime, Ctime: r.ctime, Btime: r.btime, Ino: r.ino}
}

// Device returns the device that entry i's source file was on.
func (p *Plan) Device(i int) uint64 { return p.devices[p.record(i).device] }

// HardLinked tells whether entry i's source file has other names.
func (p *Plan) HardLinked(i int) bool { return p.record(i).hardLinked }

// Source returns where entry i's data comes from, and a number that tells the
// source's root from those of the layout's other sources.
func (p *Plan) Source(i int) (ref source.Ref, root int) {
	r := p.record(i)
	m := &p.archive.Mappings[r.mapping]
	ref = m.ref
	if rel, ok := p.rels[i]; ok {
		ref.Rel = rel
	} else {
		ref.Rel = p.rel(int(r.mapping), p.Entry(i).Name)
	}
	return ref, m.root
}

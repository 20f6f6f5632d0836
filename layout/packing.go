package layout

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"vzip/internal/deflate"
)

// Method says how files are stored in an archive.
type Method string

// Values of [Compression].Method.
const (
	MethodStore   Method = "store"
	MethodDeflate Method = "deflate"
	MethodAuto    Method = "auto" // deflate, but store what would hardly become smaller
)

// Compression says which files are deflated. That of a mapping wins over its archive's,
// key by key.
type Compression struct {
	Method Method
	Level  int      // 1 to 9
	Store  []string // patterns of files that are stored, whatever Method says
}

var compressionFields = fields[Compression]{
	"method": choice("method", func(c *Compression) *Method { return &c.Method }, MethodStore, MethodDeflate, MethodAuto),
	"level":  (*parser).level,
	"store":  func(p *parser, n *yaml.Node, c *Compression) { c.Store = p.globs(n, "store") },
}

func (p *parser) level(n *yaml.Node, c *Compression) {
	if n = p.visit(n); n.Kind != yaml.ScalarNode {
		p.at(n, "level must be a whole number from 1 to 9, not %s", kind(n))
		return
	}
	s, ok := p.word(n, "level")
	switch {
	case !ok:
	case len(s) != 1 || s[0] < '0'+deflate.MinLevel || s[0] > '0'+deflate.MaxLevel:
		p.at(n, "level %q is no whole number from 1 to 9: 1 is the fastest, 9 makes the least bytes, and without it it is %d", s, deflate.DefaultLevel)
	default:
		c.Level = int(s[0] - '0')
	}
}

// fill sets what is not set.
func (c *Compression) fill(from Compression) {
	if c.Method == "" {
		c.Method = from.Method
	}
	if c.Level == 0 {
		c.Level = from.Level
	}
	if c.Store == nil {
		c.Store = from.Store
	}
}

func (c *Compression) packing() Packing {
	switch c.Method {
	case MethodDeflate:
		return Packing(c.Level)
	case MethodAuto:
		return Packing(c.Level) | packAuto
	}
	return 0
}

// Packing says how the data of one entry is packed; 0 is for data as it is.
type Packing uint8

// A packing's bits.
const (
	packLevel   Packing = 0xF
	packAuto    Packing = 1 << 4
	packingBits         = 5
)

// Level returns the level to deflate at, 1 to 9; 0 for data that is stored.
func (p Packing) Level() int { return int(p & packLevel) }

// Auto tells whether data that would hardly become smaller is stored.
func (p Packing) Auto() bool { return p&packAuto != 0 }

// Packing returns how the data of entry i is to be packed. It is 0 for all but files that
// are not empty.
func (p *Plan) Packing(i int) Packing {
	return Packing(p.sources.kind.At(i) >> packingAt & (1<<packingBits - 1))
}

// Packs tells whether an archive of the layout, or the one that only names, may have
// entries that are deflated.
func (l *Layout) Packs(only string) bool {
	return slices.ContainsFunc(l.Archives, func(a Archive) bool {
		return (only == "" || a.Name == only) && slices.ContainsFunc(a.Mappings, func(m Mapping) bool { return m.Method != MethodStore })
	})
}

// Packs tells whether any entry's packing is not 0.
func (p *Plan) Packs() bool { return p.packs }

// packer decides how the files of a mapping are packed.
type packer struct {
	Packing
	file  string   // the name of a source that is a file
	names patterns // without a slash: of base names
	paths patterns // of paths below the source
}

func (m *Mapping) packer() packer {
	p := packer{Packing: m.packing()}
	if !m.stat.IsDir() {
		p.file = filepath.Base(m.Source) // m.ref may have another, of what a link leads to
	}
	for _, g := range m.Store {
		if strings.Contains(g, "/") {
			p.paths = append(p.paths, compile([]string{g})...)
		} else {
			p.names = append(p.names, compile([]string{g})...)
		}
	}
	return p
}

func (p *packer) packing(it *item) Packing {
	if p.Packing == 0 || !it.isFile() || it.stat.Size == 0 {
		return 0
	}
	rel := it.rel
	if p.file != "" {
		rel = p.file
	}
	if p.names.match(path.Base(rel), false) || p.paths.covers(rel) {
		return 0
	}
	return p.Packing
}

package layout

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Sidecars says which small files are shown beside an archive.
type Sidecars struct{ SHA256, CRC32, Manifest bool }

// What the names of sidecars have behind the archive's.
const (
	SHA256Suffix   = ".sha256"
	CRC32Suffix    = ".crc32"
	ManifestSuffix = ".json"
)

const (
	// MaxVolumes is how many volumes there may be: names go from .001 to .999.
	MaxVolumes = 999
	// minSplit is the least size of a volume, in bytes.
	minSplit = 64 << 10
)

// VolumeSuffix is what the name of volume n, counted from 0, has behind the archive's.
func VolumeSuffix(n int) string { return fmt.Sprintf(".%03d", n+1) }

// volumes returns how many volumes of split bytes an archive of size bytes has.
func volumes(size, split int64) int64 {
	if split == 0 {
		return 0
	}
	return (size-1)/split + 1
}

// Volumes returns the size of the archive's volumes, all but the last, in bytes, and how
// many there are; zeros where none are shown.
func (p *Plan) Volumes() (split int64, count int) {
	split = p.archive.Split
	return split, int(volumes(p.Size(), split))
}

// Sidecars returns which small files are shown beside the archive.
func (p *Plan) Sidecars() Sidecars { return p.archive.Sidecars }

// Beside is what the layout asks to be shown beside an archive.
type Beside struct {
	Split int64
	Sidecars
}

// Beside returns what is shown beside the archive.
func (p *Plan) Beside() Beside { return Beside{p.archive.Split, p.archive.Sidecars} }

// checkVolumes finds an archive that has too many of them.
func (a *Archive) checkVolumes(problems *Problems, size int64) {
	if n := volumes(size, a.Split); n > MaxVolumes {
		problems.add(a.pos, false, "archive %q: its %d bytes are %d volumes of %d, and there are at most %d: set split to %d or more, or leave it out",
			a.Name, size, n, a.Split, MaxVolumes, (size-1)/MaxVolumes+1)
	}
}

// beside tells what stands beside an archive under its name and this suffix: "volume",
// "sidecar", or "" if nothing does. How many volumes there are is not known yet, so that
// it is a volume if there can be one.
func (o *Options) beside(suffix string) string {
	switch {
	case suffix == SHA256Suffix && o.Sidecars.SHA256, suffix == CRC32Suffix && o.Sidecars.CRC32, suffix == ManifestSuffix && o.Sidecars.Manifest:
		return "sidecar"
	case o.Split == 0 || len(suffix) != len(VolumeSuffix(0)):
		return ""
	}
	if n, err := strconv.Atoi(suffix[1:]); err != nil || n < 1 || VolumeSuffix(n-1) != suffix {
		return ""
	}
	return "volume"
}

// longestSuffix returns the longest of what stands behind the archive's name somewhere.
func (o *Options) longestSuffix() string {
	switch s := o.Sidecars; {
	case s.SHA256:
		return SHA256Suffix
	case s.CRC32:
		return CRC32Suffix
	case s.Manifest:
		return ManifestSuffix
	case o.Split > 0:
		return VolumeSuffix(0)
	}
	return ""
}

// ArchiveOf returns the name of the archive that a file is shown of: the archive itself,
// a volume, or a sidecar; "" if there is none.
func (l *Layout) ArchiveOf(file string) string {
	suffix := path.Ext(file)
	for i := range l.Archives {
		a := &l.Archives[i]
		if a.Name == file || suffix != "" && a.Name == strings.TrimSuffix(file, suffix) && a.beside(suffix) != "" {
			return a.Name
		}
	}
	return ""
}

func (p *parser) split(n *yaml.Node, o *Options) {
	s, ok := p.word(n, "split")
	if !ok {
		return
	}
	if s == "none" {
		o.Split = 0
		return
	}
	size, err := ParseSize(s)
	switch {
	case err != nil:
		p.at(n, "split %q %v; none is for no volumes", s, err)
	case size < minSplit:
		p.at(n, "split %q is too small: use 64KiB or more", s)
	default:
		o.Split = size
	}
}

func (p *parser) sidecars(n *yaml.Node, o *Options) {
	var s Sidecars
	kinds := map[string]*bool{"sha256": &s.SHA256, "crc32": &s.CRC32, "manifest": &s.Manifest}
	for _, item := range p.list(n, "sidecars") {
		word, ok := p.word(item, "a sidecar")
		if !ok {
			continue
		}
		switch kind := kinds[word]; {
		case kind == nil:
			p.at(item, "the sidecar %q is not known: use some of sha256, crc32, manifest", word)
		case *kind:
			p.at(item, "the sidecar %s is given twice: take one out", word)
		default:
			*kind = true
		}
	}
	o.Sidecars = s
}

// checkNamesBeside finds archives whose volumes or sidecars can't have their names.
func (p *parser) checkNamesBeside(l *Layout) {
	first := map[string]*Archive{}
	for i := range l.Archives {
		if a := &l.Archives[i]; a.Name != "" && first[a.Name] == nil {
			first[a.Name] = a
		}
	}
	for i := range l.Archives {
		a := &l.Archives[i]
		if a.Name == "" {
			continue
		}
		base := path.Base(a.Name)
		if long := a.longestSuffix(); len(base)+len(long) > 255 {
			p.add(a.pos, false, "archive name %q: with %s behind it its last part has %d bytes, and a file's name at most 255: shorten it", a.Name, long, len(base)+len(long))
		}
		if a.Sidecars.CRC32 && base[0] == ';' {
			p.add(a.pos, false, "archive name %q: in SFV files a line that starts with ; is a comment: rename it, or leave crc32 out of sidecars", a.Name)
		}
		for end := range len(a.Name) + 1 {
			if end < len(a.Name) && a.Name[end] != '/' {
				continue
			}
			name := a.Name[:end]
			suffix := path.Ext(name)
			of := first[strings.TrimSuffix(name, suffix)]
			if suffix == "" || of == nil {
				continue
			}
			what := of.beside(suffix)
			switch {
			case what == "":
			case end < len(a.Name):
				p.add(a.pos, false, "archive %q needs the folder %q, but a %s of %q (line %d) has that name: rename one", a.Name, name, what, of.Name, of.line)
			default:
				p.add(a.pos, false, "archive %q has the name of a %s of %q (line %d): rename one", a.Name, what, of.Name, of.line)
			}
		}
	}
}

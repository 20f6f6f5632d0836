package layout

import (
	"math/bits"

	"gopkg.in/yaml.v3"

	"vzip/zipgen"
)

// AlignAuto is [Options].Align for the block size of the sources' file systems.
const AlignAuto = -1

func (p *parser) align(n *yaml.Node, o *Options) {
	s, ok := p.word(n, "align")
	if !ok {
		return
	}
	switch s {
	case "none":
		o.Align = 0
		return
	case "auto":
		o.Align = AlignAuto
		return
	}
	size, err := ParseSize(s)
	switch {
	case err != nil:
		p.at(n, "align %q %v; auto is for the block size of the sources, none for no alignment", s, err)
	case size < zipgen.MinAlign || size > zipgen.MaxAlign || size&(size-1) != 0:
		p.at(n, "align %q is no power of two from 512 to 128KiB: use 4KiB, which suits most file systems, or auto", s)
	default:
		o.Align = size
	}
}

// alignment returns the option for zipgen. auto is the largest block size of the file
// systems that the sources are on, so that it is right for each of them.
func (s *scan) alignment() int64 {
	if s.a.Align != AlignAuto {
		return s.a.Align
	}
	align := int64(zipgen.MinAlign)
	for i := range s.a.Mappings {
		m := &s.a.Mappings[i]
		size, err := m.ref.BlockSize()
		if err != nil {
			s.problems.add(m.pos, true, "source %s: its block size, for align: auto: %v", m.Source, cause(err))
			continue
		}
		align = max(align, size)
	}
	return min(powerOfTwo(align), zipgen.MaxAlign)
}

// powerOfTwo returns the largest power of two that is not above n.
func powerOfTwo(n int64) int64 { return 1 << (bits.Len64(uint64(n)) - 1) }

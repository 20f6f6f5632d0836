package layout

import (
	"os"

	"gopkg.in/yaml.v3"
)

// defaultSpoolSize is how large a spool becomes where nobody says, in bytes.
const defaultSpoolSize = 4 << 30

func (p *parser) spool(n *yaml.Node, o *Options) {
	p.folder(n, "spool", &o.Spool, &o.spoolPos)
}

func (p *parser) spoolSize(n *yaml.Node, o *Options) {
	s, ok := p.word(n, "spool_size")
	if !ok {
		return
	}
	size, err := ParseSize(s)
	switch {
	case err != nil:
		p.at(n, "spool_size %q %v", s, err)
	case size < 1<<20:
		p.at(n, "spool_size %q is too small: use 1MiB or more, or leave spool out", s)
	default:
		o.SpoolSize = size
	}
}

// findSpools looks at the folders for deflated data.
func (l *Layout) findSpools(problems *Problems) {
	told := map[pos]bool{} // one line for a default of many archives
	for i := range l.Archives {
		a := &l.Archives[i]
		if a.Spool == "" || told[a.spoolPos] {
			continue
		}
		fi, err := os.Stat(a.Spool)
		switch {
		case err != nil:
			problems.add(a.spoolPos, false, "spool %s: %v: make the folder, or name another", a.Spool, cause(err))
		case !fi.IsDir():
			problems.add(a.spoolPos, false, "spool %s is no folder: name one", a.Spool)
		default:
			continue
		}
		told[a.spoolPos] = true
	}
}

// Spool returns the folder where deflated data is kept, "" for none, and how much of it,
// in bytes.
func (p *Plan) Spool() (dir string, size int64) { return p.archive.Spool, p.archive.SpoolSize }

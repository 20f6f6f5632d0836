package layout

import "vzip/zipgen"

// Deflated returns the plan as it is once files are deflated, as [zipgen.Archive.Deflated]
// has it. A *Problems error tells what does not go with that.
func (p *Plan) Deflated(size func(i int) int64) (*Plan, error) {
	archive, err := p.Archive.Deflated(size)
	problems := &Problems{File: p.layout.File}
	if err != nil {
		problems.add(p.archive.pos, false, "archive %q: %v", p.Name, err)
		return nil, problems
	}
	q := *p
	q.Archive = archive
	// What is deflated has no holes.
	q.sparse, q.saved = nil, zipgen.Column{}
	for n, i := range p.sparse {
		if _, isDeflated := archive.EntryCompressedSize(int(i)); !isDeflated {
			q.sparse = append(q.sparse, i)
			q.saved.Add(p.saved.At(n))
		}
	}
	q.saved.Seal()
	p.archive.checkVolumes(problems, archive.Size())
	return &q, problems.orNil()
}

package generation

import "sync/atomic"

// left is what of an archive's files is not hashed yet.
type left struct {
	files, bytes atomic.Int64
	all          int64 // bytes of all files, hashed or not
}

func (l *left) add(size int64) {
	l.files.Add(1)
	l.bytes.Add(size)
	l.all += size
}

func (l *left) known(size int64) {
	l.files.Add(-1)
	l.bytes.Add(-size)
}

// Progress tells how far hashing is for an archive.
type Progress struct {
	Files      int64 // whose CRC-32 is not known
	Done, Size int64 // bytes that were hashed, now or earlier, of those of all files
	// Ended tells that what is left could not be read when it was tried.
	Ended bool
	// Changed tells that a source is known to have other bytes now. As long as it has,
	// the archive can't be opened.
	Changed bool
}

// Progress returns it for each archive, in the order of Archives.
func (g *Generation) Progress() []Progress {
	list := make([]Progress, len(g.Archives))
	over := g.begun(list)
	for i, a := range g.Archives {
		p := &list[i]
		p.Files, p.Size = a.left.files.Load(), a.left.all
		// What ended in between would count twice.
		p.Done = min(p.Done+p.Size-a.left.bytes.Load(), p.Size)
		p.Ended = p.Files > 0 && over
		p.Changed = a.stale.Load() > 0
	}
	return list
}

// begun adds what was read of files that are not done, and tells whether hashing is over.
func (g *Generation) begun(list []Progress) (over bool) {
	h := g.hashing.Load()
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, j := range h.begun {
		for _, f := range g.members(int(j.group)) {
			list[f.archive].Done += j.read.Load()
		}
	}
	return h.over
}

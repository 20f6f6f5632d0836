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
	over := g.begun(func(archive uint32, n int64) { list[archive].Done += n })
	for i, a := range g.Archives {
		list[i] = a.progress(list[i].Done, over)
	}
	return list
}

// Progress tells how far hashing is for the archive.
func (a *Archive) Progress() Progress {
	done := int64(0)
	over := a.g.begun(func(archive uint32, n int64) {
		if archive == uint32(a.index) {
			done += n
		}
	})
	return a.progress(done, over)
}

// progress returns it with what was read of files that are not done.
func (a *Archive) progress(begun int64, over bool) Progress {
	p := Progress{Files: a.left.files.Load(), Size: a.left.all, Changed: a.stale.Load() > 0}
	p.Done = min(p.Size-a.left.bytes.Load()+begun, p.Size) // what ended in between counts twice
	p.Ended = p.Files > 0 && over
	return p
}

// begun yields what was read of files that are not done, and tells whether hashing is over.
func (g *Generation) begun(yield func(archive uint32, n int64)) (over bool) {
	h := g.hashing.Load()
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, j := range h.begun {
		for _, f := range g.members(int(j.group)) {
			yield(f.archive, j.read.Load())
		}
	}
	return h.over
}

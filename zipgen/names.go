package zipgen

import (
	"bytes"
	"slices"
	"sort"
	"strings"
)

// names holds the entries' names in ascending order. Each is parted behind the
// last slash above the entry; in a run of names each folder stands once.
type names struct {
	runs   []nameRun
	ends   Column // where each entry's own part ends, in its run
	folder Column // of each entry, in its run
}

// nameRun is a run of names.
type nameRun struct {
	own     []byte   // the entries' own parts, end to end
	folders []byte   // their folders, end to end, each with its slash
	ends    []uint32 // where each folder ends
}

// name is an entry's name in two parts.
type name struct{ folder, own []byte }

func (n name) len() int { return len(n.folder) + len(n.own) }

func (n name) String() string { return string(n.folder) + string(n.own) }

// compare is strings.Compare of the name and s.
func (n name) compare(s string) int {
	if len(s) < len(n.folder) {
		if c := bytes.Compare(n.folder[:len(s)], []byte(s)); c != 0 {
			return c
		}
		return 1
	}
	if c := bytes.Compare(n.folder, []byte(s[:len(n.folder)])); c != 0 {
		return c
	}
	return bytes.Compare(n.own, []byte(s[len(n.folder):]))
}

// at returns the name of entry i.
func (s *names) at(i int) name {
	k, j := i/runLen, i%runLen
	r, ends := &s.runs[k], &s.ends.runs[k]
	start, folder, folderStart := uint64(0), s.folder.runs[k].at(j), uint32(0)
	if j > 0 {
		start = ends.at(j - 1)
	}
	if folder > 0 {
		folderStart = r.ends[folder-1]
	}
	return name{r.folders[folderStart:r.ends[folder]], r.own[start:ends.at(j)]}
}

// find returns the index of the entry with this name, among count; where there is none,
// that of the first one behind it.
func (s *names) find(want string, count int) (int, bool) {
	k := sort.Search(len(s.runs), func(k int) bool { return s.at(k*runLen).compare(want) > 0 }) - 1
	if k < 0 {
		return 0, false
	}
	first := k * runLen
	i := first + sort.Search(min(runLen, count-first), func(i int) bool { return s.at(first+i).compare(want) > 0 }) - 1
	if s.at(i).compare(want) != 0 {
		return i + 1, false
	}
	return i, true
}

// namesBuilder packs names as they come.
type namesBuilder struct {
	names
	last  string
	above []above // folders that last lies in and that its run has, outermost first
	run   nameRun
	count int // in the run
}

// above is a folder that the newest name lies in.
type above struct {
	len   int    // of its name with the slash
	index uint64 // in its run
}

// add takes the next name, which has its first shared bytes in common with the
// last one.
func (b *namesBuilder) add(name string, shared int) {
	if b.count == runLen {
		b.seal()
	}
	for len(b.above) > 0 && b.above[len(b.above)-1].len > shared {
		b.above = b.above[:len(b.above)-1]
	}
	n := strings.LastIndexByte(name[:len(name)-1], '/') + 1 // a directory's own slash is none above it
	if len(b.above) == 0 || b.above[len(b.above)-1].len != n {
		b.above = append(b.above, above{n, uint64(len(b.run.ends))})
		b.run.folders = append(b.run.folders, name[:n]...)
		b.run.ends = append(b.run.ends, uint32(len(b.run.folders)))
	}
	b.folder.Add(b.above[len(b.above)-1].index)
	b.run.own = append(b.run.own, name[n:]...)
	b.ends.Add(uint64(len(b.run.own)))
	b.last = name
	b.count++
}

// seal ends a run of names. Memory that grew with it is used for the next one.
func (b *namesBuilder) seal() {
	b.runs = append(b.runs, nameRun{slices.Clip(bytes.Clone(b.run.own)), slices.Clip(bytes.Clone(b.run.folders)), slices.Clip(slices.Clone(b.run.ends))})
	b.run = nameRun{b.run.own[:0], b.run.folders[:0], b.run.ends[:0]}
	b.above, b.count = b.above[:0], 0
}

// finish returns the names; the builder must not be used after.
func (b *namesBuilder) finish() names {
	if b.count > 0 {
		b.seal()
	}
	b.ends.Seal()
	b.folder.Seal()
	return b.names
}

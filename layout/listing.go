package layout

import (
	"slices"
	"strings"

	"vzip/internal/source"
)

// listings are the folders that more than one mapping stores: each is listed
// once, so that all archives show one state of it.
type listings struct {
	// roots counts the mappings by the path of their source.
	roots   map[string]int
	longest int // path among them, in bytes
	kept    map[listed]listing
	folder  func(path string) // is told each folder before it is listed; may be nil
}

// listed is a folder, and whether links were followed on the way.
type listed struct {
	path   string
	follow bool
}

type listing struct {
	self     source.Stat // the folder's own
	children []source.Child
	err      error
	left     int // mappings that have not asked yet
}

func newListings(archives []*Archive) *listings {
	l := &listings{roots: map[string]int{}, kept: map[listed]listing{}}
	for _, a := range archives {
		for i := range a.Mappings {
			root := a.Mappings[i].ref.Path()
			l.roots[root]++
			l.longest = max(l.longest, len(root))
		}
	}
	return l
}

// users returns how many mappings have the folder in their source.
func (l *listings) users(folder string) int {
	n := 0
	if folder != "/" {
		n = l.roots["/"]
	}
	// However deep a tree is, its roots are near the top.
	for i := 1; i <= min(len(folder), l.longest); i++ {
		if i == len(folder) || folder[i] == '/' {
			n += l.roots[folder[:i]]
		}
	}
	return n
}

func (l *listings) tell(folder string) {
	if l.folder != nil {
		l.folder(folder)
	}
}

// read is [source.Ref.ReadDir], sorted by name, so that what is wrong is told in
// one order everywhere. The children must not be changed.
func (l *listings) read(ref source.Ref, access bool) (source.Stat, []source.Child, error) {
	folder := listed{ref.Path(), ref.Follow}
	have, ok := l.kept[folder]
	if !ok {
		l.tell(folder.path)
		have.self, have.children, have.err = ref.ReadDir(access)
		slices.SortFunc(have.children, func(a, b source.Child) int { return strings.Compare(a.Name, b.Name) })
		have.left = l.users(folder.path)
	}
	if have.left--; have.left > 0 {
		l.kept[folder] = have
	} else {
		delete(l.kept, folder)
	}
	return have.self, have.children, have.err
}

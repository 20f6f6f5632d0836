package layout

import (
	"path"

	"vzip/internal/source"
)

// listings are the folders that more than one mapping stores: each is listed
// once, so that all archives show one state of it.
type listings struct {
	// roots counts the mappings by the path of their source.
	roots map[string]int
	kept  map[string]listing
}

type listing struct {
	children []source.Child
	err      error
	left     int // mappings that have not asked yet
}

func newListings(archives []*Archive) *listings {
	l := &listings{roots: map[string]int{}, kept: map[string]listing{}}
	for _, a := range archives {
		for i := range a.Mappings {
			l.roots[a.Mappings[i].ref.Path()]++
		}
	}
	return l
}

// users returns how many mappings have the folder in their source.
func (l *listings) users(folder string) int {
	n := l.roots[folder]
	for folder != "/" {
		folder = path.Dir(folder)
		n += l.roots[folder]
	}
	return n
}

// read is [source.Ref.ReadDir]; the children must not be changed.
func (l *listings) read(ref source.Ref, access bool) ([]source.Child, error) {
	folder := ref.Path()
	have, ok := l.kept[folder]
	if !ok {
		have.children, have.err = ref.ReadDir(access)
		have.left = l.users(folder)
	}
	if have.left--; have.left > 0 {
		l.kept[folder] = have
	} else {
		delete(l.kept, folder)
	}
	return have.children, have.err
}

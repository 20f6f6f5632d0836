package layout

import "vzip/internal/source"

// listings are the folders that more than one mapping stores: each is listed
// once, so that all archives show one state of it.
type listings struct {
	// roots counts the mappings by the path of their source.
	roots   map[string]int
	longest int // path among them, in bytes
	kept    map[listed]listing
	folder  func(path string) // is told each folder before it is listed; may be nil
	// coming are the folders that are being listed before they are asked for.
	coming map[listed]chan listing
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
	l := &listings{roots: map[string]int{}, kept: map[listed]listing{}, coming: map[listed]chan listing{}}
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

// read is [source.Ref.ReadDir]. The children must not be changed.
func (l *listings) read(ref source.Ref, access bool) (source.Stat, []source.Child, error) {
	folder := listed{ref.Path(), ref.Follow}
	have, ok := l.kept[folder]
	if coming := l.coming[folder]; coming != nil {
		have = <-coming
		delete(l.coming, folder)
	} else if !ok {
		l.tell(folder.path)
		have = list(ref, access)
	}
	if !ok {
		have.left = l.users(folder.path)
	}
	if have.left--; have.left > 0 {
		l.kept[folder] = have
	} else {
		delete(l.kept, folder)
	}
	return have.self, have.children, have.err
}

func list(ref source.Ref, access bool) (have listing) {
	have.self, have.children, have.err = ref.ReadDir(access)
	return have
}

// ahead begins to list a folder that is read next.
func (l *listings) ahead(ref source.Ref, access bool) {
	folder := listed{ref.Path(), ref.Follow}
	if _, ok := l.kept[folder]; ok || l.coming[folder] != nil {
		return
	}
	l.tell(folder.path)
	coming := make(chan listing, 1)
	l.coming[folder] = coming
	go func() { coming <- list(ref, access) }()
}

// wait returns when nothing is being listed any more.
func (l *listings) wait() {
	for _, coming := range l.coming {
		<-coming
	}
}

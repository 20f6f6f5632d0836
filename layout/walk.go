package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vzip/internal/source"
	"vzip/zipgen"
)

// item is what a walk found, or a directory that "as" needs.
type item struct {
	name     string // in the archive; a directory's ends in "/"
	rel      string // below the mapping's root
	stat     source.Stat
	target   string // of a symbolic link
	invented bool   // a directory that no source stands for
	mounted  bool   // a directory that is not entered
	linked   bool   // what a symbolic link leads to
	mapping  int
}

func (it *item) isDir() bool { return strings.HasSuffix(it.name, "/") }

func (it *item) isFile() bool { return !it.isDir() && it.target == "" }

// walker walks one mapping's source in the archive's order: the children of a
// folder are sorted by name, with folders' trailing slash, so that whole paths
// come in bytewise order.
type walker struct {
	*scan
	m       *Mapping
	number  int
	include patterns
	exclude patterns
	yield   func(item) bool
	stopped bool
	// pending are the folders above that are stored only once something in them is.
	pending  []item
	above    []item // the folders that are being walked
	added    int    // how many of them were added to the archive's rights
	wayAdded bool   // so were those above the source
	dev      uint64 // of the source
	levels   []*level
}

// step is an item that is walked, and whether all that is in it is wanted.
type step struct {
	item
	whole bool
}

// level is a folder's items, of which one is being walked.
type level struct {
	steps  []step
	at     int // -1 before the first
	folder int // the first folder after at, if it is larger
}

// ahead has the next folder listed while this one is walked.
func (w *walker) ahead() {
	for _, l := range slices.Backward(w.levels) {
		for l.folder = max(l.folder, l.at+1); l.folder < len(l.steps); l.folder++ {
			if it := &l.steps[l.folder].item; it.isDir() && !it.mounted {
				ref := w.m.ref
				ref.Rel = it.rel
				w.listings.ahead(ref, w.access)
				return
			}
		}
	}
}

// walk yields the items of a mapping. The file system is looked at anew.
func (w *walker) walk() {
	if point := w.mounts.at(w.m.ref.Path()); point != "" {
		w.source("%s", inVzip(w.m.Source, point))
		return
	}
	stat, err := w.m.ref.Lstat()
	if err == nil && stat.Mode&unix.S_IFMT != w.m.stat.Mode&unix.S_IFMT {
		err = errors.New("it is of another file type now")
	}
	if err != nil {
		w.source("source %s: %v: check that nobody changes it meanwhile", w.m.Source, cause(err))
		return
	}
	w.dev = stat.Dev
	whole := w.m.Include == nil
	for i, c := range w.m.As {
		if c == '/' {
			w.dir(item{name: w.m.As[:i+1], stat: stat, invented: true}, whole)
		}
	}
	if !stat.IsDir() {
		w.listings.tell(filepath.Dir(w.m.ref.Path()))
		if err := w.readable(w.m.ref); err != nil {
			w.source("source %s: %v: make it readable", w.m.Source, err)
			return
		}
		if w.leave == nil || !w.leave(w.m.ref.Path()) {
			w.emit(item{name: w.m.As, rel: w.m.ref.Rel, stat: stat})
		}
		return
	}
	prefix := ""
	if w.m.As != "" {
		prefix = w.m.As + "/"
		w.dir(item{name: prefix, rel: ".", stat: stat}, whole)
	}
	if point := w.m.vzipBelow(w.mounts); point != "" && !w.a.OneFileSystem {
		w.vzipInside(point)
		return
	}
	w.folder(item{name: prefix, rel: ".", stat: stat}, whole)
	for _, p := range w.include {
		if !p.used && !w.stopped {
			w.warn("%s:%d: include pattern %q matches nothing in %s", w.layout.File, w.m.line, p.given, w.m.Source)
		}
	}
}

// readable tells whether a file that ReadDir did not look at may be read. What
// else can be wrong with it is found when it is opened.
func (w *walker) readable(ref source.Ref) error {
	if w.access && unix.Faccessat(unix.AT_FDCWD, ref.Path(), unix.R_OK, unix.AT_EACCESS) == unix.EACCES {
		return unix.EACCES
	}
	return nil
}

func (w *walker) emit(it item) {
	for _, dir := range w.pending {
		w.send(dir)
	}
	w.pending = w.pending[:0]
	w.send(it)
}

func (w *walker) send(it item) {
	w.grant(&it)
	it.mapping = w.number
	w.stopped = w.stopped || !w.yield(it)
}

// dir emits a directory, or keeps it until something in it is stored.
func (w *walker) dir(it item, whole bool) {
	switch {
	case !w.a.Directories:
	case whole:
		w.emit(it)
	default:
		w.pending = append(w.pending, it)
	}
}

// folder walks what is in a folder. With whole set all of it is wanted, whatever
// the include patterns say.
func (w *walker) folder(it item, whole bool) {
	if err := w.ctx.Err(); err != nil || w.stopped {
		w.stopped = true
		return
	}
	ref := w.m.ref
	ref.Rel = it.rel
	self, children, err := w.listings.read(ref, w.access)
	if errors.Is(err, fs.ErrNotExist) && ref.Rel != w.m.ref.Rel {
		return // deleted since the folder above was listed
	}
	if err != nil {
		w.source("source folder %s: %v: make it readable, or exclude it", ref.Path(), cause(err))
		return
	}
	// Since the folder above was listed another may have taken its place, or
	// something may have been mounted there: what was opened counts.
	switch it.stat = self; {
	case w.mounts.vzip[self.Dev]:
		w.vzipInside(ref.Path())
		return
	case w.a.OneFileSystem && self.Dev != w.dev:
		w.passed.add("%s", ref.Path())
		return
	}
	w.above = append(w.above, it)
	defer func() {
		w.above = w.above[:len(w.above)-1]
		w.added = min(w.added, len(w.above))
	}()

	level := &level{at: -1}
	for _, c := range children {
		it, in, ok := w.child(ref, it.name, c, whole)
		if ok {
			level.steps = append(level.steps, step{it, in})
		}
	}
	children = nil // the walk below may be long
	slices.SortFunc(level.steps, func(a, b step) int { return strings.Compare(a.name, b.name) })
	w.levels = append(w.levels, level)
	defer func() { w.levels = w.levels[:len(w.levels)-1] }()
	w.ahead()
	for level.at = range level.steps {
		c := &level.steps[level.at]
		if w.stopped {
			return
		}
		if !c.isDir() {
			w.emit(c.item)
			continue
		}
		kept := len(w.pending)
		w.dir(c.item, c.whole)
		if !c.mounted {
			w.folder(c.item, c.whole)
		}
		w.pending = w.pending[:min(kept, len(w.pending))]
	}
}

// child decides what becomes of one child of a folder: ok tells whether it is
// stored, whole whether all that is in it is wanted.
func (w *walker) child(parent source.Ref, prefix string, c source.Child, whole bool) (it item, in, ok bool) {
	ref := parent
	ref.Rel = c.Name
	if parent.Rel != "." {
		ref.Rel = parent.Rel + "/" + c.Name
	}
	follow := c.Err == nil && c.IsSymlink() && w.a.Symlinks == SymlinksFollow
	if follow {
		c.Stat, c.Err = ref.Lstat()
		if c.Err == nil && c.IsRegular() {
			c.Err = w.readable(ref)
		}
	}
	isDir := c.Err == nil && c.IsDir()
	if w.exclude.match(ref.Rel, isDir) {
		return item{}, false, false
	}
	in = w.include.match(ref.Rel, isDir) || whole
	if !in && !(isDir && w.include.reach(ref.Rel)) {
		return item{}, false, false
	}
	if w.leave != nil && !isDir && !c.IsSymlink() && w.leave(ref.Path()) {
		return item{}, false, false
	}
	if c.Err != nil {
		w.childError(ref, c.Err, follow)
		return item{}, false, false
	}
	if w.restSince != 0 && w.a.OnBusy == OnBusySkip && c.IsRegular() && c.Ctime > w.restSince {
		w.moving.add("%s", ref.Path())
		return item{}, false, false
	}
	it = item{rel: ref.Rel, stat: c.Stat, linked: follow}
	// Files of an overlay can be on other devices than their folder: they have to be
	// mounted on as well.
	if w.a.OneFileSystem && c.Dev != w.dev && (isDir || c.MountPoint) {
		w.passed.add("%s", ref.Path())
		it.mounted = true
	}
	switch {
	case it.mounted && !isDir:
		return item{}, false, false
	case it.mounted:
	case w.mounts.vzip[c.Dev]:
		w.vzipInside(ref.Path())
		return item{}, false, false
	case isDir:
		if follow && slices.ContainsFunc(w.above, func(f item) bool { return f.stat.Dev == c.Dev && f.stat.Ino == c.Ino }) {
			w.source("the symbolic link %s leads to a folder that it is in: exclude it, or use symlinks: store", ref.Path())
			return item{}, false, false
		}
	case c.IsSymlink(): // not followed
		switch w.a.Symlinks {
		case SymlinksSkip:
			w.plan.SkippedLinks++
			return item{}, false, false
		case SymlinksError:
			w.problem("%s is a symbolic link, and symlinks: error forbids them: exclude it, or use store, follow or skip", ref.Path())
			return item{}, false, false
		}
		it.target = c.Target
	case !c.IsRegular():
		if w.a.Special == SpecialError {
			w.problem("%s is %s, and special: error forbids it: exclude it, or use skip", ref.Path(), specialKind(c.Mode))
		} else {
			w.special.add("%s (%s)", ref.Path(), specialKind(c.Mode))
		}
		return item{}, false, false
	}
	name, err := w.a.Names.spell(c.Name)
	if err != nil {
		w.problem("in %s: %v", parent.Path(), err)
		return item{}, false, false
	}
	switch {
	case isDir:
		it.name = prefix + name + "/"
	case len(prefix)+len(name) == len(ref.Rel) && strings.HasPrefix(ref.Rel, prefix) && strings.HasSuffix(ref.Rel, name):
		it.name = ref.Rel // is in memory already
	default:
		it.name = prefix + name
	}
	if len(it.name) > zipgen.MaxNameLen {
		w.problem("in %s: a name inside the archive has %d bytes, at most %d fit: exclude it", parent.Path(), len(it.name), zipgen.MaxNameLen)
		return item{}, false, false
	}
	return it, in, true
}

func (w *walker) childError(ref source.Ref, err error, follow bool) {
	err = cause(err)
	switch {
	case follow && errors.Is(err, unix.EXDEV):
		w.source("the symbolic link %s is absolute or leads out of the source folder, and is not followed there: exclude it, or use symlinks: store", ref.Path())
	case follow && errors.Is(err, fs.ErrNotExist):
		w.source("the symbolic link %s leads nowhere: exclude it, or use symlinks: store", ref.Path())
	case follow && errors.Is(err, unix.ELOOP):
		w.source("the symbolic link %s leads to itself: exclude it, or use symlinks: store", ref.Path())
	case errors.Is(err, unix.ENOTCONN):
		w.source("source %s: %v: %s, or exclude it", ref.Path(), err, deadHint)
	default:
		w.source("source %s: %v: make it readable, or exclude it", ref.Path(), err)
	}
}

// vzipInside tells of a vzip mount that the source holds.
func (w *walker) vzipInside(path string) {
	w.source("source %s: a vzip mount; archives of archives could wait for each other: exclude it", path)
}

// inVzip says that a source lies in a vzip mount.
func inVzip(path, point string) string {
	return fmt.Sprintf("source %s: it lies in the vzip mount %s; archives of archives could wait for each other: name another source", path, point)
}

// deadHint is what to do about a mount that nobody serves any more (ENOTCONN).
const deadHint = "the program that served this mount is gone: unmount it"

func specialKind(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return "a FIFO"
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFBLK:
		return "a block device"
	case unix.S_IFCHR:
		return "a character device"
	}
	return "of an unknown file type"
}

package layout

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"iter"
	"os"
	"strings"

	"vzip/internal/oneline"
	"vzip/internal/snapshot"
	"vzip/internal/source"
	"vzip/zipgen"
)

// ScanOptions are what a scan is asked for. The zero value scans all, and warns
// nobody.
type ScanOptions struct {
	Only string       // name of the one archive that is wanted; "" for all
	Warn func(string) // takes what the user should know and what stops nothing
	// Leave tells whether to leave a file out as if it were excluded, by its
	// absolute path as [source.Ref.Path] has it. Folders and links are not asked
	// about.
	Leave func(path string) bool
	// RestSince, if not 0, leaves files out whose status changed later, in nanoseconds
	// since 1970, of archives with on_busy: skip.
	RestSince int64
	// Folder, if set, is told the absolute path of each folder before it is listed,
	// and of the folders of sources that are files.
	Folder func(path string)
	// Snapshot, if set, makes folders for the clones of archives with snapshot; otherwise
	// their sources are taken as they are.
	Snapshot func(dir string) (*snapshot.Archive, error)
}

// Scan walks the sources and returns the archives' plans. A *Problems error has
// all that is wrong.
func (l *Layout) Scan(ctx context.Context, o ScanOptions) ([]*Plan, error) {
	problems := &Problems{File: l.File}
	var archives []*Archive
	for i := range l.Archives {
		if o.Only == "" || l.Archives[i].Name == o.Only {
			archives = append(archives, &l.Archives[i])
		}
	}
	listings := newListings(archives)
	listings.folder = o.Folder
	defer listings.wait()
	mounts, ways := readMounts(), map[string]*source.Stat{}
	var plans []*Plan
	for i, a := range archives {
		s := &scan{
			ctx: ctx, layout: l, a: a, problems: problems, listings: listings,
			// Root may read all; asking would cost a system call a file.
			access: os.Geteuid() != 0,
			leave:  o.Leave, restSince: o.RestSince,
			mounts: mounts, ways: ways, rights: rights{mounts: mounts},
			warn: func(format string, args ...any) {
				if o.Warn != nil {
					o.Warn(oneline.Text(fmt.Sprintf(format, args...)))
				}
			},
		}
		if o.Snapshot != nil && a.Snapshot != "" && len(problems.List) == 0 {
			s.leave, s.restSince = nil, 0 // a clone rests
			if err := s.startClones(o.Snapshot, len(l.roots)+i); err != nil {
				return nil, err
			}
		}
		plans = append(plans, s.archive())
		if err := cmp.Or(ctx.Err(), s.failed); err != nil {
			return nil, err
		}
	}
	if err := problems.orNil(); err != nil {
		return nil, err
	}
	return plans, nil
}

// scan works out one archive.
type scan struct {
	ctx       context.Context
	layout    *Layout
	a         *Archive
	problems  *Problems
	listings  *listings
	access    bool
	leave     func(path string) bool
	restSince int64
	mounts    *mountTable
	ways      map[string]*source.Stat // folders above sources, by path
	rights    rights
	warn      func(format string, args ...any)

	plan    *Plan
	builder *zipgen.Builder
	clones  *clones // nil: files are read where they are
	failed  error   // what ends the scan, and is no problem of the layout
	// files are the files whose names the newest name starts with, to find those
	// that something else needs as a folder.
	files   []file
	special leftOut // FIFOs, sockets, devices
	moving  leftOut // files that changed after restSince
	passed  leftOut // mount points that were not entered
}

// leftOut counts what an archive should have had, perhaps, and keeps the first.
type leftOut struct {
	count int
	first string
}

func (l *leftOut) add(format string, args ...any) {
	if l.count++; l.count == 1 {
		l.first = fmt.Sprintf(format, args...)
	}
}

// file is an item that is no directory.
type file struct {
	item
	told bool // that something needs it as a folder
}

// stoppedEarly tells that enough is wrong: nobody reads more lines.
func (s *scan) stoppedEarly() bool { return len(s.problems.List) > maxProblems || s.failed != nil }

func (s *scan) archive() *Plan { return s.collect(s.merged()) }

// collect makes a plan of items in bytewise order, each name once.
func (s *scan) collect(items iter.Seq[item]) *Plan {
	s.plan = &Plan{Name: s.a.Name, layout: s.layout, archive: s.a, clones: s.clones}
	if s.clones != nil {
		defer s.clones.from.Done()
	}
	s.builder = zipgen.NewBuilder(zipgen.Options{
		Comment: s.a.Comment, Owners: s.a.Owners == OwnersStore, NTFSTimes: s.a.NTFSTimes, Align: s.alignment(),
	})
	devices := map[uint64]uint16{}
	packers := make([]packer, len(s.a.Mappings))
	for i := range packers {
		packers[i] = s.a.Mappings[i].packer()
	}
	for it := range items {
		if s.stoppedEarly() {
			break
		}
		if !s.place(&it) {
			continue
		}
		var clone source.Clone
		// With a problem nothing will be shown.
		if s.clones != nil && it.isFile() && len(s.problems.List) == 0 {
			var ok bool
			if clone, ok = s.freeze(&it); !ok {
				continue
			}
		}
		e := s.entry(&it)
		if err := s.builder.Add(e); err != nil {
			s.at(&it).problem("%s: %v: rename or exclude it", s.path(&it), err)
			continue
		}
		dev, ok := devices[it.stat.Dev]
		if !ok {
			if len(devices) > 1<<16-1 {
				s.at(&it).problem("%s: the sources lie on more than %d file systems: make several archives", s.path(&it), 1<<16-1)
				continue
			}
			dev = uint16(len(devices))
			devices[it.stat.Dev] = dev
			s.plan.devices = append(s.plan.devices, it.stat.Dev)
		}
		s.plan.add(&it, dev, e.ModTime, packers[it.mapping].packing(&it), &clone)
	}
	if s.failed != nil {
		return nil
	}
	if s.moving.count > 0 {
		s.warn("archive %s: %d files that change all the time left out because of on_busy: skip, the first is %s", s.a.Name, s.moving.count, s.moving.first)
	}
	if s.special.count > 0 {
		s.warn("archive %s: %d special files left out, the first is %s: exclude them to silence this, or set special: error", s.a.Name, s.special.count, s.special.first)
	}
	if s.passed.count > 0 {
		s.warn("archive %s: %d mount points not entered because of one_file_system, the first is %s: exclude them to silence this", s.a.Name, s.passed.count, s.passed.first)
	}
	archive, err := s.builder.Archive()
	if err != nil {
		s.problems.add(s.a.pos, false, "archive %q: %v", s.a.Name, err)
		return nil
	}
	s.plan.seal(archive)
	if !s.plan.Packs() { // otherwise its size is not known yet
		s.a.checkVolumes(s.problems, archive.Size())
	}
	s.plan.access = s.rights.access(isRoot())
	if n, first, second := clashes(archive); n > 0 {
		s.warn("archive %s: %d names differ from another in case or Unicode form alone, the first are %q and %q: on macOS and Windows only one of each is kept", s.a.Name, n, first, second)
	}
	if archive.Len() == 0 {
		s.plan.ModTime = 315532800 // 1980-01-01, the earliest that a ZIP can tell (4.4.6)
		if len(s.problems.List) == 0 && s.ctx.Err() == nil {
			s.warn("archive %s is empty", s.a.Name)
		}
	}
	return s.plan
}

// entry is what the archive stores for an item.
func (s *scan) entry(it *item) zipgen.Entry {
	e := zipgen.Entry{Name: it.name, Mode: it.stat.Mode & (zipgen.TypeMask | zipgen.PermMask), ModTime: it.stat.ModTime(), UID: it.stat.UID, GID: it.stat.GID}
	perm := uint32(0o644)
	switch {
	case it.isDir():
		perm = 0o755
	case it.target != "":
		e.Size, perm = int64(len(it.target)), 0o777
	default:
		e.Size = it.stat.Size
	}
	switch {
	case it.invented:
		e.Mode = zipgen.TypeDir | perm
	case s.a.Modes == ModesFixed:
		e.Mode = e.Mode&zipgen.TypeMask | perm
	}
	if s.a.ModTime != nil {
		e.ModTime = *s.a.ModTime
	}
	return e
}

// place reports an item that needs a file as a folder, the first for each file.
func (s *scan) place(it *item) bool {
	for len(s.files) > 0 && !strings.HasPrefix(it.name, s.files[len(s.files)-1].name) {
		s.files = s.files[:len(s.files)-1]
	}
	for i := range s.files {
		f := &s.files[i]
		if it.name[len(f.name)] != '/' {
			continue
		}
		if !f.told {
			s.at(it).problem("%q is a file (from %s), but %q (from %s) needs it as a folder: change as, or exclude one of them", f.name, s.path(&f.item), it.name, s.path(it))
			f.told = true
		}
		return false
	}
	if !it.isDir() {
		s.files = append(s.files, file{item: *it})
	}
	return true
}

// merged yields the items of all mappings in bytewise order, each name once.
func (s *scan) merged() iter.Seq[item] {
	return func(yield func(item) bool) {
		var h cursors
		defer func() {
			for _, c := range h {
				c.stop()
			}
		}()
		for i := range s.a.Mappings {
			next, stop := iter.Pull(s.mapping(i))
			if c := (&cursor{next: next, stop: stop}); c.advance() {
				h = append(h, c)
			}
		}
		heap.Init(&h)
		for len(h) > 0 {
			it := h.take()
			for len(h) > 0 && h[0].name == it.name {
				it = s.same(it, h.take())
			}
			if !yield(it) {
				return
			}
		}
	}
}

func (s *scan) mapping(i int) iter.Seq[item] {
	return func(yield func(item) bool) {
		m := &s.a.Mappings[i]
		w := &walker{scan: s, m: m, number: i, include: compile(m.Include), exclude: compile(m.Exclude), yield: yield}
		w.walk()
	}
}

// same decides between two items of one name.
func (s *scan) same(a, b item) item {
	switch {
	case a.isDir() && a.invented && b.invented:
		if b.stat.ModTime() > a.stat.ModTime() {
			return b
		}
		return a
	case a.isDir() && a.invented:
		return b
	case a.isDir(): // folders of several sources make one directory; the first source's mode and time count
		return a
	case s.path(&a) == s.path(&b): // sources that overlap
		return a
	}
	s.at(&b).problem("two sources for the entry %q: %s (line %d) and %s: change as, or exclude one of them", a.name, s.path(&a), s.a.Mappings[a.mapping].line, s.path(&b))
	return a
}

func (s *scan) path(it *item) string {
	ref := s.a.Mappings[it.mapping].ref
	if it.invented {
		return s.a.Mappings[it.mapping].Source
	}
	ref.Rel = it.rel
	return ref.Path()
}

// at is the place in the layout file that a problem is told at.
type at struct {
	*scan
	*Mapping
}

func (s *scan) at(it *item) at { return at{s, &s.a.Mappings[it.mapping]} }

func (a at) problem(format string, args ...any) {
	a.problems.add(a.pos, false, format, args...)
}

func (w *walker) problem(format string, args ...any) {
	w.problems.add(w.m.pos, false, format, args...)
	w.stopped = w.stopped || w.stoppedEarly()
}

func (w *walker) source(format string, args ...any) {
	w.problems.add(w.m.pos, true, format, args...)
	w.stopped = w.stopped || w.stoppedEarly()
}

// cursor is a mapping's walk with the item that comes next.
type cursor struct {
	item
	next func() (item, bool)
	stop func()
}

func (c *cursor) advance() (ok bool) {
	c.item, ok = c.next()
	return ok
}

// cursors is a heap by name, then by mapping, so that the order never depends on
// chance.
type cursors []*cursor

func (h cursors) Len() int      { return len(h) }
func (h cursors) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h cursors) Less(i, j int) bool {
	if h[i].name != h[j].name {
		return h[i].name < h[j].name
	}
	return h[i].mapping < h[j].mapping
}
func (h *cursors) Push(x any) { *h = append(*h, x.(*cursor)) }
func (h *cursors) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// take returns the first item and advances its walk.
func (h *cursors) take() item {
	c := (*h)[0]
	it := c.item
	if c.advance() {
		heap.Fix(h, 0)
	} else {
		heap.Pop(h)
	}
	return it
}

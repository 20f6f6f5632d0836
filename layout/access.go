package layout

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"vzip/internal/seeded"
	"vzip/internal/source"
)

// Access says who may read an archive where the mount lets other users in.
type Access struct {
	UID, GID       uint32
	HasUID, HasGID bool   // false: the daemon's own
	Mode           uint32 // permission bits: 0444, 0440 or 0400
}

// Access returns who may read the archive: with expose: world everybody, otherwise
// only those who may read every source file themselves, list every folder that
// has one, and search all folders above. Who may is worked out from owners and
// permission bits as they were scanned. What else can stand in the way of a reader
// is not looked at: entries of POSIX ACLs for single users, security modules, the
// rights that a file server checks itself.
func (p *Plan) Access() Access {
	if seeded.On("open-to-all") {
		return Access{Mode: 0o444}
	}
	return p.access
}

// What a reader needs, as the bits of one class.
const (
	canRead   = 0o4
	canSearch = 0o1
)

// rights works out an archive's Access while its sources are walked. It keeps
// nothing per source: as soon as one is not open to all, only its owner and its
// group can be those who may read every source.
type rights struct {
	closed       bool   // to all but the daemon
	narrow       bool   // something is not open to all
	uid, gid     uint32 // of the first such thing
	noUID, noGID bool   // neither may they

	mounts *mountTable
	dev    uint64 // looked up last
}

// add takes a file or folder of which readers need these bits. A class counts
// only with those before it: the kernel takes the first that fits a reader, so
// that mode 0604 keeps the file's group out.
func (r *rights) add(s *source.Stat, need uint32) {
	if s.Dev != r.dev {
		r.dev = s.Dev
		r.closed = r.closed || r.mounts.private[s.Dev]
	}
	owner, group, other := s.Mode>>6&need == need, s.Mode>>3&need == need, s.Mode&need == need
	switch {
	case !owner:
		r.closed = true
	case group && other:
	default:
		if !r.narrow {
			r.narrow, r.uid, r.gid = true, s.UID, s.GID
		}
		r.noUID = r.noUID || s.UID != r.uid
		r.noGID = r.noGID || s.GID != r.gid || !group
	}
}

// access is what the archive gets. The archives of a daemon that is not root's stay
// its own: it could not read them otherwise.
func (r *rights) access(rootDaemon bool) Access {
	switch {
	case r.closed:
		return Access{Mode: 0o400}
	case !r.narrow:
		return Access{Mode: 0o444}
	}
	a := Access{Mode: 0o400}
	if !r.noUID && rootDaemon {
		a.UID, a.HasUID = r.uid, true
	}
	if !r.noGID {
		a.GID, a.HasGID, a.Mode = r.gid, true, 0o440
	}
	return a
}

// grant adds what readers need for an item: the item, and what is above it and was
// not added yet. Folders in which nothing is stored don't count.
func (w *walker) grant(it *item) {
	if w.a.Expose == ExposeWorld {
		return
	}
	if !w.wayAdded {
		w.wayAdded = true
		w.addWay()
	}
	for ; w.added < len(w.above); w.added++ {
		w.addItem(&w.above[w.added])
	}
	if !it.invented && !it.mounted {
		w.addItem(it)
	}
}

func (w *walker) addItem(it *item) {
	if it.linked {
		w.addLink(it.rel)
	}
	ref := w.m.ref
	ref.Rel = it.rel
	switch {
	case it.isDir() || it.name == "": // "" is the archive's root
		w.rights.addAt(ref, &it.stat, canRead|canSearch)
	case it.target == "": // links have no bits of their own
		w.rights.addAt(ref, &it.stat, canRead)
	}
}

// addAt is add, but takes no group for one that may read what is closed to others
// where it has a POSIX ACL: then the ACL's mask stands in place of the group's
// bits.
func (r *rights) addAt(ref source.Ref, s *source.Stat, need uint32) {
	if group, other := s.Mode>>3&need == need, s.Mode&need == need; group && !other && hasACL(ref.Path()) {
		masked := *s
		masked.Mode &^= 0o070
		s = &masked
	}
	r.add(s, need)
}

// hasACL tells whether a path has a POSIX ACL, also where that can't be told.
func hasACL(path string) bool {
	_, err := unix.Lgetxattr(path, "system.posix_acl_access", nil)
	return err != unix.ENODATA && err != unix.EOPNOTSUPP
}

// addWay adds the folders above the source.
func (w *walker) addWay() {
	for dir := w.m.ref.Path(); dir != "/"; {
		dir = filepath.Dir(dir)
		s, ok := w.ways[dir]
		if !ok {
			s = &source.Stat{} // nobody may
			if stat, err := (source.Ref{Root: dir, Rel: "."}).Lstat(); err == nil {
				s = &stat
			}
			w.ways[dir] = s
		}
		w.rights.addAt(source.Ref{Root: dir, Rel: "."}, s, canSearch)
	}
}

// addLink adds the folders on the way to what the link at rel leads to. Where they
// can't be told nobody may read the archive.
func (w *walker) addLink(rel string) {
	ref := source.Ref{Root: w.m.ref.Root, Pulse: w.m.ref.Pulse}
	stat := func(rel string) (s source.Stat, ok bool) {
		ref.Rel = rel
		s, err := ref.Lstat()
		w.rights.closed = w.rights.closed || err != nil
		return s, err == nil
	}
	const most = 40 // links, as the kernel has it
	at, rest, links := ".", rel, 0
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		folder, ok := stat(at)
		if !ok {
			return
		}
		w.rights.add(&folder, canSearch)
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		s, ok := stat(next)
		if !ok {
			return
		}
		if !s.IsSymlink() {
			at = next
			continue
		}
		target, err := os.Readlink(filepath.Join(ref.Root, next))
		if links++; err != nil || links > most || strings.HasPrefix(target, "/") {
			w.rights.closed = true
			return
		}
		rest = strings.TrimSuffix(target+"/"+rest, "/")
	}
}

// isRoot tells whether the daemon is root's, who may read all.
func isRoot() bool { return unix.Geteuid() == 0 }

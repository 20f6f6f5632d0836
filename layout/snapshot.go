package layout

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	"gopkg.in/yaml.v3"

	"vzip/internal/snapshot"
	"vzip/internal/source"
	"vzip/zipgen"
)

func (p *parser) snapshot(n *yaml.Node, o *Options) {
	p.folder(n, "snapshot", &o.Snapshot, &o.snapshotPos)
}

// folder reads the path of a folder, or none.
func (p *parser) folder(n *yaml.Node, key string, dir *string, at *pos) {
	s, ok := p.text(n, key)
	switch {
	case !ok:
	case s == "none":
		*dir, *at = "", pos{}
	case s == "":
		p.at(n, "%s is empty: give the path of a folder, or none", key)
	case strings.ContainsRune(s, 0):
		p.at(n, "%s %q holds a NUL byte: give the path of a folder", key, s)
	case filepath.IsAbs(s):
		*dir, *at = filepath.Clean(s), pos{n.Line, n.Column}
	default:
		*dir, *at = filepath.Join(p.dir, s), pos{n.Line, n.Column}
	}
}

// Snapshots yields the absolute paths of all folders for clones, links in them resolved.
func (l *Layout) Snapshots() []string {
	var paths []string
	for i := range l.Archives {
		if dir := l.Archives[i].Snapshot; dir != "" {
			paths = append(paths, dir)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// findSnapshots looks at the folders for clones, and refuses those that can't work, as
// far as that can be told without writing.
func (l *Layout) findSnapshots(problems *Problems) {
	told := map[string]bool{} // one line for a default of many archives
	for i := range l.Archives {
		a := &l.Archives[i]
		if a.Snapshot == "" {
			continue
		}
		dir, what := l.findSnapshot(a)
		if what != "" && !told[fmt.Sprint(a.snapshotPos, what)] {
			told[fmt.Sprint(a.snapshotPos, what)] = true
			problems.add(a.snapshotPos, false, "snapshot %s%s", a.Snapshot, what)
		}
		if dir != "" {
			a.Snapshot = dir
		}
	}
}

// findSnapshot returns the path without links, and what is wrong with the folder.
func (l *Layout) findSnapshot(a *Archive) (dir, what string) {
	var is unix.Stat_t
	err := unix.Stat(a.Snapshot, &is)
	if err == nil {
		dir, err = filepath.EvalSymlinks(a.Snapshot)
	}
	switch {
	case err != nil:
		return "", fmt.Sprintf(": %v: make the folder, or name another", cause(err))
	case is.Mode&unix.S_IFMT != unix.S_IFDIR:
		return "", " is no folder: name one"
	}
	for i := range l.Archives {
		for j := range l.Archives[i].Mappings {
			m := &l.Archives[i].Mappings[j]
			if root := m.ref.Path(); m.stat.IsDir() && isBelow(dir, root) {
				if rel, err := filepath.Rel(root, dir); err == nil && (rel == "." || m.enters(rel)) {
					return dir, fmt.Sprintf(": it lies in the source %s of archive %s, which would store the clones: exclude that folder, or name one outside", m.Source, l.Archives[i].Name)
				}
			}
		}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return dir, fmt.Sprintf(": %v: name another folder", err)
	}
	switch uint32(fs.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.F2FS_SUPER_MAGIC, unix.MSDOS_SUPER_MAGIC, unix.SQUASHFS_MAGIC:
		return dir, ": " + cannotClone
	case unix.XFS_SUPER_MAGIC: // others may show several devices, as subvolumes of Btrfs do
		for i := range a.Mappings {
			if m := &a.Mappings[i]; m.ref.Root != "" && m.stat.Dev != is.Dev {
				return dir, fmt.Sprintf(": it is on another file system than the source %s: name a folder on that one", m.Source)
			}
		}
	}
	return dir, ""
}

const cannotClone = "its file system can't clone files: name a folder on one that can (XFS, Btrfs, bcachefs, ZFS), with the sources on it, too, or leave snapshot out"

// clones are where the files of an archive with snapshot are read: what a plan has of
// sources is what they were when they were cloned.
type clones struct {
	from   *snapshot.Archive
	number int // tells Root from the layout's roots
	ctime  zipgen.Column
	btime  zipgen.Column // nanoseconds after ctime
	ino    zipgen.Column
}

func (c *clones) add(id source.Identity) {
	c.ctime.Add(uint64(id.Ctime))
	c.btime.Add(uint64(id.Btime - id.Ctime))
	c.ino.Add(id.Ino)
}

func (c *clones) seal() {
	for _, column := range []*zipgen.Column{&c.ctime, &c.btime, &c.ino} {
		column.Seal()
	}
}

// startClones makes the folder for an archive's clones.
func (s *scan) startClones(make func(dir string) (*snapshot.Archive, error), number int) error {
	from, err := make(s.a.Snapshot)
	s.clones = &clones{from: from, number: number}
	return err
}

// freeze clones an item's file, and gives the item what the file was then: since the folder
// was listed it may have been written to, or replaced. It is false where the file is to be
// left out.
func (s *scan) freeze(it *item) (c source.Clone, ok bool) {
	m := &s.a.Mappings[it.mapping]
	ref := m.ref
	ref.Rel = it.rel
	c, err := s.clones.from.Clone(s.plan.count, ref)
	var cannot *source.CloneError
	switch {
	case err == nil:
	case errors.As(err, new(*source.ChangedError)) && it.rel != m.ref.Rel:
		return c, false // deleted since its folder was listed
	case errors.As(err, new(*source.ChangedError)), errors.Is(err, unix.EACCES):
		s.problems.add(m.pos, true, "source %v: make it readable, or exclude it", err)
		return c, false
	case errors.As(err, &cannot):
		s.problems.add(s.a.snapshotPos, false, "snapshot %s: %s", s.a.Snapshot, cloneHint(cannot))
		return c, false
	default:
		s.failed = fmt.Errorf("snapshot %s: %w: make room there if it is full, or name another folder", s.a.Snapshot, err)
		return c, false
	}
	was := it.stat
	it.stat = c.Was
	it.stat.Size = c.Size
	s.grantAgain(it, &was)
	return c, true
}

// cloneHint says what to do about a file that can't be cloned.
func cloneHint(e *source.CloneError) string {
	switch e.Err {
	case unix.EXDEV:
		return fmt.Sprintf("%v: it is on another file system: name a folder on that one, or exclude the file", e)
	case unix.ETXTBSY:
		return fmt.Sprintf("%v: it is in use as swap space: exclude it", e)
	case unix.EINVAL:
		return fmt.Sprintf("%v: on Btrfs both need to be with, or without, the attribute C of chattr(1); elsewhere %s", e, cannotClone)
	}
	return fmt.Sprintf("%v: %s", e, cannotClone)
}

// grantAgain adds what readers need for a file that was cloned after its folder was listed,
// where that is something else now.
func (s *scan) grantAgain(it *item, was *source.Stat) {
	is := &it.stat
	if s.a.Expose == ExposeWorld {
		return
	}
	ref := s.a.Mappings[it.mapping].ref
	ref.Rel = it.rel
	if is.Mode != was.Mode || is.UID != was.UID || is.GID != was.GID {
		s.rights.addAt(ref, is, canRead)
	}
	if is.Ino == was.Ino && is.Dev == was.Dev && is.Btime == was.Btime {
		return
	}
	// Another file, perhaps in other folders.
	s.rights.closed = s.rights.closed || it.linked
	for ref.Rel != "." {
		ref.Rel = path.Dir(ref.Rel)
		folder, err := ref.Lstat()
		if err != nil {
			s.rights.closed = true
			return
		}
		s.rights.addAt(ref, &folder, canRead|canSearch)
	}
}

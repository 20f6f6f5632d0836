package vfs

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Overlap returns the source that a mountpoint lies in, or that lies in the
// mountpoint: one would hide or contain the other. Paths are absolute and
// without links; what bind mounts show in several places is noticed too, because
// a mount on one of them may spread to the others.
func Overlap(dir string, sources []string) (source string, overlaps bool) {
	mounts, _ := mountinfo.GetMounts(nil) // without /proc paths have to do
	dirs := places(dir, mounts)
	for _, s := range sources {
		if within(dir, s) || within(s, dir) {
			return s, true
		}
		// The first place is that of the folder itself.
		if ss := places(s, mounts); len(dirs) > 0 && len(ss) > 0 && (dirs[0].withinAny(ss) || ss[0].withinAny(dirs)) {
			return s, true
		}
	}
	return "", false
}

// within tells whether p is the folder dir or below it.
func within(p, dir string) bool {
	target, err := os.Stat(dir)
	for {
		if p == dir {
			return true
		}
		if fi, statErr := os.Stat(p); err == nil && statErr == nil && os.SameFile(fi, target) {
			return true
		}
		if p == "/" {
			return false
		}
		p = filepath.Dir(p)
	}
}

// place is a path in a file system, from that file system's own root.
type place struct {
	major, minor int
	path         string
}

func (p place) withinAny(list []place) bool {
	for _, q := range list {
		if p.major == q.major && p.minor == q.minor && below(p.path, q.path) {
			return true
		}
	}
	return false
}

// below tells whether p is dir or below it, by name.
func below(p, dir string) bool { return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/") }

// places returns where p is, then what is mounted below it; nothing if that can't
// be found out.
func places(p string, mounts []*mountinfo.Info) []place {
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, p, 0, unix.STATX_MNT_ID, &st) != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return nil
	}
	var own, mounted []place
	for _, m := range mounts {
		switch {
		case uint64(m.ID) == st.Mnt_id && below(p, m.Mountpoint):
			own = append(own, place{m.Major, m.Minor, path.Join(m.Root, strings.TrimPrefix(p, m.Mountpoint))})
		case m.Mountpoint != p && below(m.Mountpoint, p):
			mounted = append(mounted, place{m.Major, m.Minor, m.Root})
		}
	}
	if len(own) == 0 {
		return nil
	}
	return append(own, mounted...)
}

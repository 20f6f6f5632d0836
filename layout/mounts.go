package layout

import (
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// mountTable is what a scan has to know of the mount table.
type mountTable struct {
	vzip    map[uint64]bool // devices of vzip's mounts
	points  []string        // where they can be seen, binds of their folders and files among them
	private map[uint64]bool // devices of FUSE mounts that no other user may enter
}

// readMounts reads the mount table. Where there is none, nothing is known to be
// mounted: a scan can do without.
func readMounts() *mountTable {
	t := &mountTable{vzip: map[uint64]bool{}, private: map[uint64]bool{}}
	all, _ := mountinfo.GetMounts(nil)
	for i, m := range all {
		dev := unix.Mkdev(uint32(m.Major), uint32(m.Minor))
		kind, sub, _ := strings.Cut(m.FSType, ".")
		if kind != "fuse" && kind != "fuseblk" {
			continue
		}
		if !strings.Contains(","+m.VFSOptions+",", ",allow_other,") {
			t.private[dev] = true
		}
		if sub == "vzip" {
			t.vzip[dev] = true
			if !isHidden(m.Mountpoint, all[i+1:]) {
				t.points = append(t.points, m.Mountpoint)
			}
		}
	}
	return t
}

// isHidden tells whether one of the later mounts hides what is mounted at point.
func isHidden(point string, later []*mountinfo.Info) bool {
	for _, m := range later {
		if isBelow(point, m.Mountpoint) {
			return true
		}
	}
	return false
}

// at returns the vzip mount that a path is at or below, or "". It looks at the
// path alone: a file system whose program hangs is not asked.
func (t *mountTable) at(p string) string {
	for _, point := range t.points {
		if isBelow(p, point) {
			return point
		}
	}
	return ""
}

// isBelow tells whether p is dir or below it; both are absolute and clean.
func isBelow(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// vzipBelow returns a vzip mount below the mapping's source that its patterns
// leave in, or "".
func (m *Mapping) vzipBelow(t *mountTable) string {
	root := m.ref.Path()
	for _, point := range t.points {
		if rel, err := filepath.Rel(root, point); err == nil && isBelow(point, root) && m.enters(rel) {
			return point
		}
	}
	return ""
}

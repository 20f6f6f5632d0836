package layout

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"vzip/internal/require"
	"vzip/internal/source"
)

func owned(uid, gid uint32) Access {
	return Access{UID: uid, GID: gid, HasUID: true, HasGID: true, Mode: 0o440}
}

func byOwner(uid uint32) Access { return Access{UID: uid, HasUID: true, Mode: 0o400} }

func byGroup(gid uint32) Access { return Access{GID: gid, HasGID: true, Mode: 0o440} }

var (
	everybody = Access{Mode: 0o444}
	nobody    = Access{Mode: 0o400}
)

// Who may read an archive, from what was found: "d" marks a folder, "s" one above
// the source.
func TestRights(t *testing.T) {
	t.Parallel()
	type object struct {
		kind     byte
		mode     uint32
		uid, gid uint32
	}
	for _, tt := range []struct {
		name    string
		objects []object
		want    Access
		user    Access // the same where the daemon is not root's
	}{
		{"nothing", nil, everybody, everybody},
		{"open", []object{{'f', 0o644, 1, 1}, {'d', 0o755, 2, 2}, {'s', 0o711, 3, 3}}, everybody, everybody},
		{"read-only", []object{{'f', 0o444, 1, 1}}, everybody, everybody},
		{"set-user-ID and sticky", []object{{'f', 0o6755, 1, 1}, {'d', 0o1777, 1, 1}}, everybody, everybody},
		{"private file", []object{{'f', 0o644, 2, 2}, {'f', 0o600, 1, 1}}, byOwner(1), nobody},
		{"private file first", []object{{'f', 0o600, 1, 1}, {'f', 0o644, 2, 2}}, byOwner(1), nobody},
		{"private files of two", []object{{'f', 0o600, 1, 1}, {'f', 0o600, 2, 1}}, nobody, nobody},
		{"root's private file", []object{{'f', 0o600, 0, 0}}, byOwner(0), nobody},
		{"group's file", []object{{'f', 0o640, 1, 9}}, owned(1, 9), byGroup(9)},
		{"group's file of another owner", []object{{'f', 0o640, 1, 9}, {'f', 0o640, 2, 9}}, byGroup(9), byGroup(9)},
		{"files of two groups", []object{{'f', 0o640, 1, 9}, {'f', 0o640, 1, 8}}, byOwner(1), nobody},
		{"files of two groups and owners", []object{{'f', 0o640, 1, 9}, {'f', 0o640, 2, 8}}, nobody, nobody},
		{"group's file beside a private one", []object{{'f', 0o640, 1, 9}, {'f', 0o600, 1, 9}}, byOwner(1), nobody},
		{"open file beside a group's", []object{{'f', 0o644, 5, 5}, {'f', 0o640, 1, 9}, {'f', 0o755, 6, 6}}, owned(1, 9), byGroup(9)},
		{"group kept out", []object{{'f', 0o604, 1, 9}}, byOwner(1), nobody},
		{"owner kept out", []object{{'f', 0o044, 1, 9}}, nobody, nobody},
		{"owner kept out of an open folder", []object{{'f', 0o644, 1, 9}, {'d', 0o055, 2, 9}}, nobody, nobody},
		{"no rights", []object{{'f', 0, 1, 1}}, nobody, nobody},
		{"write-only for others", []object{{'f', 0o622, 1, 1}}, byOwner(1), nobody},
		{"execute-only for others", []object{{'f', 0o711, 1, 1}}, byOwner(1), nobody},
		{"private folder", []object{{'d', 0o700, 1, 1}, {'f', 0o644, 1, 1}}, byOwner(1), nobody},
		{"private folder of root's", []object{{'d', 0o700, 0, 0}, {'f', 0o644, 1, 1}}, byOwner(0), nobody},
		{"private folder and file of two", []object{{'d', 0o700, 1, 1}, {'f', 0o600, 2, 1}}, nobody, nobody},
		{"folder to search, not to list", []object{{'d', 0o711, 1, 9}}, byOwner(1), nobody},
		{"folder to list, not to search", []object{{'d', 0o744, 1, 9}}, byOwner(1), nobody},
		{"folder above, to search", []object{{'s', 0o711, 1, 9}}, everybody, everybody},
		{"folder above, to list", []object{{'s', 0o744, 1, 9}, {'f', 0o644, 2, 2}}, byOwner(1), nobody},
		{"folder above for a group", []object{{'s', 0o710, 1, 9}, {'f', 0o644, 2, 2}}, owned(1, 9), byGroup(9)},
		{"home folder of a group's files", []object{{'s', 0o755, 0, 0}, {'s', 0o750, 1, 9}, {'d', 0o2770, 2, 9}, {'f', 0o660, 3, 9}}, byGroup(9), byGroup(9)},
	} {
		r := rights{mounts: &mountTable{}}
		for _, o := range tt.objects {
			need := map[byte]uint32{'f': canRead, 'd': canRead | canSearch, 's': canSearch}[o.kind]
			r.add(&source.Stat{Mode: o.mode, UID: o.uid, GID: o.gid}, need)
		}
		if got := r.access(true); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
		if got := r.access(false); got != tt.user {
			t.Errorf("%s, with a user's daemon: got %+v, want %+v", tt.name, got, tt.user)
		}
	}
}

// Device numbers of FUSE mounts without allow_other keep all others out, wherever
// they come.
func TestRightsOfPrivateMounts(t *testing.T) {
	t.Parallel()
	for _, devices := range [][]uint64{{7}, {7, 1}, {1, 7}, {1, 7, 1}, {1, 1, 7}} {
		r := rights{mounts: &mountTable{private: map[uint64]bool{7: true}}}
		for _, dev := range devices {
			r.add(&source.Stat{Dev: dev, Mode: 0o644}, canRead)
		}
		if got := r.access(true); got != nobody {
			t.Errorf("%v: got %+v, want %+v", devices, got, nobody)
		}
	}
}

// setModes sets permissions, by name.
func setModes(t *testing.T, dir string, modes map[string]uint32) {
	t.Helper()
	for name, mode := range modes {
		must(t, unix.Chmod(filepath.Join(dir, name), mode))
	}
}

// openTempDir is a folder that every user may come to.
func openTempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o755))
	return dir
}

// What counts of a tree for the archive's rights.
func TestAccess(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root") // a user's folder for temporary files may be closed
	files := []string{"up/src/a", "up/src/d/b", "up/src/e/", "up/src/p/c", "up/src/p/q/x", "up/src/to-b -> d/b", "up/src/to-d -> d", "up/src/to-c -> d/../p/c", "up/src/hop -> p/hop", "up/src/p/hop -> ../d/b"}
	private := byOwner(0)
	for _, tt := range []struct {
		name, text string
		modes      map[string]uint32
		want       Access
	}{
		{"open", one("", "source: up/src"), nil, everybody},
		{"private file", one("", "source: up/src"), map[string]uint32{"up/src/a": 0o600}, private},
		{"excluded file", one("", "{source: up/src, exclude: [a]}"), map[string]uint32{"up/src/a": 0o600}, everybody},
		{"file that is not included", one("", "{source: up/src, include: [d]}"), map[string]uint32{"up/src/a": 0o600}, everybody},
		{"group's file", one("", "source: up/src"), map[string]uint32{"up/src/a": 0o640}, owned(0, 0)},
		{"world", one("expose: world", "source: up/src"), map[string]uint32{"up/src/a": 0o600, "up": 0o700}, everybody},
		{"folder of the source", one("", "{source: up/src, as: .}"), map[string]uint32{"up/src": 0o700}, private},
		{"folder above", one("", "source: up/src"), map[string]uint32{"up": 0o700}, private},
		{"folder above a file", one("", "{source: up/src/a}"), map[string]uint32{"up/src": 0o700}, private},
		{"folder above, to search", one("", "source: up/src"), map[string]uint32{"up": 0o711}, everybody},
		{"folder above a file, to search", one("", "source: up/src/a"), map[string]uint32{"up/src": 0o711}, everybody},
		{"folder inside", one("", "source: up/src"), map[string]uint32{"up/src/d": 0o711}, private},
		{"empty folder", one("", "source: up/src"), map[string]uint32{"up/src/e": 0o700}, private},
		{"empty folder, not stored", one("directories: false", "source: up/src"), map[string]uint32{"up/src/e": 0o700}, everybody},
		{"folder without entry of its own", one("directories: false", "source: up/src"), map[string]uint32{"up/src/d": 0o700}, private},
		{"folder that is looked into for nothing", one("", `{source: up/src, include: ["**/b"]}`), map[string]uint32{"up/src/p": 0o700, "up/src/p/q": 0o700}, everybody},
		{"folder that is looked into", one("", `{source: up/src, include: ["**/b"]}`), map[string]uint32{"up/src/d": 0o700}, private},
		{"folder above a folder that is looked into", one("", `{source: up/src, include: ["**/x"]}`), map[string]uint32{"up/src/p": 0o700}, private},
		{"folder after a deeper one", one("", `{source: up/src, include: ["d/b", "p/c"]}`), map[string]uint32{"up/src/p": 0o700}, private},
		{"two sources", one("", "source: up/src/d", "source: up/src/p"), map[string]uint32{"up/src/p/c": 0o600}, private},
		{"same files twice", one("", "{source: up/src, as: x}", "{source: up/src, as: x}"), map[string]uint32{"up/src/p/c": 0o600}, private},
		{"stored link", one("", "{source: up/src, include: [to-c]}"), map[string]uint32{"up/src/p": 0o700}, everybody},
		{"followed link", one("symlinks: follow", "{source: up/src, include: [to-b]}"), nil, everybody},
		{"followed link to a closed file", one("symlinks: follow", "{source: up/src, include: [to-b]}"), map[string]uint32{"up/src/d/b": 0o600}, private},
		{"followed link into a closed folder", one("symlinks: follow", "{source: up/src, include: [to-b]}"), map[string]uint32{"up/src/d": 0o700}, private},
		{"followed link into a folder to search", one("symlinks: follow", "{source: up/src, include: [to-b]}"), map[string]uint32{"up/src/d": 0o711}, everybody},
		{"followed link through a closed folder", one("symlinks: follow", "{source: up/src, include: [to-c]}"), map[string]uint32{"up/src/d": 0o700}, private},
		{"followed link by a link in a closed folder", one("symlinks: follow", "{source: up/src, include: [hop]}"), map[string]uint32{"up/src/p": 0o700}, private},
		{"followed link to a closed folder", one("symlinks: follow", "{source: up/src, include: [to-d/b]}"), map[string]uint32{"up/src/d": 0o711}, private},
		{"followed link without folders", one("symlinks: follow\n    directories: false", "{source: up/src, include: [to-d]}"), map[string]uint32{"up/src/d": 0o700}, private},
		{"empty archive", one("", "{source: up/src, include: [nothing]}"), map[string]uint32{"up": 0o700}, everybody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := openTempDir(t)
			tree(t, dir, files...)
			setModes(t, dir, tt.modes)
			plans, _ := scanAll(t, load(t, dir, tt.text))
			if got := plans[0].Access(); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Each archive has its own rights.
func TestAccessOfEach(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root")
	dir := openTempDir(t)
	tree(t, dir, "a/x", "b/x")
	setModes(t, dir, map[string]uint32{"a/x": 0o600})
	plans, _ := scanAll(t, load(t, dir, "version: 1\narchives:\n  - {name: a.zip, entries: [source: a]}\n  - {name: b.zip, entries: [source: b]}\n  - {name: c.zip, entries: [source: a]}\n"))
	var got []Access
	for _, p := range plans {
		got = append(got, p.Access())
	}
	if want := []Access{byOwner(0), everybody, byOwner(0)}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// With an ACL the group's bits are its mask, and say nothing of the group.
func TestRightsWithACL(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	access := func() Access {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		r := rights{mounts: &mountTable{}}
		r.addAt(source.Ref{Root: path, Rel: "."}, &source.Stat{Mode: st.Mode, UID: st.Uid, GID: st.Gid, Dev: st.Dev}, canRead)
		return r.access(true)
	}
	if got := access(); got.Mode != 0o440 || !got.HasGID {
		t.Errorf("without an ACL: got %+v, want the group's", got)
	}
	acl := binary.LittleEndian.AppendUint32(nil, 2) // the version (linux/posix_acl_xattr.h)
	for _, e := range [][3]uint32{{0x01, 6, 1<<32 - 1}, {0x02, 4, 12345}, {0x04, 0, 1<<32 - 1}, {0x10, 4, 1<<32 - 1}, {0x20, 0, 1<<32 - 1}} {
		acl = binary.LittleEndian.AppendUint16(acl, uint16(e[0])) // owner, a user, the group, the mask, others
		acl = binary.LittleEndian.AppendUint16(acl, uint16(e[1]))
		acl = binary.LittleEndian.AppendUint32(acl, e[2])
	}
	if err := unix.Setxattr(path, "system.posix_acl_access", acl, 0); err != nil {
		t.Fatalf("the folder for temporary files has no ACLs: %v", err)
	}
	if got := access(); got.Mode != 0o400 || got.HasGID {
		t.Errorf("with an ACL: got %+v, want nobody's but the owner's", got)
	}
}

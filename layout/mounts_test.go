package layout

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"vzip/internal/require"
)

// archives is the root of a file system that looks like a vzip mount: it holds
// a.zip, and a folder with b.zip.
type archives struct{ fs.Inode }

func (r *archives) OnAdd(ctx context.Context) {
	sub := r.NewPersistentInode(ctx, &fs.Inode{}, fs.StableAttr{Mode: syscall.S_IFDIR})
	r.AddChild("sub", sub, true)
	for name, parent := range map[string]*fs.Inode{"a.zip": &r.Inode, "b.zip": sub} {
		parent.AddChild(name, r.NewPersistentInode(ctx, &fs.MemRegularFile{Data: []byte("PK")}, fs.StableAttr{}), true)
	}
}

// mountVzip mounts what looks like vzip's.
func mountVzip(t *testing.T, dir string) {
	t.Helper()
	server, err := fs.Mount(dir, &archives{}, &fs.Options{MountOptions: fuse.MountOptions{Name: "vzip", FsName: "layout.yaml", DirectMount: true, AllowOther: true}})
	must(t, err)
	t.Cleanup(func() { must(t, server.Unmount()) })
}

// mountSilent mounts a vzip file system whose program never answers; dead tells
// that it ended.
func mountSilent(t *testing.T, dir string, dead bool) {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	must(t, unix.Mount("layout.yaml", dir, "fuse.vzip", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)))
	if dead {
		must(t, unix.Close(fd))
	}
	t.Cleanup(func() {
		must(t, unix.Unmount(dir, unix.MNT_DETACH))
		if !dead {
			must(t, unix.Close(fd))
		}
	})
}

func bind(t *testing.T, from, to string) {
	t.Helper()
	must(t, unix.Mount(from, to, "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(to, unix.MNT_DETACH)) })
}

const (
	inside  = ": a vzip mount; archives of archives could wait for each other: exclude it"
	waiting = "; archives of archives could wait for each other: name another source"
)

// No source is in a vzip mount, or has one in it.
func TestVzipMounts(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root", "fuse")
	dir := t.TempDir()
	tree(t, dir, "src/x", "src/d/zips/", "src/d/y", "src/link -> d/zips", "other/sub/bound/", "file/bound", "file/x", "to-zips -> src/d/zips", "hidden/zips/", "hidden/x")
	mountVzip(t, dir+"/src/d/zips")
	bind(t, dir+"/src/d/zips/sub", dir+"/other/sub/bound")
	bind(t, dir+"/src/d/zips/a.zip", dir+"/file/bound")
	bind(t, dir+"/src/d/zips", dir+"/hidden/zips")
	must(t, unix.Mount("tmpfs", dir+"/hidden", "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { must(t, unix.Unmount(dir+"/hidden", unix.MNT_DETACH)) })
	tree(t, dir, "hidden/z", "hidden/zips/")

	for _, tt := range []struct {
		name, text string
		want       string // what is wrong, without its place
		list       []string
	}{
		{"holding", one("", "source: src"), "source src/d/zips" + inside, nil},
		{"holding, deep", one("", "{source: ., as: x, exclude: [other, file]}"), "source src/d/zips" + inside, nil},
		{"at", one("", "source: src/d/zips"), "source src/d/zips: it lies in the vzip mount src/d/zips" + waiting, nil},
		{"below", one("", "source: src/d/zips/sub"), "source src/d/zips/sub: it lies in the vzip mount src/d/zips" + waiting, nil},
		{"an archive", one("", "source: src/d/zips/sub/b.zip"), "source src/d/zips/sub/b.zip: it lies in the vzip mount src/d/zips" + waiting, nil},
		{"by a link", one("", "{source: to-zips/sub, as: x}"), "source to-zips/sub: it lies in the vzip mount src/d/zips/sub" + waiting, nil},
		{"followed link", one("symlinks: follow", "{source: src, exclude: [d]}"), "source src/link" + inside, nil},
		{"bind mount inside", one("", "source: other"), "source other/sub/bound" + inside, nil},
		{"bind mount", one("", "source: other/sub/bound"), "source other/sub/bound: it lies in the vzip mount other/sub/bound" + waiting, nil},
		{"bind mount of an archive inside", one("", "source: file"), "source file/bound" + inside, nil},
		{"bind mount of an archive, under a folder's pattern", one("", "{source: file, exclude: [bound/]}"), "source file/bound" + inside, nil},
		{"bind mount of an archive, excluded", one("", "{source: file, exclude: [bound]}"), "", []string{"file/", "file/x = file/x"}},
		{"excluded", one("", "{source: src/d, exclude: [zips]}"), "", []string{"d/", "d/y = src/d/y"}},
		{"excluded by a folder's pattern", one("", "{source: src/d, exclude: [zips/]}"), "", []string{"d/", "d/y = src/d/y"}},
		{"folder above excluded", one("", "{source: src, exclude: [d]}"), "", []string{"src/", "src/link -> d/zips", "src/x = src/x"}},
		{"not included", one("", "{source: src, include: [x]}"), "", []string{"src/", "src/x = src/x"}},
		{"passed by", one("", `{source: src, include: ["d/y"]}`), "", []string{"src/", "src/d/", "src/d/y = src/d/y"}},
		{"one file system", one("one_file_system: true", "source: src/d"), "", []string{"d/", "d/y = src/d/y", "d/zips/"}},
		{"hidden by another mount", one("", "source: hidden"), "", []string{"hidden/", "hidden/z = hidden/z", "hidden/zips/"}},
	} {
		file := save(t, dir, tt.text)
		got, _ := attempt(t, file, env())
		if _, what, ok := strings.Cut(got, " "); ok && what != tt.want || !ok && tt.want != "" {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if tt.want == "" && got == "" {
			list, _ := shown(t, dir, tt.text)
			wantLines(t, list, tt.list)
		}
	}
}

// A vzip mount whose program is gone, or doesn't answer, is told as soon.
func TestSilentVzipMounts(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root", "fuse")
	for _, dead := range []bool{false, true} {
		dir := t.TempDir()
		tree(t, dir, "src/x", "src/d/zips/", "to-zips -> src/d/zips")
		mountSilent(t, dir+"/src/d/zips", dead)
		for _, tt := range []struct {
			name, text, want string
			ifHung           bool // whether a hung mount is told as well
		}{
			{"holding", one("", "source: src"), "source src/d/zips" + inside, true},
			{"at", one("", "source: src/d/zips"), "source src/d/zips: it lies in the vzip mount src/d/zips" + waiting, true},
			{"below", one("", "source: src/d/zips/a.zip"), "source src/d/zips/a.zip: it lies in the vzip mount src/d/zips" + waiting, true},
			{"by a link", one("", "source: to-zips"), "source to-zips: transport endpoint is not connected: the program that served this mount is gone: unmount it", false},
			{"one file system", one("one_file_system: true", "source: src"), "source src/d/zips: transport endpoint is not connected: the program that served this mount is gone: unmount it, or exclude it", false},
			{"folder above excluded", one("", "{source: src, exclude: [d]}"), "", true},
			{"excluded", one("", "{source: src/d, exclude: [zips]}"), "", false},
		} {
			if !dead && !tt.ifHung {
				continue
			}
			file := save(t, dir, tt.text)
			within(t, 10*time.Second, func() {
				got, _ := attempt(t, file, env())
				if _, what, _ := strings.Cut(got, " "); what != tt.want {
					t.Errorf("%s, dead %v: got %q, want %q", tt.name, dead, got, tt.want)
				}
			})
		}
	}
}

// The devices that other users may not enter are those of FUSE mounts without
// allow_other.
func TestPrivateMounts(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root", "fuse")
	dir := openTempDir(t)
	tree(t, dir, "open/", "closed/", "plain/x")
	for name, allow := range map[string]bool{"open": true, "closed": false} {
		server, err := fs.Mount(dir+"/"+name, &archives{}, &fs.Options{MountOptions: fuse.MountOptions{Name: "other", DirectMount: true, AllowOther: allow}})
		must(t, err)
		t.Cleanup(func() { must(t, server.Unmount()) })
	}
	for _, tt := range []struct {
		source string
		want   Access
	}{{"open", everybody}, {"closed", nobody}, {"closed/a.zip", nobody}, {"plain", everybody}} {
		// MemRegularFile's files are 0644 to all, and its folders 0755.
		plans, _ := scanAll(t, load(t, dir, one("", "source: "+tt.source)))
		if got := plans[0].Access(); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.source, got, tt.want)
		}
	}
}

func TestHiddenMounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		point string
		later []string
		want  bool
	}{
		{"/a/b", nil, false}, {"/a/b", []string{"/a/b"}, true}, {"/a/b", []string{"/x", "/a"}, true}, {"/a/b", []string{"/"}, true},
		{"/a/b", []string{"/a/b/c", "/a/bc", "/b"}, false},
	} {
		var later []*mountinfo.Info
		for _, p := range tt.later {
			later = append(later, &mountinfo.Info{Mountpoint: p})
		}
		if got := isHidden(tt.point, later); got != tt.want {
			t.Errorf("%s under %q: got %v", tt.point, tt.later, got)
		}
	}
}

// Files that the caller names are left out as if they were excluded.
func TestLeave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/busy", "src/d/busy", "src/d/e/busy", "src/free", "src/link -> busy", "single")
	must(t, os.WriteFile(dir+"/src/bad\nname", nil, 0o644))
	busy := map[string]bool{dir + "/src/busy": true, dir + "/src/d/busy": true, dir + "/src/d/e/busy": true, dir + "/single": true, dir + "/src/bad\nname": true, dir + "/src/d": true, dir + "/src/linked": true}
	for _, tt := range []struct {
		text string
		want []string
	}{
		{one("", "source: src", "source: single"), []string{"src/", "src/d/", "src/d/e/", "src/free = src/free", "src/link -> busy"}},
		{one("", `{source: src, include: ["**/busy", "free"]}`), []string{"src/", "src/free = src/free"}},
		{one("directories: false", "source: src", "{source: single, as: deep/single}"), []string{"src/free = src/free", "src/link -> busy"}},
		{one("symlinks: follow", "source: src"), []string{"src/", "src/d/", "src/d/e/", "src/free = src/free", "src/link = src/busy"}},
	} {
		var asked []string
		plans, err := load(t, dir, tt.text).Scan(t.Context(), ScanOptions{
			Warn:  func(s string) { t.Errorf("%q: warning %q", tt.text, s) },
			Leave: func(p string) bool { asked = append(asked, p); return busy[p] },
		})
		must(t, err)
		wantLines(t, show(t, plans[0]), tt.want)
		for _, p := range asked {
			if !strings.HasPrefix(p, dir+"/") || strings.HasSuffix(p, "/d") {
				t.Errorf("asked for %s", p)
			}
		}
	}
}

package vfs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestVFSMountOptions(t *testing.T) {
	options := func(dir string) string {
		text, err := os.ReadFile("/proc/self/mounts")
		must(t, err)
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); f[1] == dir {
				return f[0] + " " + f[2] + " " + f[3]
			}
		}
		return ""
	}
	for _, tt := range []struct {
		Options
		want string
	}{
		{Options{}, "vzip fuse.vzip ro,nosuid,nodev,relatime,"},
		{Options{Source: "/some/layout.yaml", NoExec: true}, "/some/layout.yaml fuse.vzip ro,nosuid,nodev,noexec,relatime,"},
		{Options{Source: "a b", Kernel: []string{"default_permissions"}}, `a\040b fuse.vzip ro,nosuid,nodev,relatime,`},
	} {
		t.Run(tt.Source, func(t *testing.T) {
			dir := mountDir(t)
			serve(t, dir, names("f"), tt.Options)
			got := options(dir)
			if !strings.HasPrefix(got, tt.want) || !strings.Contains(got, fmt.Sprintf("user_id=%d", os.Geteuid())) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			for _, option := range tt.Kernel {
				if !strings.Contains(got, ","+option) {
					t.Errorf("got %s, want %s", got, option)
				}
			}
		})
	}
}

func TestVFSUnmount(t *testing.T) {
	dir := mountDir(t)
	is := func(want bool) {
		t.Helper()
		if got, err := IsMounted(dir); got != want || err != nil {
			t.Errorf("IsMounted: got %v and error %v, want %v", got, err, want)
		}
	}
	is(false)
	if err := Unmount(dir, false); err == nil {
		t.Error("Unmount of what is not mounted: got no error")
	}

	m := serve(t, dir, names("f"), Options{})
	is(true)
	if _, _, err := CheckDir(dir); err == nil || !strings.Contains(err.Error(), "shows archives already") {
		t.Errorf("CheckDir of a mount: got error %v", err)
	}
	// In use it stays, and who uses it is known.
	for _, script := range []string{
		`cd "$1" && read x`, `exec 3<"$1/f" && read x`,
	} {
		cmd := exec.Command("sh", "-c", "exec 2>&1; "+script, "-", dir)
		in, err := cmd.StdinPipe()
		must(t, err)
		must(t, cmd.Start())
		holder := fmt.Sprintf("%d (sh)", cmd.Process.Pid)
		eventually(t, "a holder "+holder, func() bool { return slices.Contains(Holders(dir), holder) })
		for _, unmount := range []func() error{
			func() error { return Unmount(dir, false) },
			func() error { return m.Unmount(false) },
		} {
			if err := unmount(); !errors.Is(err, unix.EBUSY) {
				t.Errorf("Unmount in use: got error %v, want %v", err, unix.EBUSY)
			}
		}
		is(true)
		in.Close()
		_ = cmd.Wait() // read gives 1 at the end
	}
	if h := Holders(dir); len(h) > 0 {
		t.Errorf("got holders %q, want none", h)
	}
	must(t, unmountIdle(dir))
	is(false)
	waitGone(t, m)
	must(t, m.Unmount(false)) // once more is fine

	// Taken away lazily it goes on for those who have it open.
	m = serve(t, dir, []File{{Path: "f", Size: 100_000, Inode: 2, Mode: 0o444, Content: static{pattern{100_000}}}}, Options{})
	f, err := os.Open(dir + "/f")
	must(t, err)
	must(t, Unmount(dir, true))
	is(false)
	must(t, f.Close())
	waitGone(t, m)
}

// Mounts that others put there are not taken for vzip's.
func TestVFSStackedMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make them
	}
	dir := mountDir(t)
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	if is, err := IsMounted(dir); is || err != nil {
		t.Errorf("IsMounted of tmpfs: got %v and error %v", is, err)
	}
	m := serve(t, dir, names("f"), Options{})
	if is, err := IsMounted(dir); !is || err != nil {
		t.Errorf("IsMounted over tmpfs: got %v and error %v", is, err)
	}
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	if is, err := IsMounted(dir); is || err != nil {
		t.Errorf("IsMounted under tmpfs: got %v and error %v", is, err)
	}
	if err := m.Unmount(false); !errors.Is(err, ErrCovered) {
		t.Errorf("Unmount under tmpfs: got error %v, want %v", err, ErrCovered)
	}
	must(t, unix.Unmount(dir, 0))
	must(t, m.Unmount(false))
	waitGone(t, m)
}

// Who unmounts by hand ends the mount; then another can take its place.
func TestVFSMountAgain(t *testing.T) {
	dir := mountDir(t)
	for i := range 5 {
		m := serve(t, dir, names(fmt.Sprint("f", i)), Options{})
		if got := mustRun(t, "ls", dir); got != fmt.Sprint("f", i) {
			t.Errorf("got %s, want f%d", got, i)
		}
		must(t, unmountIdle(dir))
		waitGone(t, m)
	}
}

func TestCheckDir(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.Mkdir(top+"/dir", 0o755))
	must(t, os.WriteFile(top+"/file", nil, 0o644))
	must(t, os.Symlink("dir", top+"/link"))
	must(t, os.Symlink("loop", top+"/loop"))
	for name, want := range map[string]string{
		"dir": top + "/dir", "link": top + "/dir", "dir/../link/.": top + "/dir",
		"file": "is no folder", "none": "does not exist: make the folder first", "file/dir": "not a directory",
		"none/none": "does not exist", "loop": "too many links",
	} {
		got, note, err := CheckDir(top + "/" + name)
		if note != "" {
			t.Errorf("%s: got note %q", name, note)
		}
		if filepath.IsAbs(want) && (err != nil || got != want) || !filepath.IsAbs(want) && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %q and error %v, want %q", name, got, err, want)
		}
	}
	t.Chdir(top)
	if got, _, err := CheckDir("dir"); got != top+"/dir" || err != nil {
		t.Errorf("relative: got %q and error %v", got, err)
	}
}

func TestOverlap(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	for _, name := range []string{"a/b/c", "ab", "other"} {
		must(t, os.MkdirAll(top+"/"+name, 0o755))
	}
	must(t, os.WriteFile(top+"/a/file", nil, 0o644))
	for _, tt := range []struct {
		dir     string
		sources []string
		want    string
	}{
		{"a", []string{"a"}, "a"},
		{"a/b", []string{"a"}, "a"},
		{"a/b/c", []string{"other", "a"}, "a"},
		{"a", []string{"other", "a/b/c", "a/b"}, "a/b/c"},
		{"a", []string{"a/file"}, "a/file"},
		{".", []string{"ab"}, "ab"},
		{"ab", []string{"a", "other"}, ""},
		{"a", []string{"ab"}, ""},
		{"a/b", []string{"a/file"}, ""},
		{"a", nil, ""},
		{"a", []string{"none"}, ""}, // the layout tells of that
		{"a", []string{"a/none"}, "a/none"},
	} {
		var sources []string
		for _, s := range tt.sources {
			sources = append(sources, filepath.Join(top, s))
		}
		got, overlaps := Overlap(filepath.Join(top, tt.dir), sources)
		if want := filepath.Join(top, tt.want); overlaps != (tt.want != "") || overlaps && got != want {
			t.Errorf("%s in %q: got %q, %v, want %q", tt.dir, tt.sources, got, overlaps, tt.want)
		}
	}
	if _, overlaps := Overlap("/", []string{top + "/a"}); !overlaps {
		t.Error("/ does not overlap")
	}
	if _, overlaps := Overlap(top+"/a", []string{"/"}); !overlaps {
		t.Error("nothing overlaps /")
	}
}

func TestVFSMountFails(t *testing.T) {
	dir := mountDir(t)
	before := descriptors(t)
	for name, mount := range map[string]struct {
		dir string
		Options
	}{
		"no such folder": {dir + "/none", Options{}},
		"no such option": {dir, Options{Kernel: []string{"nosuchoption"}}},
	} {
		var w warnings
		mount.Warn = w.add
		m, err := Mount(mount.dir, names("f"), mount.Options)
		if err == nil {
			t.Errorf("%s: got no error", name)
			must(t, m.Unmount(false))
		} else if !strings.Contains(err.Error(), "mounting at "+mount.dir+" failed: ") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	eventually(t, "descriptors to be closed", func() bool { return len(descriptors(t)) <= len(before) })
	if points := mountsBelow(dir); len(points) > 0 {
		t.Errorf("left mounted: %q", points)
	}
}

// A program started later must not get /dev/fuse: with it in hand it would wait
// for itself for ever when it closes a file of the mount.
func TestVFSDeviceIsNotInherited(t *testing.T) {
	dir := mountDir(t)
	serve(t, dir, names("f"), Options{})
	if !slices.Contains(descriptors(t), "/dev/fuse") {
		t.Error("this process does not hold /dev/fuse")
	}
	if got := mustRun(t, "sh", "-c", "ls -l /proc/$$/fd"); strings.Contains(got, "fuse") {
		t.Errorf("a program got %s", got)
	}
}

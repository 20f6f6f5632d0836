package snapshot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/faultfs"
	"vzip/internal/require"
	"vzip/internal/source"
)

func TestMain(m *testing.M) {
	if faultfs.Asked() { // this program is the file system with faults, too
		os.Exit(faultfs.Main(os.Args[1:]))
	}
	os.Exit(require.NoMounts(m))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// folder returns an empty folder, its path without links.
func emptyFolder(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return dir
}

// make begins clones in dir, with two archives.
func start(t *testing.T, k *Keeper, dir string) *Clones {
	t.Helper()
	c := k.Begin()
	for i := range 2 {
		a, err := c.Archive(dir)
		must(t, err)
		if want := fmt.Sprint("/", i); !strings.HasSuffix(a.Root, want) || filepath.Dir(filepath.Dir(a.Root)) != dir {
			t.Errorf("archive %d is at %s", i, a.Root)
		}
		a.Done()
	}
	return c
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// failing is a keeper that is not to warn.
func failing(t *testing.T) *Keeper { return &Keeper{Warn: func(s string) { t.Error(s) }} }

// Clones go when they are removed, or their process ends; not before.
func TestRemove(t *testing.T) {
	t.Parallel()
	dir := emptyFolder(t)
	k := failing(t)
	first, second := start(t, k, dir), start(t, k, dir)
	must(t, os.WriteFile(filepath.Join(dir, "vzip-other"), nil, 0o644))
	if got := names(t, dir); len(got) != 3 || !k.Any() {
		t.Errorf("got %q", got)
	}
	for _, name := range names(t, dir) {
		fi, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if fi.IsDir() && fi.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", name, fi.Mode())
		}
	}
	first.Remove()
	first.Remove()
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("got %q", got)
	}
	if _, err := first.Archive(dir); err == nil {
		t.Error("an archive after the end")
	}
	k.Close()
	if got := names(t, dir); len(got) != 1 || k.Any() {
		t.Errorf("got %q", got)
	}
	if _, err := k.Begin().Archive(dir); err == nil {
		t.Error("an archive after the end of the process")
	}
	second.Remove()
	(*Keeper)(nil).Begin().Remove()
}

// leave makes what a process leaves that was killed.
func leave(t *testing.T, dir, name string, files ...string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	must(t, os.Mkdir(path, 0o700))
	for _, f := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(path, f)), 0o700))
		must(t, os.WriteFile(filepath.Join(path, f), []byte("clone"), 0o400))
	}
	return name
}

// What a killed process left is swept away, with nothing else: not what is in use, what
// others made, or what only looks alike.
func TestSweep(t *testing.T) {
	t.Parallel()
	dir, outside := emptyFolder(t), emptyFolder(t)
	k := failing(t)
	defer k.Close()
	living := start(t, k, dir)
	want := names(t, dir)
	leave(t, dir, prefix+"empty")
	leave(t, dir, prefix+"whole", "0/0/0", "0/0/1023", "0/1/7", "3/0/0")
	must(t, os.MkdirAll(filepath.Join(dir, prefix+"half/0/0"), 0o700))
	must(t, os.Chmod(filepath.Join(dir, prefix+"half"), 0o700))

	// These stay.
	leave(t, outside, "precious", "0/0/0")
	must(t, os.Symlink(filepath.Join(outside, "precious"), filepath.Join(dir, prefix+"link")))
	must(t, os.WriteFile(filepath.Join(dir, prefix+"file"), nil, 0o600))
	leave(t, dir, "mine", "0/0/0")
	leave(t, dir, prefix+"open", "0/0/0")
	must(t, os.Chmod(filepath.Join(dir, prefix+"open"), 0o755))
	want = append(want, prefix+"link", prefix+"file", "mine", prefix+"open")
	if os.Geteuid() == 0 {
		leave(t, dir, prefix+"others", "0/0/0")
		must(t, os.Chown(filepath.Join(dir, prefix+"others"), 65534, 65534))
		want = append(want, prefix+"others")
	}
	if failed := Sweep(dir); len(failed) > 0 {
		t.Errorf("got %v", failed)
	}
	have := names(t, dir)
	if len(have) != len(want) {
		t.Errorf("got %q, want %q in another order", have, want)
	}
	for _, name := range want {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{filepath.Join(outside, "precious/0/0/0"), filepath.Join(dir, "mine/0/0/0")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	// A file that is none of vzip's is told of, and stays.
	leave(t, dir, prefix+"mixed", "0/0/0", "0/report.txt")
	failed := Sweep(dir)
	if len(failed) != 1 || !strings.Contains(failed[0].Error(), prefix+`mixed, of a process that is gone, can't be removed: it has the file "report.txt"`) {
		t.Errorf("got %v", failed)
	}
	if _, err := os.Stat(filepath.Join(dir, prefix+"mixed/0/report.txt")); err != nil {
		t.Error(err)
	}
	living.Remove()
}

// Nobody's folder is swept away while it is being made, or used.
func TestSweepMeanwhile(t *testing.T) {
	t.Parallel()
	dir := emptyFolder(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			k := failing(t)
			defer k.Close()
			for range 100 {
				c := k.Begin()
				a, err := c.Archive(dir)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.Stat(a.Root); err != nil {
					t.Error(err)
				}
				a.Done()
				c.Remove()
			}
		})
	}
	group.Wait()
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
}

// What can't be made, or removed, is said in one line.
func TestErrors(t *testing.T) {
	t.Parallel()
	dir := emptyFolder(t)
	k := new(Keeper)
	defer k.Close()
	if _, err := k.Begin().Archive(filepath.Join(dir, "nowhere")); err == nil || !strings.Contains(err.Error(), "/nowhere: no such file or directory") {
		t.Errorf("got error %v", err)
	}
	var warned []string
	k.Warn = func(s string) { warned = append(warned, s) }
	c := start(t, k, dir)
	other := filepath.Join(dir, names(t, dir)[0], "0", "other")
	must(t, os.WriteFile(other, nil, 0o600))
	c.Remove()
	if len(warned) != 1 || !strings.Contains(warned[0], `can't be removed: it has the file "other"`) {
		t.Errorf("got %q", warned)
	}
}

// A folder that this user may not write to.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root")
	dir := emptyFolder(t)
	must(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_RDONLY, ""))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	_, err := new(Keeper).Begin().Archive(dir)
	if err == nil || !strings.Contains(err.Error(), "snapshot "+dir+": a folder in it: read-only file system: make it writable for this user") {
		t.Errorf("got error %v", err)
	}
}

// A source that hangs keeps nobody from ending, and what it left goes when it answers.
func TestHungSource(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse")
	src, mnt, dir := emptyFolder(t), emptyFolder(t), emptyFolder(t)
	must(t, os.WriteFile(src+"/a", []byte("data"), 0o644))
	self, err := os.Executable()
	must(t, err)
	m, err := faultfs.Start([]string{self}, src, mnt, 0)
	must(t, err)
	defer func() { must(t, m.Close()) }()
	_, err = m.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Open}, Hang: true})
	must(t, err)
	k := failing(t)
	a, err := k.Begin().Archive(dir)
	must(t, err)
	done := make(chan error)
	go func() {
		_, err := a.Clone(0, source.Ref{Root: mnt, Rel: "a"})
		done <- err
	}()
	for state, err := m.State(); state.Hung == 0; state, err = m.State() {
		must(t, err)
		time.Sleep(10 * time.Millisecond)
	}
	begin := time.Now()
	k.Close()
	if took := time.Since(begin); took > patience+5*time.Second {
		t.Errorf("the end took %v", took)
	}
	if k.Begin(); len(names(t, dir)) != 1 {
		t.Errorf("there are %q, want the folder that is in use", names(t, dir))
	}
	must(t, m.Clear())
	<-done
	a.Done()
	if list := names(t, dir); len(list) > 0 {
		t.Errorf("left behind: %q", list)
	}
}

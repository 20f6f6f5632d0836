package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadDir(t *testing.T) {
	t.Parallel()
	root, _ := tree(t)
	target := strings.Repeat("long/", 200) + "target"
	must(t, os.Symlink(target, root+"/long"))
	must(t, unix.Mkfifo(root+"/fifo", 0o644))
	links := map[string]string{"long": target, "up": "../outside/in.txt", "dangling": "nothing", "loop": "loop"}
	_, children, err := Ref{Root: root, Rel: "."}.ReadDir(true)
	must(t, err)
	seen := map[string]bool{}
	for _, c := range children {
		if seen[c.Name] = true; c.Err != nil {
			t.Errorf("%s: %v", c.Name, c.Err)
		}
		if s := lstat(t, Ref{Root: root, Rel: c.Name}); s != c.Stat {
			t.Errorf("%s: got %+v, want %+v", c.Name, c.Stat, s)
		}
		if want, ok := links[c.Name]; ok && (c.Target != want || !c.IsSymlink()) {
			t.Errorf("%s: got target %q, want %q", c.Name, c.Target, want)
		}
		if c.IsDir() != (c.Name == "dir") || c.IsDir() && c.Target != "" {
			t.Errorf("%s: mode %o, target %q", c.Name, c.Mode, c.Target)
		}
	}
	for _, name := range []string{"dir", "fifo", "inner", "long", "up", "dangling", "loop"} {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
	wantClosed(t, root)
}

// Access times stay: a server that reads its files should not write to disk.
func TestNoAtime(t *testing.T) {
	t.Parallel()
	r := Ref{Root: t.TempDir(), Rel: "dir/file"}
	write(t, r.Path(), before)
	// An access time before the modification time is one that even relatime
	// mounts bring up to date.
	old := time.Unix(1e9, 0)
	for _, path := range []string{r.Path(), filepath.Dir(r.Path())} {
		must(t, os.Chtimes(path, old, time.Now()))
	}
	id := lstat(t, r).Identity
	if got, err := content(r, id); got != before || err != nil {
		t.Errorf("got %q and error %v, want %q", got, err, before)
	}
	set := NewSet(4)
	defer set.Close()
	must(t, readFull(set, &files{{ref: r, id: id}}, 0, id, make([]byte, 1), 0))
	_, _, err := Ref{Root: r.Root, Rel: "dir"}.ReadDir(true)
	must(t, err)
	for _, path := range []string{r.Path(), filepath.Dir(r.Path())} {
		var st unix.Stat_t
		must(t, unix.Stat(path, &st))
		if got := time.Unix(st.Atim.Unix()); !got.Equal(old) {
			t.Errorf("%s: access time is %v, want %v", path, got, old)
		}
	}
}

func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() == 0 {
		runAgain(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
		return
	}
	root := t.TempDir()
	for _, path := range []string{"open", "closed", "shut/file", "list/file"} {
		write(t, filepath.Join(root, path), before)
	}
	closed := lstat(t, Ref{Root: root, Rel: "closed"})
	for name, mode := range map[string]os.FileMode{"closed": 0, "shut": 0, "list": 0o400} {
		must(t, os.Chmod(filepath.Join(root, name), mode))
		t.Cleanup(func() { os.Chmod(filepath.Join(root, name), 0o700) })
	}
	denied := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, unix.EACCES) || errors.Is(err, unix.ESTALE) || !strings.Contains(err.Error(), root) {
			t.Errorf("%s: got error %v, want %v and the path", what, err, unix.EACCES)
		}
	}
	for _, access := range []bool{false, true} {
		_, children, err := Ref{Root: root, Rel: "."}.ReadDir(access)
		must(t, err)
		for _, c := range children {
			if access && c.Name == "closed" {
				denied("ReadDir for access", c.Err)
			} else if c.Err != nil {
				t.Errorf("%s, access %v: got error %v", c.Name, access, c.Err)
			}
		}
	}
	_, err := Open(Ref{Root: root, Rel: "closed"}, closed.Identity)
	denied("Open", err)
	_, err = Open(Ref{Root: root, Rel: "shut/file"}, closed.Identity)
	denied("Open in a closed folder", err)
	_, _, err = Ref{Root: root, Rel: "shut"}.ReadDir(false)
	denied("ReadDir of a closed folder", err)
	_, err = Ref{Root: root, Rel: "shut/file"}.Lstat()
	denied("Lstat in a closed folder", err)
	_, err = Open(Ref{Root: filepath.Join(root, "shut", "dir"), Rel: "file"}, closed.Identity)
	denied("Open with a root in a closed folder", err)
	_, children, err := Ref{Root: root, Rel: "list"}.ReadDir(false)
	if err != nil || len(children) != 1 || children[0].Name != "file" {
		t.Fatalf("ReadDir of names: got %v and error %v, want file", children, err)
	}
	denied("child of a folder of names", children[0].Err)
	if !errors.As(children[0].Err, new(*fs.PathError)) {
		t.Errorf("got %T, want a PathError", children[0].Err)
	}

	// Another user's file can be read, though not with O_NOATIME.
	want, err := os.ReadFile("/etc/passwd")
	must(t, err)
	r := Ref{Root: "/etc", Rel: "passwd"}
	if got, err := content(r, lstat(t, r).Identity); err != nil || got != string(want) {
		t.Errorf("another user's file: got %d bytes and error %v, want %d", len(got), err, len(want))
	}
	if _, _, err := (Ref{Root: "/", Rel: "etc"}).ReadDir(false); err != nil {
		t.Errorf("another user's folder: %v", err)
	}
}

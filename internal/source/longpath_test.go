package source

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// deepDir makes folders below dir in steps, as a path of over 4,095 bytes can't
// be named at once, and returns the last one's descriptor.
func deepDir(t *testing.T, dir string, names []string) int {
	t.Helper()
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	for _, name := range names {
		if err := unix.Mkdirat(at, name, 0o755); err != nil && err != unix.EEXIST {
			t.Fatal(err)
		}
		next, err := unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(at)
		must(t, err)
		at = next
	}
	return at
}

func repeat(s string, n int) []string { return strings.Split(strings.Repeat(s+"/", n-1)+s, "/") }

func TestLongPaths(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, want := range []int{4094, 4095, 4096, 4097, 8190, 8191, 8192, 12345} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			dirs := repeat(strings.Repeat("d", 200), (want-2)/201)
			name := strings.Repeat("f", want-201*len(dirs))
			dir := deepDir(t, root, dirs)
			fd, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
			must(t, err)
			_, err = unix.Write(fd, []byte(name))
			must(t, err)
			unix.Close(fd)
			unix.Close(dir)

			parent := strings.Join(dirs, "/")
			for _, follow := range []bool{false, true} {
				r := Ref{Root: root, Rel: parent + "/" + name, Follow: follow}
				if len(r.Rel) != want {
					t.Fatalf("path has %d bytes, want %d", len(r.Rel), want)
				}
				if got, err := content(r, lstat(t, r).Identity); got != name || err != nil {
					t.Errorf("got %q and error %v, want %q", got, err, name)
				}
				r.Rel = parent
				_, children, err := r.ReadDir(true)
				found := false
				for _, c := range children {
					found = found || c.Name == name && c.Err == nil && c.Size == int64(len(name))
				}
				if !found {
					t.Errorf("ReadDir: got %d children and error %v, want %s among them", len(children), err, name)
				}
			}
		})
	}
}

// Each piece of a long path is confined.
func TestLongPathLinks(t *testing.T) {
	t.Parallel()
	root, canary := tree(t)
	dirs := repeat(strings.Repeat("d", 200), 30) // 6,029 bytes
	dir := deepDir(t, root, dirs)
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, "in.txt", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	must(t, err)
	unix.Close(fd)
	for name, target := range map[string]string{
		"absolute": canary,
		"up":       strings.Repeat("../", 31) + "outside/in.txt",
		"near":     "../" + dirs[0] + "/in.txt",
	} {
		must(t, unix.Symlinkat(target, dir, name))
	}
	for _, tt := range []struct {
		rel    string
		follow bool
		want   error
	}{
		{"in.txt", false, nil},
		{"near", true, nil},
		{"near", false, unix.ELOOP},
		{"absolute", true, unix.EXDEV},
		{"up", true, unix.EXDEV},
		{strings.Repeat("../", 31) + "outside/in.txt", false, unix.EXDEV},
		{strings.Repeat("n", 256), false, unix.ENAMETOOLONG},
		{strings.Repeat("n", 5000), false, unix.ENAMETOOLONG},
	} {
		r := Ref{Root: root, Rel: strings.Join(dirs, "/") + "/" + tt.rel, Follow: tt.follow}
		rootfd, err := (Ref{Root: root}).openRoot()
		must(t, err)
		fd, err := r.openFile(rootfd)
		if err == nil {
			unix.Close(fd)
		}
		unix.Close(rootfd)
		if !errors.Is(err, tt.want) {
			t.Errorf("%.20s follow=%v: got error %v, want %v", tt.rel, tt.follow, errors.Unwrap(err), tt.want)
		}
	}
}

// Descriptors of folders on a long path are closed again. Paths that long have
// no name in /proc/self/fd, so they are told by their folder's inode.
func TestLongPathCloses(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dirs := repeat(strings.Repeat("d", 200), 50)
	unix.Close(deepDir(t, root, dirs))
	type inode struct{ dev, ino uint64 }
	inodes := map[inode]bool{}
	for i := 1; i <= len(dirs); i++ {
		s := lstat(t, Ref{Root: root, Rel: strings.Join(dirs[:i], "/")})
		inodes[inode{s.Dev, s.Ino}] = true
	}
	r := Ref{Root: root, Rel: strings.Join(dirs, "/")}
	for range 3 {
		lstat(t, r)
		_, _, err := r.ReadDir(false)
		must(t, err)
		if _, err := Open(Ref{Root: root, Rel: r.Rel + "/nothing"}, Identity{}); err == nil {
			t.Fatal("Open of nothing: got no error")
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, fd := range fds {
		var st unix.Stat_t
		if unix.Stat("/proc/self/fd/"+fd.Name(), &st) == nil && inodes[inode{st.Dev, st.Ino}] {
			t.Errorf("descriptor %s is left open", fd.Name())
		}
	}
}

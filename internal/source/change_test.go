package source

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// before is the content of a file that is going to change.
const before = "some content"

// changes is what can happen to a file, and what is said of it: when it is
// opened after, and when it was open already.
var changes = []struct {
	name         string
	do           func(t *testing.T, path string)
	atOpen, open string
}{
	{"append", func(t *testing.T, path string) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		defer f.Close()
		_, err = f.WriteString("!")
		must(t, err)
	}, "size was 12, is 13; modification time was", "size was 12, is 13; modification time was"},
	{"truncate", func(t *testing.T, path string) {
		must(t, os.Truncate(path, 5))
	}, "size was 12, is 5", "size was 12, is 5"},
	{"rewrite", func(t *testing.T, path string) {
		overwrite(t, path, "SOME CONTENT")
	}, "modification time was", "modification time was"},
	{"rewrite and put the time back", func(t *testing.T, path string) {
		fi, err := os.Stat(path)
		must(t, err)
		overwrite(t, path, "SOME CONTENT")
		must(t, os.Chtimes(path, time.Time{}, fi.ModTime()))
	}, "status change time was", "status change time was"},
	{"write through a mapping", func(t *testing.T, path string) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		defer f.Close()
		p, err := unix.Mmap(int(f.Fd()), 0, len(before), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		must(t, err)
		p[0] = 'S'
		must(t, unix.Munmap(p))
	}, "modification time was", "modification time was"},
	{"replace", func(t *testing.T, path string) {
		write(t, path+".new", before)
		must(t, os.Rename(path+".new", path))
	}, "another file has taken its place", "status change time was"},
	{"remove and write again", func(t *testing.T, path string) {
		must(t, os.Remove(path))
		write(t, path, before)
	}, "another file has taken its place", "status change time was"},
	{"remove", func(t *testing.T, path string) {
		must(t, os.Remove(path))
	}, "it can't be opened: no such file", "status change time was"},
	{"remove the root", func(t *testing.T, path string) {
		must(t, os.RemoveAll(filepath.Dir(path)))
	}, "it can't be opened: no such file", "status change time was"},
	{"touch", func(t *testing.T, path string) {
		must(t, os.Chtimes(path, time.Time{}, time.Unix(1e9, 1)))
	}, "is 2001-09-09T01:46:40.000000001Z", "is 2001-09-09T01:46:40.000000001Z"},
	{"chmod", func(t *testing.T, path string) {
		must(t, os.Chmod(path, 0o600))
	}, "status change time was", "status change time was"},
	{"folder in its place", func(t *testing.T, path string) {
		must(t, os.Remove(path))
		must(t, os.Mkdir(path, 0o755))
	}, "it is no regular file any more", "status change time was"},
	{"link in its place", func(t *testing.T, path string) {
		must(t, os.Rename(path, path+".real"))
		must(t, os.Symlink(filepath.Base(path)+".real", path))
	}, "it can't be opened: too many levels", "status change time was"},
	{"FIFO in its place", func(t *testing.T, path string) {
		must(t, os.Remove(path))
		must(t, unix.Mkfifo(path, 0o644))
	}, "it is no regular file any more", "status change time was"},
	{"socket in its place", func(t *testing.T, path string) {
		must(t, os.Remove(path))
		must(t, unix.Mknod(path, unix.S_IFSOCK|0o644, 0))
	}, "it can't be opened: no such device", "status change time was"},
}

// overwrite writes into the file that is there.
func overwrite(t *testing.T, path, content string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteString(content)
	must(t, err)
}

func TestChanges(t *testing.T) {
	t.Parallel()
	for fs, dir := range testFolders(t) {
		for _, tt := range changes {
			t.Run(fs+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				root, err := os.MkdirTemp(dir, "")
				must(t, err)
				r := Ref{Root: root, Rel: "file"}
				write(t, r.Path(), before)
				settle()
				id := lstat(t, r).Identity
				f, err := Open(r, id)
				must(t, err)
				defer f.Close()
				set, index := NewSet(4), &files{{ref: r, id: id}}
				defer set.Close()
				p := make([]byte, len(before))
				must(t, readFull(set, index, 0, id, p, 0))
				must(t, f.Check(id))
				if string(p) != before {
					t.Errorf("got %q, want %q", p, before)
				}

				tt.do(t, r.Path())
				wantChanged(t, f.Check(id), r, tt.open)
				wantChanged(t, readFull(set, index, 0, id, p, 0), r, tt.open)
				set.Close()
				within(t, func() {
					_, err := Open(r, id)
					wantChanged(t, err, r, tt.atOpen)
					wantChanged(t, readFull(set, index, 0, id, p, 0), r, tt.atOpen)
				})
			})
		}
	}
}

// What was no regular file when it was scanned is not read either.
func TestNoRegularFile(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	must(t, unix.Mkfifo(root+"/fifo", 0o644))
	must(t, os.Mkdir(root+"/dir", 0o755))
	for _, rel := range []string{"fifo", "dir"} {
		r := Ref{Root: root, Rel: rel}
		within(t, func() {
			_, err := Open(r, lstat(t, r).Identity)
			wantChanged(t, err, r, "it is no regular file any more")
		})
	}
	within(t, func() {
		_, _, err := Ref{Root: root, Rel: "fifo"}.ReadDir(false)
		if !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("ReadDir of a FIFO: got error %v, want %v", err, unix.ENOTDIR)
		}
	})
	wantClosed(t, root)
}

func TestReadFull(t *testing.T) {
	t.Parallel()
	r := Ref{Root: t.TempDir(), Rel: "file"}
	write(t, r.Path(), before)
	f, err := Open(r, lstat(t, r).Identity)
	must(t, err)
	defer f.Close()
	for _, tt := range []struct {
		name     string
		off      int64
		n        int
		want     string
		wantWhat string
	}{
		{name: "all", n: 12, want: before},
		{name: "middle", off: 5, n: 3, want: "con"},
		{name: "last byte", off: 11, n: 1, want: "t"},
		{name: "nothing", off: 4},
		{name: "nothing past the end", off: 100},
		{name: "one byte too many", off: 5, n: 8, wantWhat: "it ends at offset 12, its size was 12"},
		{name: "at the end", off: 12, n: 1, wantWhat: "it ends at offset 12, its size was 12"},
		{name: "past the end", off: 100, n: 1, wantWhat: "it ends at offset 100"},
	} {
		p := make([]byte, tt.n)
		err := f.ReadFull(p, tt.off)
		if tt.wantWhat != "" {
			wantChanged(t, err, r, tt.wantWhat)
		} else if err != nil || string(p) != tt.want {
			t.Errorf("%s: got %q and error %v, want %q", tt.name, p, err, tt.want)
		}
	}
	if err := f.ReadFull(make([]byte, 1), -1); !errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ESTALE) {
		t.Errorf("offset -1: got error %v, want %v", err, unix.EINVAL)
	}
}

func TestCheckEnd(t *testing.T) {
	t.Parallel()
	r := Ref{Root: t.TempDir(), Rel: "file"}
	write(t, r.Path(), before)
	f, err := Open(r, lstat(t, r).Identity)
	must(t, err)
	defer f.Close()
	must(t, f.CheckEnd())
	write(t, r.Path(), before+"!")
	wantChanged(t, f.CheckEnd(), r, "there is data after its size of 12 bytes")

	// Files of /proc say that they are empty.
	r = Ref{Root: "/proc", Rel: "version"}
	f, err = Open(r, lstat(t, r).Identity)
	must(t, err)
	defer f.Close()
	wantChanged(t, f.CheckEnd(), r, "there is data after its size of 0 bytes")
}

func TestIdentityDiff(t *testing.T) {
	t.Parallel()
	was := Identity{Size: 7, Mtime: 1e18, Ctime: 1e18 + 1, Btime: 5, Ino: 11}
	const (
		sizes   = "size was 7, is 8"
		mtimes  = "modification time was 2001-09-09T01:46:40Z, is 2001-09-09T01:46:41.5Z"
		ctimes  = "status change time was 2001-09-09T01:46:40.000000001Z, is 1969-12-31T23:59:59Z"
		another = "another file has taken its place"
	)
	for _, tt := range []struct {
		name   string
		change func(*Identity)
		want   string
	}{
		{"nothing", func(*Identity) {}, ""},
		{"size", func(i *Identity) { i.Size = 8 }, sizes},
		{"mtime", func(i *Identity) { i.Mtime += 15e8 }, mtimes},
		{"ctime", func(i *Identity) { i.Ctime = -1e9 }, ctimes},
		{"btime", func(i *Identity) { i.Btime = 0 }, another},
		{"inode", func(i *Identity) { i.Ino = 12 }, another},
		{"size, mtime", func(i *Identity) { i.Size, i.Mtime = 8, i.Mtime+15e8 }, sizes + "; " + mtimes},
		{"mtime, ctime", func(i *Identity) { i.Mtime, i.Ctime = i.Mtime+15e8, 0 }, mtimes},
		{"ctime, inode", func(i *Identity) { i.Ctime, i.Ino = 0, 12 }, another},
		{"all", func(i *Identity) { *i = Identity{8, i.Mtime + 15e8, 0, 0, 0} }, sizes + "; " + mtimes + "; " + another},
	} {
		is := was
		tt.change(&is)
		if got := was.Diff(is); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestModTime(t *testing.T) {
	t.Parallel()
	for ns, want := range map[int64]int64{0: 0, 1: 0, 999999999: 0, 1e9: 1, -1: -1, -1e9: -1, -1e9 - 1: -2} {
		s := Stat{Identity: Identity{Mtime: ns}}
		if got := s.ModTime(); got != want {
			t.Errorf("%d ns: got %d, want %d", ns, got, want)
		}
	}
}

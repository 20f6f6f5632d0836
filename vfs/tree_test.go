package vfs

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// names makes a file of each path, with the content "x".
func names(paths ...string) (files []File) {
	for i, p := range paths {
		files = append(files, File{Path: p, Size: 1, ModTime: int64(1000 + i), Inode: uint64(10 + i), Mode: 0o444, Content: static{strings.NewReader("x")}})
	}
	return files
}

func TestVFSFolders(t *testing.T) {
	dir := mountDir(t)
	serve(t, dir, names("z", "a/b/c/x", "a/y", "a/b/w", "b", "a b/ü'\n", "a.d/"+strings.Repeat("n", 255)), Options{})
	got := mustRun(t, "sh", "-c", `cd "$1" && find . -printf '%P %y %m %n %s %T@\n'`, "-", dir)
	lines := strings.Split(strings.ReplaceAll(got, ".0000000000", ""), "\n")
	slices.Sort(lines)
	want := []string{
		" f 444 1 1 1005", // after the line end in its name
		"a b d 555 2 0 1005",
		"a b/ü'",
		"a d 555 3 0 1003", // the newest of x, y and w
		"a.d d 555 2 0 1006",
		"a.d/" + strings.Repeat("n", 255) + " f 444 1 1 1006",
		"a/b d 555 3 0 1003",
		"a/b/c d 555 2 0 1001",
		"a/b/c/x f 444 1 1 1001",
		"a/b/w f 444 1 1 1003",
		"a/y f 444 1 1 1002",
		"b f 444 1 1 1004",
		"d 555 5 0 1006", // the mountpoint with its 3 folders
		"z f 444 1 1 1000",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got %s\nwant %s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	for path, want := range map[string]unix.Errno{
		"none": unix.ENOENT, "a/none": unix.ENOENT, "a/b/c/x/none": unix.ENOTDIR, "a/y/": unix.ENOTDIR, "A": unix.ENOENT,
		strings.Repeat("n", 256): unix.ENOENT,
	} {
		if err := unix.Stat(dir+"/"+path, new(unix.Stat_t)); err != want {
			t.Errorf("stat %.20s: got error %v, want %v", path, err, want)
		}
	}
}

func TestVFSNothing(t *testing.T) {
	dir := mountDir(t)
	serve(t, dir, nil, Options{})
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("got %v and error %v, want an empty folder", entries, err)
	}
}

func TestVFSManyFiles(t *testing.T) {
	dir := mountDir(t)
	var paths []string
	for i := range 3000 {
		paths = append(paths, fmt.Sprintf("d%d/f%d", i%7, i))
	}
	serve(t, dir, names(paths...), Options{})
	if got := mustRun(t, "sh", "-c", `find "$1" -type f -size -2 | wc -l`, "-", dir); got != "3000" {
		t.Errorf("got %s files, want 3000", got)
	}
}

// Files with one inode number would be taken for hard links of one file.
func TestVFSInodes(t *testing.T) {
	const last = 1<<63 - 1
	dir := mountDir(t)
	var files []File
	numbers := []uint64{7, 7, 7, 8, 0, 1, 2, last, last, last - 1}
	for i, ino := range numbers {
		files = append(files, File{Path: fmt.Sprintf("d%d/f%d", i%2, i), Size: 1, Inode: ino, Mode: 0o444, Content: static{strings.NewReader(string(rune('a' + i)))}})
	}
	serve(t, dir, files, Options{})
	seen := map[uint64]string{}
	var got []uint64
	must(t, filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		must(t, err)
		var st unix.Stat_t
		must(t, unix.Stat(p, &st))
		if other, ok := seen[st.Ino]; ok || st.Ino == 0 {
			t.Errorf("%s and %q: both have inode %d", p, other, st.Ino)
		}
		seen[st.Ino] = p
		return nil
	}))
	for i, f := range files {
		var st unix.Stat_t
		must(t, unix.Stat(filepath.Join(dir, f.Path), &st))
		got = append(got, st.Ino)
		if r := pread(t, filepath.Join(dir, f.Path), part{0, 5}); string(r[0].data) != string(rune('a'+i)) || r[0].errno != 0 {
			t.Errorf("%s: got %q and error %v", f.Path, r[0].data, r[0].errno)
		}
	}
	// Where they are free they are what was asked for, the first one first.
	want := []uint64{7, 8, 9, 10, 2, 3, 4, last, 5, last - 1}
	if !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
	var st unix.Stat_t
	must(t, unix.Stat(dir, &st))
	if st.Ino != 1 {
		t.Errorf("the mountpoint has inode %d, want 1", st.Ino)
	}
}

func TestVFSTimes(t *testing.T) {
	dir := mountDir(t)
	var files []File
	times := []int64{math.MinInt32, -1, 0, 1, 1 << 31, 1 << 33, 1 << 40}
	for i, unix := range times {
		files = append(files, File{Path: fmt.Sprintf("d%d/f", i), ModTime: unix, Inode: uint64(10 + i), Mode: 0o444, Content: static{strings.NewReader("")}})
	}
	serve(t, dir, files, Options{})
	for i, want := range times {
		for _, name := range []string{"d%d/f", "d%d"} {
			var st unix.Stat_t
			must(t, unix.Stat(filepath.Join(dir, fmt.Sprintf(name, i)), &st))
			if st.Mtim.Sec != want || st.Ctim.Sec != want || st.Atim.Sec != want || st.Mtim.Nsec != 0 {
				t.Errorf(name+": got %d, %d, %d, want %d", i, st.Mtim.Sec, st.Ctim.Sec, st.Atim.Sec, want)
			}
		}
	}
}

func TestVFSReadOnly(t *testing.T) {
	dir := mountDir(t)
	serve(t, dir, names("a/f"), Options{})
	f := dir + "/a/f"
	open := func(flags int) error {
		fd, err := unix.Open(f, flags|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	for what, err := range map[string]error{
		"open for writing":     open(unix.O_WRONLY),
		"open for both":        open(unix.O_RDWR),
		"open to append":       open(unix.O_WRONLY | unix.O_APPEND),
		"open to truncate":     open(unix.O_RDONLY | unix.O_TRUNC),
		"mkdir":                unix.Mkdir(dir+"/d", 0o755),
		"rmdir":                unix.Rmdir(dir + "/a"),
		"unlink":               unix.Unlink(f),
		"rename":               unix.Rename(f, dir+"/g"),
		"chmod":                unix.Chmod(f, 0o600),
		"chown":                unix.Chown(f, 0, 0),
		"truncate":             unix.Truncate(f, 0),
		"utimes":               unix.Utimes(f, make([]unix.Timeval, 2)),
		"setxattr":             unix.Setxattr(f, "user.x", nil, 0),
		"create":               os.WriteFile(dir+"/new", nil, 0o600),
		"create with mode 444": open(unix.O_WRONLY | unix.O_CREAT),
	} {
		if pathErr, ok := err.(*os.PathError); ok {
			err = pathErr.Err
		}
		if err != unix.EROFS {
			t.Errorf("%s: got error %v, want %v", what, err, unix.EROFS)
		}
	}
	if err := unix.Access(f, unix.W_OK); err != unix.EROFS {
		t.Errorf("access for writing: got error %v, want %v", err, unix.EROFS)
	}
	must(t, unix.Access(f, unix.R_OK))
	if n, err := unix.Listxattr(f, make([]byte, 100)); n > 0 || err != nil && err != unix.EOPNOTSUPP {
		t.Errorf("listxattr: got %d bytes and error %v", n, err)
	}
}

func TestVFSStatfs(t *testing.T) {
	dir := mountDir(t)
	sizes := []int64{0, 1, 512, 513, 1 << 62}
	blocks := uint64(1 + 1 + 2 + 1<<53)
	var files []File
	for i, size := range sizes {
		files = append(files, File{Path: fmt.Sprintf("d/%d", i), Size: size, Inode: uint64(10 + i), Mode: 0o444, Content: static{pattern{size}}})
	}
	serve(t, dir, files, Options{})
	for _, path := range []string{"", "d", "d/1"} {
		var st unix.Statfs_t
		must(t, unix.Statfs(filepath.Join(dir, path), &st))
		if st.Blocks != blocks || st.Bfree != 0 || st.Bavail != 0 || st.Frsize != 512 || st.Files != 7 || st.Ffree != 0 || st.Namelen != 255 {
			t.Errorf("%q: got %+v, want %d blocks", path, st, blocks)
		}
	}
}

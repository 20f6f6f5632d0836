package vfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// generationFile is a file each of whose words of 8 bytes tells its generation and
// its own place.
type generationFile struct {
	number uint32
	size   int64
}

func (g generationFile) ReadAt(p []byte, off int64) (int, error) {
	n := int(max(0, min(int64(len(p)), g.size-off)))
	for done := 0; done < n; {
		at := off + int64(done)
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], uint64(g.number)<<32|uint64(at/8))
		done += copy(p[done:n], word[at%8:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// judge returns the generation that data at off belong to; off and the length are
// whole words.
func judge(data []byte, off int64) (number uint32, err error) {
	for i := 0; i+8 <= len(data); i += 8 {
		word := binary.LittleEndian.Uint64(data[i:])
		if i == 0 {
			number = uint32(word >> 32)
		}
		if want := uint64(number)<<32 | uint64((off+int64(i))/8); word != want {
			return 0, fmt.Errorf("at %d: got %x, want %x", off+int64(i), word, want)
		}
	}
	return number, nil
}

const generationSize = 1 << 20

// of is a file of generation number at path.
func of(path string, number uint32) File {
	return File{Path: path, Size: generationSize, ModTime: int64(number), Inode: 1000 + uint64(number), Mode: 0o444,
		Content: static{generationFile{number, generationSize}}}
}

func stat(t *testing.T, path string) (st unix.Stat_t) {
	t.Helper()
	must(t, unix.Stat(path, &st))
	return st
}

// cat reads a file by cat(1) and returns its generation.
func cat(t *testing.T, path string) uint32 {
	t.Helper()
	out, err := run(t, "cat", path)
	must(t, err)
	number, err := judge(out, 0)
	if err != nil || len(out) != generationSize {
		t.Errorf("cat: got %d bytes and error %v", len(out), err)
	}
	return number
}

func TestVFSPublish(t *testing.T) {
	dir := mountDir(t)
	m := serve(t, dir, []File{of("a/f", 1), of("g", 900)}, Options{})
	path := dir + "/a/f"
	for i, number := range []uint32{1, 2, 3, 1, 2, 2, 1} {
		must(t, m.Publish([]File{of("a/f", number), of("g", 900)}))
		// stat(2) is fresh at once, though the kernel may keep what it knows for an hour.
		if st := stat(t, path); st.Ino != 1000+uint64(number) || st.Mtim.Sec != int64(number) || st.Nlink != 1 {
			t.Errorf("%d: got inode %d, time %d, %d links, want generation %d", i, st.Ino, st.Mtim.Sec, st.Nlink, number)
		}
		if st := stat(t, dir+"/a"); st.Mtim.Sec != int64(number) {
			t.Errorf("%d: folder: got time %d, want %d", i, st.Mtim.Sec, number)
		}
		if got := cat(t, path); got != number {
			t.Errorf("%d: cat: got generation %d, want %d", i, got, number)
		}
		if got := mustRun(t, "stat", "-c", "%i %s %Y", path); got != fmt.Sprint(1000+number, generationSize, number) {
			t.Errorf("%d: stat(1): got %s", i, got)
		}
	}
}

// Where the kernel was not told, opening finds the new file all the same: ESTALE
// makes it look the name up again.
func TestVFSPublishUntold(t *testing.T) {
	dir := mountDir(t)
	m := serve(t, dir, []File{of("f", 1)}, Options{})
	for number := uint32(2); number < 6; number++ {
		if st := stat(t, dir+"/f"); st.Mtim.Sec != int64(number-1) {
			t.Errorf("got time %d, want %d", st.Mtim.Sec, number-1)
		}
		m.tree.retire(m.tree.show(m.tree.build([]File{of("f", number)})))
		if st := stat(t, dir+"/f"); st.Mtim.Sec != int64(number-1) {
			t.Errorf("the kernel has cached nothing: got time %d", st.Mtim.Sec)
		}
		if got := cat(t, dir+"/f"); got != number {
			t.Errorf("cat: got generation %d, want %d", got, number)
		}
		if st := stat(t, dir+"/f"); st.Mtim.Sec != int64(number) {
			t.Errorf("got time %d, want %d", st.Mtim.Sec, number)
		}
	}
}

// A file that stays the same one gets new attributes and a new content, and who has
// it open keeps what was opened.
func TestVFSPublishSame(t *testing.T) {
	dir := mountDir(t)
	path := dir + "/f"
	a, b := of("f", 1), of("f", 1)
	var opens [2]atomic.Int64
	a.Content, b.Content = counted{a.Content, &opens[0]}, counted{b.Content, &opens[1]}
	b.Mode, b.UID, b.GID, b.ModTime = 0o640, 12, 34, 77
	m := serve(t, dir, []File{a}, Options{})
	if st := stat(t, path); st.Mode&0o7777 != 0o444 || st.Uid != 0 || st.Gid != 0 {
		t.Errorf("got mode %o, owner %d:%d", st.Mode, st.Uid, st.Gid)
	}
	old := hold(t, path)
	old.next(t)
	must(t, m.Publish([]File{b}))
	if st := stat(t, path); st.Ino != 1001 || st.Mode&0o7777 != 0o640 || st.Uid != 12 || st.Gid != 34 || st.Mtim.Sec != 77 {
		t.Errorf("got %+v", st)
	}
	cat(t, path)
	if got := old.next(t); got != 1 {
		t.Errorf("got generation %d", got)
	}
	if opens[0].Load() != 1 || opens[1].Load() != 1 {
		t.Errorf("got %d opens of the old content and %d of the new one, want 1 and 1", opens[0].Load(), opens[1].Load())
	}
	// Another size is another file, whatever its number says.
	b.Size = 8
	must(t, m.Publish([]File{b}))
	if st := stat(t, path); st.Size != 8 || st.Ino == 1001 {
		t.Errorf("got size %d and inode %d", st.Size, st.Ino)
	}
	wantOne := pread(t, path, part{0, 100})
	if len(wantOne[0].data) != 8 || wantOne[0].errno != 0 {
		t.Errorf("got %d bytes and error %v", len(wantOne[0].data), wantOne[0].errno)
	}
	if got := old.next(t); got != 1 {
		t.Errorf("got generation %d", got)
	}
	old.close(t)
}

// counted counts how often a content is opened.
type counted struct {
	Content
	n *atomic.Int64
}

func (c counted) Open(ahead bool) (Handle, error) {
	c.n.Add(1)
	return c.Content.Open(ahead)
}

func TestVFSPublishTree(t *testing.T) {
	dir := mountDir(t)
	m := serve(t, dir, nil, Options{})
	list := func() string {
		found := strings.Fields(mustRun(t, "sh", "-c", `cd "$1" && find . -mindepth 1 -printf '%P=%y%n\n'`, "-", dir))
		slices.Sort(found)
		return strings.Join(found, " ")
	}
	for _, tt := range []struct {
		paths []string
		want  string
	}{
		{[]string{"a"}, "a=f1"},
		{[]string{"a/b"}, "a/b=f1 a=d2"}, // a file becomes a folder
		{[]string{"a/b", "a/c/d"}, "a/b=f1 a/c/d=f1 a/c=d2 a=d3"},
		{[]string{"a/c"}, "a/c=f1 a=d2"}, // and a folder a file
		{nil, ""},
		{[]string{"x/y/z", "a/c/d"}, "a/c/d=f1 a/c=d2 a=d3 x/y/z=f1 x/y=d2 x=d3"},
		{[]string{"x/y/z"}, "x/y/z=f1 x/y=d2 x=d3"},
		{[]string{"x/y/w"}, "x/y/w=f1 x/y=d2 x=d3"},
		{[]string{"x"}, "x=f1"},
		{[]string{"x/y/z"}, "x/y/z=f1 x/y=d2 x=d3"}, // all of it comes back
	} {
		// What is not there is cached, too, in each folder.
		for _, p := range []string{"a", "a/b", "a/c", "a/c/d", "x", "x/y", "x/y/z", "x/y/w"} {
			_ = unix.Access(dir+"/"+p, unix.F_OK)
		}
		must(t, m.Publish(names(tt.paths...)))
		for _, p := range tt.paths {
			if err := unix.Access(dir+"/"+p, unix.R_OK); err != nil {
				t.Errorf("%q: %s: %v", tt.paths, p, err)
			}
		}
		if got := list(); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.paths, got, tt.want)
		}
		var st unix.Statfs_t
		must(t, unix.Statfs(dir, &st))
		if want := uint64(len(tt.paths)); st.Blocks != want || st.Files != uint64(len(strings.Fields(tt.want))+1) {
			t.Errorf("%q: statfs: got %d blocks and %d files", tt.paths, st.Blocks, st.Files)
		}
	}
}

// Who works in a folder that goes sees it empty, and finds it again when it is back.
func TestVFSPublishWorkingFolder(t *testing.T) {
	dir := mountDir(t)
	m := serve(t, dir, names("d/e/f"), Options{})
	cmd := exec.Command("sh", "-c", `cd "$1" && while read x; do ls; echo .; done`, "-", dir+"/d/e")
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	ls := func() string {
		_, err := io.WriteString(in, "\n")
		must(t, err)
		var got []string
		for {
			var line string
			_, err := fmt.Fscanln(out, &line)
			must(t, err)
			if line == "." {
				return strings.Join(got, " ")
			}
			got = append(got, line)
		}
	}
	for i, tt := range []struct {
		files []File
		want  string
	}{{names("d/e/f"), "f"}, {names("g"), ""}, {nil, ""}, {names("d/e/f", "d/e/g"), "f g"}, {names("d/x"), ""}, {names("d/e/h"), "h"}} {
		must(t, m.Publish(tt.files))
		if got := ls(); got != tt.want {
			t.Errorf("%d: got %q, want %q", i, got, tt.want)
		}
	}
	in.Close()
	must(t, cmd.Wait())
}

func TestVFSPublishInvalid(t *testing.T) {
	dir := mountDir(t)
	m := serve(t, dir, names("f"), Options{})
	for _, paths := range [][]string{
		{""}, {"."}, {".."}, {"../f"}, {"/f"}, {"a//b"}, {"a/"}, {"a/../b"}, {"a\x00"},
		{"f", "f"}, {"a", "a/b"}, {"a/b/c", "a"}, {"a/b/c", "a/b"},
	} {
		if err := m.Publish(names(paths...)); err == nil {
			t.Errorf("%q: got no error", paths)
		}
		if m, err := Mount(dir, names(paths...), Options{}); err == nil {
			t.Errorf("%q: mounted", paths)
			must(t, m.Unmount(false))
		}
	}
	if got := mustRun(t, "ls", dir); got != "f" {
		t.Errorf("got %s, want f", got)
	}
}

// Numbers are those that were asked for where they are free; the numbers of files
// that somebody still has open are not.
func TestVFSPublishInodes(t *testing.T) {
	dir := mountDir(t)
	file := func(path string, ino uint64) File {
		return File{Path: path, Size: 1, Inode: ino, Mode: 0o444, Content: static{strings.NewReader("x")}}
	}
	m := serve(t, dir, []File{file("a", 10), file("b", 10), file("c", 20)}, Options{})
	check := func(want ...string) {
		t.Helper()
		if got := mustRun(t, "sh", "-c", `cd "$1" && stat -c %n=%i *`, "-", dir); got != strings.Join(want, "\n") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check("a=10", "b=11", "c=20")
	must(t, m.Publish([]File{file("a", 10), file("b", 10), file("c", 20)}))
	check("a=10", "b=11", "c=20")
	open, err := os.Open(dir + "/c")
	must(t, err)
	// b stays what it was though it would now get 10; nobody has a any more, but c.
	must(t, m.Publish([]File{file("b", 10), file("d", 20), file("c", 21)}))
	check("b=11", "c=22", "d=21")
	must(t, m.Publish([]File{file("b", 10), file("c", 20)}))
	check("b=11", "c=20")
	open.Close()
	must(t, m.Publish(nil))
	eventually(t, "numbers to be free", func() bool { return len(m.tree.snapshotNumbers()) == 0 })
	must(t, m.Publish([]File{file("d", 20), file("e", 10)}))
	check("d=20", "e=10")
}

// snapshotNumbers returns the numbers that are taken by other nodes than the root.
func (t *tree) snapshotNumbers() (list []uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ino, n := range t.numbers {
		if n != node(t.root) {
			list = append(list, ino)
		}
	}
	slices.Sort(list)
	return list
}

// Nothing piles up, however often others are published.
func TestVFSPublishLeaks(t *testing.T) {
	dir := mountDir(t)
	files := func(round uint32) (list []File) {
		for i := range uint32(20) {
			f := of(fmt.Sprintf("d%d/e%d/f%d", i%3, round%2, i), round*100+i)
			if i < 10 {
				f = of(fmt.Sprintf("d/f%d", i), round*100+i)
			}
			list = append(list, f)
		}
		return list
	}
	m := serve(t, dir, files(0), Options{})
	heap := func() uint64 {
		var s runtime.MemStats
		for range 3 { // the first two empty pools
			runtime.GC()
		}
		runtime.ReadMemStats(&s)
		return s.HeapAlloc + s.StackInuse
	}
	const rounds = 1000
	var early uint64
	for i := range uint32(rounds) {
		must(t, m.Publish(files(i)))
		if i%50 == 0 {
			mustRun(t, "sh", "-c", `cd "$1" && ls -lR >/dev/null && head -qc1 d*/f* d*/e*/f* | wc -c`, "-", dir)
		} else {
			st := stat(t, dir+"/d/f1")
			if st.Ino != 1000+uint64(i)*100+1 {
				t.Errorf("got inode %d in round %d", st.Ino, i)
			}
		}
		if i == rounds/10 {
			early = heap()
		}
	}
	eventually(t, "old files to be forgotten", func() bool { return len(m.tree.snapshotNumbers()) <= 20+7 })
	if late := heap(); late > early+early/2+8<<20 { // go-fuse's goroutines that wait for requests have 1 MiB each
		t.Errorf("got %d bytes after %d rounds, %d after all", early, rounds/10, late)
	}
	if n := m.OpenHandles(); n != 0 {
		t.Errorf("got %d open handles", n)
	}
}

func TestVFSOpenHandles(t *testing.T) {
	dir := mountDir(t)
	m := serve(t, dir, []File{of("f", 1)}, Options{})
	var list []*holder
	for i := range 3 {
		list = append(list, hold(t, dir+"/f"))
		if n := m.OpenHandles(); n != int64(i+1) {
			t.Errorf("got %d open handles, want %d", n, i+1)
		}
		must(t, m.Publish([]File{of("f", uint32(i+2))}))
	}
	for i, h := range list {
		if got := h.next(t); got != uint32(i+1) {
			t.Errorf("got generation %d, want %d", got, i+1)
		}
		h.close(t)
	}
	eventually(t, "handles to be closed", func() bool { return m.OpenHandles() == 0 })
}

func TestGenerationFile(t *testing.T) {
	g := generationFile{7, 1000}
	data := make([]byte, 1000)
	_, err := g.ReadAt(data, 0)
	must(t, err)
	some := make([]byte, 100)
	_, err = g.ReadAt(some, 333)
	must(t, err)
	if !bytes.Equal(some, data[333:433]) {
		t.Error("offsets are wrong")
	}
	if n, err := judge(data, 0); n != 7 || err != nil {
		t.Errorf("got generation %d and error %v", n, err)
	}
	other := make([]byte, 8)
	_, err = generationFile{8, 1000}.ReadAt(other, 496)
	must(t, err)
	copy(data[496:], other)
	if _, err := judge(data, 0); err == nil {
		t.Error("mixed generations: got no error")
	}
	if _, err := judge(data[8:], 0); err == nil {
		t.Error("a shift: got no error")
	}
}

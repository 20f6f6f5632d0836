package source

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// files is an Index whose keys are positions.
type files []scanned

type scanned struct {
	ref  Ref
	id   Identity
	root uint64
}

func (f files) Source(key uint64) (Ref, Identity, uint64) {
	return f[key].ref, f[key].id, f[key].root
}

// text is the content of file i, different at each place of each file.
func text(i int) string { return strings.Repeat(fmt.Sprintf("file %d|", i), 500+i) }

// manyFiles makes n files below three roots in dir.
func manyFiles(t *testing.T, dir string, n int) files {
	t.Helper()
	f := make(files, n)
	for i := range f {
		f[i].root = uint64(i % 3)
		f[i].ref = Ref{Root: filepath.Join(dir, fmt.Sprint("root", i%3)), Rel: fmt.Sprintf("d%d/f%d", i%7, i)}
		write(t, f[i].ref.Path(), text(i))
		f[i].id = lstat(t, f[i].ref).Identity
	}
	return f
}

// readSome reads a random part of file i and compares it.
func readSome(set *Set, f *files, i int) error {
	want := text(i)
	from := rand.IntN(len(want))
	want = want[from : from+rand.IntN(len(want)-from+1)]
	p := make([]byte, len(want))
	if err := readFull(set, f, uint64(i), (*f)[i].id, p, int64(from)); err != nil {
		return err
	}
	if string(p) != want {
		return fmt.Errorf("file %d from %d: got %.20q, want %.20q", i, from, p, want)
	}
	return nil
}

func TestSet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ limit, workers, files int }{
		{1, 1, 20}, // the limit is 4 at least
		{4, 3, 60},
		{4, 16, 60},
		{30, 16, 60},
		{1000, 8, 60},
	} {
		t.Run(fmt.Sprintf("limit %d, %d workers", tt.limit, tt.workers), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			f := manyFiles(t, dir, tt.files)
			set := NewSet(tt.limit)
			limit := max(tt.limit, 4)
			var wg sync.WaitGroup
			for range tt.workers {
				wg.Go(func() {
					for n := range 1000 {
						if err := readSome(set, &f, rand.IntN(len(f))); err != nil {
							t.Error(err)
							return
						}
						// Each worker may hold a root and a file beyond what is kept.
						if n%50 == 0 && len(openBelowDir(t, dir)) > limit+2*tt.workers {
							t.Errorf("open: %q, want at most %d", openBelowDir(t, dir), limit+2*tt.workers)
						}
					}
				})
			}
			within(t, wg.Wait)
			want := min(limit, tt.files+3)
			if open := openBelowDir(t, dir); len(open) != want {
				t.Errorf("%d open after reading, want %d: %q", len(open), want, open)
			}
			set.Close()
			wantClosed(t, dir)
			if err := readSome(set, &f, 0); err != nil {
				t.Errorf("after Close: %v", err)
			}
			set.Close()
			wantClosed(t, dir)
		})
	}
}

// Open opens what was scanned below roots that stay open, also where another folder has
// taken a root's place, and refuses anything else.
func TestSetOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set := NewSet(4)
	defer set.Close()
	for round := range 3 {
		must(t, os.RemoveAll(dir+"/root"))
		write(t, dir+"/root/f", fmt.Sprint(round))
		ref := Ref{Root: dir + "/root", Rel: "f"}
		f := files{{ref: ref, id: lstat(t, ref).Identity}}
		for range 2 {
			opened, err := set.Open(&f, 0, ref, f[0].id)
			must(t, err)
			p := make([]byte, 1)
			if err := opened.ReadFull(p, 0); err != nil || string(p) != fmt.Sprint(round) {
				t.Errorf("round %d: got %q and error %v", round, p, err)
			}
			opened.Close()
		}
		other := f[0].id
		other.Mtime++
		if _, err := set.Open(&f, 0, ref, other); !errors.As(err, new(*ChangedError)) {
			t.Errorf("round %d: a file of another time: got error %v, want a ChangedError", round, err)
		}
	}
	// One index: its root is open when another folder takes its place.
	ref := Ref{Root: dir + "/root", Rel: "f"}
	f := files{{ref: ref}}
	for _, content := range []string{"a", "b"} {
		must(t, os.RemoveAll(dir+"/root"))
		write(t, dir+"/root/f", content)
		opened, err := set.Open(&f, 0, ref, lstat(t, ref).Identity)
		must(t, err)
		p := make([]byte, 1)
		if err := opened.ReadFull(p, 0); err != nil || string(p) != content {
			t.Errorf("got %q and error %v, want %q", p, err, content)
		}
		opened.Close()
	}
}

// One file read by all is opened by several at once; one descriptor is kept.
func TestSetOneFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := manyFiles(t, dir, 1)
	for range 50 {
		set := NewSet(100)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := readSome(set, &f, 0); err != nil {
					t.Error(err)
				}
			})
		}
		within(t, wg.Wait)
		if open := openBelowDir(t, dir); len(open) != 2 {
			t.Fatalf("open: %q, want the root and the file", open)
		}
		set.Close()
		wantClosed(t, dir)
	}
}

// The file that was not used for the longest time is closed first.
func TestSetClosesOldest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := manyFiles(t, dir, 16)
	set := NewSet(4)
	defer set.Close()
	// All of root 0. The root itself is used by each open.
	for _, step := range []struct {
		read int
		want []int
	}{
		{0, []int{0}}, {3, []int{0, 3}}, {6, []int{0, 3, 6}}, {0, []int{0, 3, 6}},
		{9, []int{0, 6, 9}}, {6, []int{0, 6, 9}}, {12, []int{6, 9, 12}}, {15, []int{6, 12, 15}},
	} {
		if err := readSome(set, &f, step.read); err != nil {
			t.Fatal(err)
		}
		want := []string{"/root0"}
		for _, i := range step.want {
			want = append(want, "/root0/"+f[i].ref.Rel)
		}
		got := openBelowDir(t, dir)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("after reading %d: got %q open, want %q", step.read, got, want)
		}
	}
}

// What is in use stays open beyond the limit, until it isn't used any more.
func TestSetInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := manyFiles(t, dir, 16)
	set := NewSet(4)
	wantOpen := func(want int) {
		t.Helper()
		if open := openBelowDir(t, dir); len(open) != want {
			t.Errorf("open: %q, want %d", open, want)
		}
	}
	for i := range 6 {
		must(t, readSome(set, &f, i))
	}
	wantOpen(4)
	var used []*Opened
	for i := range 10 {
		e, err := set.Acquire(&f, uint64(i))
		must(t, err)
		used = append(used, e)
		wantOpen(max(4, i+1))
	}
	set.Close()
	wantOpen(len(used))
	for i, e := range used {
		p := make([]byte, 4)
		if err := e.ReadFull(p, 0); err != nil || string(p) != "file" {
			t.Errorf("file %d: got %q and error %v, want %q", i, p, err, "file")
		}
	}
	for i, e := range used {
		set.Release(e)
		wantOpen(max(4, len(used)-1-i))
	}
	set.Close()
	wantOpen(0)
}

// A file that failed leaves nothing open and does not stand in others' way.
func TestSetErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := manyFiles(t, dir, 10)
	f[3].id.Size++
	f[5].ref.Rel = "nothing"
	f[7].ref.Root, f[7].root = filepath.Join(dir, "no-root"), 7
	set := NewSet(100)
	for range 3 {
		for i := range f {
			err := readSome(set, &f, i)
			if i == 3 || i == 5 || i == 7 {
				wantChanged(t, err, f[i].ref, map[int]string{3: "size was", 5: "it can't be opened", 7: "it can't be opened"}[i])
			} else if err != nil {
				t.Error(err)
			}
		}
	}
	// A root in which a file is missing is opened anew when it is needed again.
	if open := openBelowDir(t, dir); len(open) != 8+2 {
		t.Errorf("open: %q, want 8 files and 2 roots", open)
	}
	// The identity that counts is the caller's.
	wantChanged(t, readFull(set, &f, 0, Identity{}, nil, 0), f[0].ref, "another file")
	set.Close()
	wantClosed(t, dir)
}

// Others may be quicker to take the descriptors that were given up.
func TestSetRetries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err   error
		fails int // so many times
		want  error
	}{
		{unix.EMFILE, 1, nil},
		{&fs.PathError{Err: unix.ENFILE}, 5, nil},
		{unix.EMFILE, 1e9, unix.EMFILE},
		{unix.EACCES, 1, unix.EACCES},
	} {
		calls := 0
		within(t, func() {
			err := NewSet(4).retry(func() error {
				if calls++; calls <= tt.fails {
					return tt.err
				}
				return nil
			})
			if err != tt.want {
				t.Errorf("%v %d times: got error %v, want %v", tt.err, tt.fails, err, tt.want)
			}
		})
	}
}

// When the process has no descriptors left the set gives up those it keeps.
func TestSetWithoutDescriptors(t *testing.T) {
	if !isChild() {
		runAgain(t, nil)
		return
	}
	dir := t.TempDir()
	f := manyFiles(t, dir, 60)
	set := NewSet(1000)
	defer set.Close()
	must(t, readSome(set, &f, 0)) // what the runtime opens once is open now
	set.Close()
	var was unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &was))
	lower := func(left int) {
		t.Helper()
		must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &was))
		highest := 0 // of the descriptors to leave; those in use need not be the lowest
		for range left {
			fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			must(t, err)
			defer unix.Close(fd)
			highest = max(highest, fd)
		}
		must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(highest + 1), Max: was.Max}))
	}
	for _, left := range []int{2, 3, 10, 20} {
		lower(left)
		for i := range 3 * len(f) {
			if err := readSome(set, &f, i%len(f)); err != nil {
				t.Errorf("%d descriptors left, read %d: %v", left, i, err)
			}
		}
		set.Close()
	}

	lower(1) // enough for a root alone
	if err := readSome(set, &f, 0); !errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ESTALE) {
		t.Errorf("no descriptors: got error %v, want %v", err, unix.EMFILE)
	}
	lower(8*2 + 3) // a root and a file for each worker, and roots that are kept
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				if err := readSome(set, &f, rand.IntN(len(f))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	within(t, wg.Wait)
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &was))
	set.Close()
	wantClosed(t, dir)
}

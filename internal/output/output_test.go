package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/require"
	"vzip/internal/rig"
)

var sizes = map[string]int64{
	"src/empty": 0, "src/one": 1, "src/small": 4095, "src/block": 4096, "src/least": cloneLen, "src/odd": cloneLen + 1, "src/more": 100_000,
	"src/whole": wholeLen, "src/sub/large": 3<<20 + 17, "src/sub/larger": 9 << 20, "src/z": 70_000,
}

// sparse makes a file with data in few places.
func sparse(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	must(t, f.Truncate(40<<20+5))
	for _, at := range []int64{0, 8<<20 + 100, 20<<20 - 1, 40 << 20} {
		_, err := f.WriteAt([]byte("data"), at)
		must(t, err)
	}
	must(t, f.Sync())
	must(t, f.Close())
}

// What is written is the archive, on every file system, however it is aligned, and
// whatever way its blocks go; what can be cloned is, and holes stay holes.
func TestWrite(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k rig.Kind, dir string) {
		noise(t, dir, sizes)
		sparse(t, dir+"/src/sparse")
		must(t, rig.Age(dir))
		must(t, os.Mkdir(dir+"/out", 0o755))
		for _, align := range []string{"none", "512", "4KiB", "64KiB", "auto"} {
			a := archive(t, dir, "align: "+align)
			want := sumOfArchive(t, a)
			for _, reflink := range []Reflink{Auto, Never, Always} {
				name := fmt.Sprintf("align: %s, --reflink=%s", align, reflink)
				path := dir + "/out/" + align + string(reflink)
				if reflink == Always && (!shares(k) || align == "none" || align == "512") {
					_, err := Write(t.Context(), a, path, Options{Reflink: reflink, Workers: 2})
					if err == nil || !strings.Contains(err.Error(), "can't be cloned") || !strings.Contains(err.Error(), path) {
						t.Errorf("%s: got error %v", name, err)
					}
					nothingIn(t, dir+"/out")
					continue
				}
				r := write(t, a, path, Options{Reflink: reflink, Workers: 2, ReadBack: reflink == Auto})
				if got := sumOfFile(t, path); got != want {
					t.Errorf("%s: the file has other bytes than the archive", name)
				}
				wantCloned := int64(0)
				if aligned := align != "none" && align != "512"; aligned && reflink != Never && shares(k) {
					least := int64(cloneLen)
					if reflink == Always {
						least = 4096
					}
					if align == "64KiB" {
						least = 64 << 10 // smaller ones are not aligned
					}
					for _, size := range sizes {
						if size >= least {
							wantCloned += size &^ 4095
						}
					}
				}
				if r.Cloned < wantCloned || wantCloned == 0 && r.Cloned > 0 && (reflink == Never || !shares(k)) {
					t.Errorf("%s: %d bytes are cloned, want %d", name, r.Cloned, wantCloned)
				}
				if r.Holes < 30<<20 {
					t.Errorf("%s: %d bytes in holes, of more than 30 MB", name, r.Holes)
				}
				var s unix.Stat_t
				must(t, unix.Stat(path, &s))
				if s.Size != a.Size() || s.Blocks*512 > 20<<20 {
					t.Errorf("%s: the file has %d bytes, %d on the disk", name, s.Size, s.Blocks*512)
				}
				must(t, os.Remove(path))
				nothingIn(t, dir+"/out")
			}
		}
	})
}

// A file stays what it is whatever becomes of the sources that it shares blocks with.
func TestSourcesChangeLater(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"xfs", "btrfs"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := place(t, kind)
			noise(t, dir, sizes)
			must(t, rig.Age(dir))
			a := archive(t, dir, "align: auto")
			want := sumOfArchive(t, a)
			if r := write(t, a, dir+"/a.zip", Options{Reflink: Always, Workers: 2}); r.Cloned < 12<<20 {
				t.Errorf("%d bytes are cloned", r.Cloned)
			}
			f, err := os.OpenFile(dir+"/src/sub/large", os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteAt(bytes.Repeat([]byte("other"), 100_000), 1000)
			must(t, errors.Join(err, f.Sync(), f.Close()))
			must(t, os.Truncate(dir+"/src/whole", 5))
			must(t, os.Remove(dir+"/src/sub/larger"))
			unix.Sync()
			if got := sumOfFile(t, dir+"/a.zip"); got != want {
				t.Error("the file changed with its sources")
			}
		})
	}
}

// A source that changed is an error that names it; the file that was there stays.
func TestSourceChanged(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k rig.Kind, dir string) {
		noise(t, dir, sizes)
		must(t, rig.Age(dir))
		a := archive(t, dir, "align: auto")
		want := sumOfArchive(t, a)
		path := dir + "/a.zip"
		must(t, os.WriteFile(path, []byte("old"), 0o644))
		// Another mode, and another name, are no change.
		must(t, os.Chmod(dir+"/src/sub/larger", 0o600))
		must(t, os.Link(dir+"/src/whole", dir+"/whole"))
		write(t, a, path, Options{Reflink: Auto, Workers: 2})
		if got := sumOfFile(t, path); got != want {
			t.Error("other modes and names give other bytes")
		}
		for _, name := range []string{"sub/larger", "more"} {
			a := archive(t, dir, "align: auto")
			data, err := os.ReadFile(dir + "/src/" + name)
			must(t, err)
			data[len(data)/2] ^= 1
			must(t, os.WriteFile(dir+"/src/"+name, data, 0o644))
			_, err = Write(t.Context(), a, path, Options{Reflink: Auto, Workers: 2})
			if !errors.Is(err, unix.ESTALE) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: got error %v", name, err)
			}
			data[len(data)/2] ^= 1
			must(t, os.WriteFile(dir+"/src/"+name, data, 0o644))
		}
		if got := sumOfFile(t, path); got != want {
			t.Error("a failed write changed the file that was there")
		}
		nothingIn(t, dir, "src", "a.zip", "whole", "lost+found")
	})
}

// A file that can't be cloned is copied, with its holes; the others are cloned.
func TestOddFile(t *testing.T) {
	t.Parallel()
	dir := place(t, "btrfs")
	require.Needs(t, "chattr")
	must(t, os.Mkdir(dir+"/src", 0o755))
	must(t, os.WriteFile(dir+"/src/a", nil, 0o644))
	must(t, exec.Command("chattr", "+C", dir+"/src/a").Run()) // neither summed nor copied on write
	sparse(t, dir+"/src/a")
	noise(t, dir, map[string]int64{"src/b": 8 << 20, "src/c": 5 << 20})
	must(t, rig.Age(dir))
	a := archive(t, dir, "align: auto")
	r := write(t, a, dir+"/a.zip", Options{Reflink: Auto, Workers: 2, ReadBack: true})
	if sumOfFile(t, dir+"/a.zip") != sumOfArchive(t, a) {
		t.Error("the file has other bytes than the archive")
	}
	if r.Cloned != 13<<20 || r.Holes < 30<<20 {
		t.Errorf("did %+v, want 13 MiB cloned and 30 MiB or more in holes", r)
	}
	if _, err := Write(t.Context(), a, dir+"/a.zip", Options{Reflink: Always}); err == nil || !strings.Contains(err.Error(), "entry src/a can't be cloned") {
		t.Errorf("--reflink=always: got error %v", err)
	}
}

// A source that changes while it is copied or cloned is never a file with other bytes than
// the archive's.
func TestSourceChanges(t *testing.T) {
	t.Parallel()
	for kind, size := range map[string]int64{"ext4": 30 << 20, "xfs": 1 << 20} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := place(t, kind)
			noise(t, dir, map[string]int64{"src/a": size})
			must(t, rig.Age(dir))
			good, failed := 0, 0
			for range 60 {
				if err := writeChanging(t, dir, size, time.Duration(good+failed)*time.Duration(size>>20)*10*time.Microsecond); err == nil {
					good++
				} else if failed++; !errors.Is(err, unix.ESTALE) {
					t.Fatal(err)
				}
			}
			t.Logf("%d were whole, %d failed", good, failed)
		})
	}
}

// writeChanging writes an archive whose one source changes after a while.
func writeChanging(t *testing.T, dir string, size int64, after time.Duration) error {
	a := archive(t, dir, "align: auto")
	want := sumOfArchive(t, a)
	f, err := os.OpenFile(dir+"/src/a", os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	start := make(chan struct{})
	wg.Go(func() {
		<-start
		time.Sleep(after)
		var b [1]byte
		_, err := f.ReadAt(b[:], size-5000)
		b[0]++
		_, wErr := f.WriteAt(b[:], size-5000)
		if err = errors.Join(err, wErr); err != nil {
			t.Error(err)
		}
	})
	_, err = Write(t.Context(), a, dir+"/a.zip", Options{Reflink: Auto, Workers: 1, Start: func(int64) { close(start) }})
	if err == nil && sumOfFile(t, dir+"/a.zip") != want {
		t.Error("the file has other bytes than the archive")
	}
	return err
}

// Where there is no room the error comes before the first byte, or leaves nothing.
func TestNoSpace(t *testing.T) {
	t.Parallel()
	src, dir := t.TempDir(), place(t, "ext4")
	noise(t, src, map[string]int64{"src/a": 40 << 20, "src/b": 100})
	a := archive(t, src, "align: 4KiB")
	fill := func(left int64) {
		t.Helper()
		var s unix.Statfs_t
		must(t, unix.Statfs(dir, &s))
		f, err := os.OpenFile(dir+"/filler", os.O_CREATE|os.O_WRONLY, 0o600)
		must(t, err)
		fi, err := f.Stat()
		must(t, err)
		n := int64(s.Bfree)*s.Frsize - left
		for err = unix.ENOSPC; err == unix.ENOSPC && n > 0; n -= 1 << 20 { // it keeps a few blocks for itself
			err = unix.Fallocate(int(f.Fd()), 0, fi.Size(), n)
		}
		must(t, errors.Join(err, f.Close()))
	}
	fill(60 << 20)
	started := false
	_, err := Write(t.Context(), a, dir+"/a.zip", Options{Reflink: Auto, Workers: 2, Start: func(int64) { started = true; fill(10 << 20) }})
	if !started || !errors.Is(err, unix.ENOSPC) && (err == nil || !strings.Contains(err.Error(), "a.zip: no space is left on its file system: make room")) {
		t.Errorf("space is used up meanwhile: got error %v", err)
	}
	started = false
	_, err = Write(t.Context(), a, dir+"/a.zip", Options{Reflink: Auto, Workers: 2, Start: func(int64) { started = true }})
	if started || err == nil || !strings.Contains(err.Error(), "a.zip: needs more than") {
		t.Errorf("no space from the start: got error %v; writing was started: %v", err, started)
	}
	nothingIn(t, dir, "filler", "lost+found")
}

// A file that is not what was written does not get its name.
func TestReadBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noise(t, dir, sizes)
	sparse(t, dir+"/src/sparse")
	a := archive(t, dir, "align: 512")
	for x := range a.Extents(0, a.Size()) {
		w := New(a, dir+"/a.zip", Options{Reflink: Auto, Workers: 2})
		file := w.t
		must(t, file.create(dir+"/a.zip", 0o644))
		must(t, w.prepare())
		must(t, w.write(t.Context()))
		must(t, w.readBack(t.Context()))
		var b [1]byte
		at := x.Offset + x.Len/3
		must(t, file.readAt(b[:], at))
		b[0] ^= 0x40
		must(t, file.writeAt(b[:], at))
		if err := w.readBack(t.Context()); err == nil || !strings.Contains(err.Error(), "a.zip: read back: ") {
			t.Errorf("byte %d of %+v is another one: got error %v", at, x, err)
		}
		file.close()
	}
	nothingIn(t, dir, "src")
}

// What FILE may be.
func TestTarget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noise(t, dir, map[string]int64{"src/a": 100_000, "sub/real": 5})
	a := archive(t, dir, "align: 4KiB")
	want := sumOfArchive(t, a)
	must(t, unix.Mkfifo(dir+"/fifo", 0o644))
	must(t, os.Symlink("sub/real", dir+"/link"))
	must(t, os.Symlink("sub/none", dir+"/dangling"))
	for name, text := range map[string]string{
		"sub": "sub: is a folder: name a file in it", "fifo": "fifo: is no regular file: use vzip cat", "none/a.zip": "none/a.zip: there is no folder ", "sub/real/a.zip": "a.zip: not a directory", "src/a": "a: is the source of entry src/a: name another FILE",
		"dangling": "dangling: is a symbolic link that leads nowhere: remove it",
	} {
		if _, err := Write(t.Context(), a, dir+"/"+name, Options{Reflink: Auto}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
	for _, name := range []string{"new.zip", "link", "sub/real"} {
		write(t, a, dir+"/"+name, Options{Reflink: Auto, Workers: 1})
		if got := sumOfFile(t, dir+"/"+name); got != want {
			t.Errorf("%s: other bytes than the archive's", name)
		}
	}
	if target, err := os.Readlink(dir + "/link"); err != nil || target != "sub/real" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	nothingIn(t, dir, "src", "sub", "fifo", "link", "dangling", "new.zip")
	nothingIn(t, dir+"/sub", "real")
}

// So it is where a file has to have a name from the start.
func TestNamedTarget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, there := range []bool{false, true} {
		for _, committed := range []bool{false, true} {
			must(t, os.RemoveAll(dir+"/a"))
			if there {
				must(t, os.WriteFile(dir+"/a", []byte("old"), 0o644))
			}
			file := &target{dir: -1}
			must(t, file.create(dir+"/a", 0o640))
			must(t, file.file.Close())
			must(t, file.openNamed(0o640))
			must(t, file.writeAt([]byte("new"), 0))
			if committed {
				must(t, file.commit(t.Context(), 3))
			} else if !file.abandon() || !errors.Is(file.commit(t.Context(), 3), context.Canceled) {
				t.Error("an abandoned file is committed")
			}
			if file.abandon() == committed {
				t.Errorf("committed: %v; it can be abandoned: %v", committed, !committed)
			}
			file.close()
			want := map[bool]string{true: "old"}[there]
			if committed {
				want = "new"
			}
			if got, _ := os.ReadFile(dir + "/a"); string(got) != want {
				t.Errorf("one was there: %v; committed: %v: got %q, want %q", there, committed, got, want)
			}
			nothingIn(t, dir, "a")
		}
	}
}

// Those may read the file who may read the archive.
func TestMode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o755))
	noise(t, dir, map[string]int64{"src/a": 10})
	for mode, want := range map[os.FileMode]os.FileMode{0o644: 0o644, 0o600: 0o600, 0o640: 0o640} {
		must(t, os.Chmod(dir+"/src/a", mode))
		a := archive(t, dir, "align: none")
		write(t, a, dir+"/a.zip", Options{Reflink: Auto, Workers: 1})
		fi, err := os.Stat(dir + "/a.zip")
		must(t, err)
		if fi.Mode() != want {
			t.Errorf("of sources with mode %v: got %v, want %v", mode, fi.Mode(), want)
		}
	}
}

// An end of the context leaves nothing.
func TestCancelled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noise(t, dir, sizes)
	a := archive(t, dir, "align: 4KiB")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Write(ctx, a, dir+"/a.zip", Options{Reflink: Auto, Workers: 2, Start: func(int64) { cancel() }}); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	nothingIn(t, dir, "src")
}

package vfs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func (f pattern) seek(off int64, whence int) (int64, error) {
	if whence == unix.SEEK_DATA {
		return off, nil
	}
	return f.size, nil
}

// holey is a file with a hole from start to end, if err is nil.
type holey struct {
	pattern
	start, end int64
	err        error
}

func (f holey) seek(off int64, whence int) (int64, error) {
	switch inside := off >= f.start && off < f.end; {
	case whence == unix.SEEK_DATA && inside:
		return f.end, f.err
	case whence == unix.SEEK_DATA, inside:
		return off, f.err
	case off < f.start:
		return f.start, f.err
	}
	return f.size, f.err
}

// seek does an lseek(2) for each offset in another process, and returns "OFFSET" or an
// error's text.
func seek(t *testing.T, path string, whence int, offs ...int64) (results []string) {
	t.Helper()
	args := []string{"seek", path}
	for _, off := range offs {
		args = append(args, fmt.Sprintf("%d:%d", off, whence))
	}
	for line := range strings.Lines(mustRun(t, "/proc/self/exe", args...)) {
		var errno unix.Errno
		var at int64
		_, err := fmt.Sscan(line, &errno, &at)
		must(t, err)
		if errno != 0 {
			results = append(results, errno.Error())
		} else {
			results = append(results, fmt.Sprint(at))
		}
	}
	return results
}

// lseek(2) answers as for a file of a disk, through the page cache and past it.
func TestVFSSeek(t *testing.T) {
	const size = 1 << 40
	enxio := unix.ENXIO.Error()
	files := []File{
		{Path: "empty", Size: 0, Content: static{pattern{0}}},
		{Path: "one", Size: 1, Content: static{pattern{1}}},
		{Path: "data", Size: size, Content: static{pattern{size}}},
		{Path: "holey", Size: size, Content: static{holey{pattern{size}, 1000, 70_000, nil}}},
		{Path: "start", Size: size, Content: static{holey{pattern{size}, 0, 70_000, nil}}},
		{Path: "end", Size: size, Content: static{holey{pattern{size}, 1000, size, nil}}},
		{Path: "hole", Size: size, Content: static{holey{pattern{size}, 0, size, nil}}},
	}
	for i := range files {
		files[i].Inode, files[i].Mode = uint64(10+i), 0o444
	}
	for _, io := range []IO{IOCached, IODirect} {
		dir := mountDir(t)
		serve(t, dir, files, Options{IO: io})
		for _, tt := range []struct {
			name       string
			off        int64
			data, hole any
		}{
			{"empty", 0, enxio, enxio},
			{"empty", 1, enxio, enxio},
			{"one", 0, 0, 1},
			{"one", 1, enxio, enxio},
			{"data", 0, 0, size},
			{"data", size - 1, size - 1, size},
			{"data", size, enxio, enxio},
			{"data", size + 1, enxio, enxio},
			{"data", 1<<63 - 1, enxio, enxio},
			{"data", -1, enxio, enxio},
			{"data", -1 << 63, enxio, enxio},
			{"holey", 999, 999, 1000},
			{"holey", 1000, 70_000, 1000},
			{"holey", 69_999, 70_000, 69_999},
			{"holey", 70_000, 70_000, size},
			{"start", 0, 70_000, 0},
			{"end", 1000, enxio, 1000},
			{"end", size - 1, enxio, size - 1},
			{"end", size, enxio, enxio},
			{"hole", 0, enxio, 0},
		} {
			path := filepath.Join(dir, tt.name)
			data, hole := seek(t, path, unix.SEEK_DATA, tt.off)[0], seek(t, path, unix.SEEK_HOLE, tt.off)[0]
			if data != fmt.Sprint(tt.data) || hole != fmt.Sprint(tt.hole) {
				t.Errorf("%s at %d: data at %s, a hole at %s, want %v and %v", tt.name, tt.off, data, hole, tt.data, tt.hole)
			}
		}
		if got := seek(t, filepath.Join(dir, "data"), 77, 0)[0]; got != unix.EINVAL.Error() {
			t.Errorf("whence 77: got %s", got)
		}
	}
}

func TestVFSSeekErrors(t *testing.T) {
	dir := mountDir(t)
	errs := map[error]unix.Errno{
		unix.ESTALE: unix.ESTALE, fmt.Errorf("f: %w", unix.ESTALE): unix.ESTALE, unix.EIO: unix.EIO, unix.ENXIO: unix.EIO, unix.ENOSYS: unix.EIO,
		errors.New("words"): unix.EIO, context.Canceled: unix.EIO,
	}
	var files []File
	var wants []unix.Errno
	for err, want := range errs {
		files = append(files, File{Path: fmt.Sprint(len(files)), Size: 100, Inode: uint64(10 + len(files)), Mode: 0o444, Content: static{holey{pattern{100}, 0, 100, err}}})
		wants = append(wants, want)
	}
	serve(t, dir, files, Options{})
	for i, want := range wants {
		path := filepath.Join(dir, fmt.Sprint(i))
		for _, whence := range []int{unix.SEEK_DATA, unix.SEEK_HOLE} {
			for _, got := range seek(t, path, whence, 0, 50) {
				if got != want.Error() {
					t.Errorf("%v: got %s, want %v", files[i].Content, got, want)
				}
			}
		}
	}
}

// st_blocks tell of holes, but never that there is nothing, and statfs(2) adds them up.
func TestVFSBlocks(t *testing.T) {
	dir := mountDir(t)
	var total uint64
	var files []File
	wants := []int64{}
	for i, tt := range []struct{ size, holes, want int64 }{
		{0, 0, 0}, {1, 0, 1}, {1, 1, 1}, {512, 512, 1}, {513, 0, 2}, {513, 1, 1}, {5000, 100, 10}, {1 << 40, 1<<40 - 600, 2}, {1 << 40, 1 << 40, 1}, {1 << 40, 0, 1 << 31},
	} {
		files = append(files, File{Path: fmt.Sprint(i), Size: tt.size, Holes: tt.holes, Inode: uint64(10 + i), Mode: 0o444, Content: static{pattern{tt.size}}})
		wants = append(wants, tt.want)
		total += uint64(tt.want)
	}
	serve(t, dir, files, Options{})
	for i, want := range wants {
		var st unix.Stat_t
		must(t, unix.Stat(filepath.Join(dir, fmt.Sprint(i)), &st))
		if st.Blocks != want || st.Size != files[i].Size {
			t.Errorf("%d bytes, %d of them in holes: got %d blocks, want %d", st.Size, files[i].Holes, st.Blocks, want)
		}
	}
	var st unix.Statfs_t
	must(t, unix.Statfs(dir, &st))
	if st.Blocks != total {
		t.Errorf("statfs: got %d blocks, want %d", st.Blocks, total)
	}
}

package output

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"vzip/internal/oneline"
)

// target is the file that is made. Until commit it has no name, or where the file system
// has no such files, another one.
type target struct {
	name  string // for messages
	path  string // that it gets; links in it are resolved
	temp  string // its name until then; "" for none
	file  *os.File
	block int64 // block size of its file system, in bytes
	sized int64
}

// create makes the file that will be at path. What is there already has to be a file; a
// symbolic link is followed, as cp does.
func create(path string, mode os.FileMode) (*target, error) {
	t := &target{name: oneline.Text(path), path: path}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		t.path = real
	}
	switch fi, err := os.Lstat(t.path); {
	case err == nil && fi.IsDir():
		return nil, fmt.Errorf("%s: is a folder: name a file in it", t.name)
	case err == nil && fi.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s: is a symbolic link that leads nowhere: remove it, or name another FILE", t.name)
	case err == nil && !fi.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is no regular file: use vzip cat, which writes to standard output", t.name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, t.error(err)
	}
	dir := filepath.Dir(t.path)
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(mode))
	if err == nil {
		t.file = os.NewFile(uintptr(fd), t.path)
		if _, err = os.Lstat(t.own()); err != nil { // there is no /proc
			t.file.Close()
			err = unix.EOPNOTSUPP
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.EINVAL):
		if err := t.createNamed(mode); err != nil {
			return nil, err
		}
	case errors.Is(err, unix.ENOENT):
		return nil, fmt.Errorf("%s: there is no folder %s: make it, or name another FILE", t.name, oneline.Text(dir))
	default:
		return nil, t.error(err)
	}
	var s unix.Statfs_t
	if err := unix.Fstatfs(t.fd(), &s); err != nil {
		t.close()
		return nil, t.error(err)
	}
	t.block = max(int64(s.Bsize), 1)
	return t, nil
}

// createNamed makes the file where the file system has none without names.
func (t *target) createNamed(mode os.FileMode) (err error) {
	t.temp = t.besides()
	if t.file, err = os.OpenFile(t.temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode); err != nil {
		return t.error(err)
	}
	return nil
}

// besides returns a name for a while, in the folder of the file.
func (t *target) besides() string {
	return filepath.Join(filepath.Dir(t.path), ".vzip-write-"+strconv.FormatUint(rand.Uint64(), 36))
}

func (t *target) fd() int { return int(t.file.Fd()) }

// own is a path that leads to the file without a name.
func (t *target) own() string { return fmt.Sprintf("/proc/self/fd/%d", t.fd()) }

// close takes a file away that was not committed.
func (t *target) close() {
	t.file.Close()
	if t.temp != "" {
		_ = os.Remove(t.temp)
	}
}

// error says what is wrong with the file.
func (t *target) error(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	switch {
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("%s: no space is left on its file system: make room, or name another FILE; nothing of it was left behind", t.name)
	case errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%s: the disk quota is used up: make room, or name another FILE; nothing of it was left behind", t.name)
	case errors.Is(err, unix.EFBIG):
		return fmt.Errorf("%s: its file system, or a limit on this process (ulimit -f), does not allow files of %d bytes", t.name, t.sized)
	}
	return fmt.Errorf("%s: %w", t.name, err)
}

// failed tells the errors of the target from those of sources, and of two that don't go
// together.
func (t *target) failed(err error) bool {
	for _, e := range []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG, unix.EROFS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// free returns the bytes that its file system has room for.
func (t *target) free() int64 {
	var s unix.Statfs_t
	if unix.Fstatfs(t.fd(), &s) != nil {
		return math.MaxInt64 // writing tells
	}
	blocks := s.Bavail
	if os.Geteuid() == 0 {
		blocks = s.Bfree
	}
	if blocks > math.MaxInt64/uint64(max(s.Frsize, 1)) {
		return math.MaxInt64
	}
	return int64(blocks) * s.Frsize
}

func (t *target) resize(size int64) error {
	t.sized = size
	if err := t.file.Truncate(size); err != nil {
		return t.error(err)
	}
	return nil
}

func (t *target) writeAt(p []byte, off int64) error {
	if _, err := t.file.WriteAt(p, off); err != nil {
		return t.error(err)
	}
	return nil
}

func (t *target) readAt(p []byte, off int64) error {
	if _, err := t.file.ReadAt(p, off); err != nil {
		return t.error(err)
	}
	return nil
}

// isHole tells whether n bytes from off on are a hole.
func (t *target) isHole(off, n int64) bool {
	data, err := unix.Seek(t.fd(), off, unix.SEEK_DATA)
	return err == nil && data >= off+n
}

func (t *target) sync() error {
	if err := t.file.Sync(); err != nil {
		return t.error(err)
	}
	return nil
}

func (t *target) dropCached() {
	unix.Fadvise(t.fd(), 0, 0, unix.FADV_DONTNEED) // advice: not all file systems take it
}

// commit has all of the file on the disk, and gives it its name.
func (t *target) commit(size int64) error {
	switch fi, err := t.file.Stat(); {
	case err != nil:
		return t.error(err)
	case fi.Size() != size:
		return fmt.Errorf("%s: another program changed it while it was written", t.name)
	}
	if err := t.sync(); err != nil {
		return err
	}
	if t.temp == "" {
		err := unix.Linkat(unix.AT_FDCWD, t.own(), unix.AT_FDCWD, t.path, unix.AT_SYMLINK_FOLLOW)
		if errors.Is(err, unix.EEXIST) {
			t.temp = t.besides()
			if err = unix.Linkat(unix.AT_FDCWD, t.own(), unix.AT_FDCWD, t.temp, unix.AT_SYMLINK_FOLLOW); err != nil {
				t.temp = ""
			}
		}
		if err != nil {
			return t.error(err)
		}
	}
	if t.temp != "" {
		if err := os.Rename(t.temp, t.path); err != nil {
			return t.error(err)
		}
		t.temp = ""
	}
	dir, err := os.Open(filepath.Dir(t.path))
	if err != nil {
		return t.error(err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // not all file systems know how to
		return t.error(err)
	}
	return nil
}

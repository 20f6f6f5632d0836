package output

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"vzip/internal/oneline"
	"vzip/internal/source"
)

// target is the file that is made. Until commit it has no name, or where the file system
// has no such files, another one. All names are in a folder that stays open, whatever
// takes its place.
type target struct {
	name  string       // for messages
	base  string       // that it gets, in dir
	dir   int          // O_PATH
	was   *unix.Stat_t // the file that has the name so far; nil: none
	file  *os.File
	block int64 // block size of its file system, in bytes
	sized int64

	mu    sync.Mutex // never held while a file system is asked, but to unlink
	temp  string     // its name until then; "" for none
	state state
}

type state int

const (
	making state = iota
	abandoned
	naming // or done
)

var errNotRegular = errors.New("is no regular file: use vzip cat, which writes to standard output")

// resolve returns the path of what path leads to, where there is something. The kernel
// follows links in it, and refuses those that it would refuse to cp.
func resolve(path string) (string, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	switch err {
	case nil:
		var s unix.Stat_t
		err := unix.Fstat(fd, &s)
		unix.Close(fd)
		if kind := s.Mode & unix.S_IFMT; err == nil && kind != unix.S_IFREG && kind != unix.S_IFDIR {
			err = errNotRegular
		}
		if err != nil {
			return "", err
		}
		return filepath.EvalSymlinks(path)
	case unix.ENOENT:
		return path, nil
	}
	return "", err
}

// create makes the file that will be at path. What is there already has to be a file; a
// symbolic link is followed, as cp does.
func (t *target) create(path string, mode os.FileMode) error {
	t.name = oneline.Text(path)
	real, err := resolve(path)
	if err != nil {
		return t.error(err)
	}
	t.base = filepath.Base(real)
	dir := filepath.Dir(real)
	if t.dir, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		if err == unix.ENOENT {
			return fmt.Errorf("%s: there is no folder %s: make it, or name another FILE", t.name, oneline.Text(dir))
		}
		return t.error(err)
	}
	var was unix.Stat_t
	err = unix.Fstatat(t.dir, t.base, &was, unix.AT_SYMLINK_NOFOLLOW)
	switch was.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		t.was = &was
	case unix.S_IFDIR:
		return fmt.Errorf("%s: is a folder: name a file in it", t.name)
	case unix.S_IFLNK:
		return fmt.Errorf("%s: is a symbolic link that leads nowhere: remove it, or name another FILE", t.name)
	default:
		if err == nil {
			return t.error(errNotRegular)
		}
		if err != unix.ENOENT {
			return t.error(err)
		}
	}
	var s unix.Statfs_t
	if err := unix.Fstatfs(t.dir, &s); err != nil {
		return t.error(err)
	}
	t.block = max(int64(s.Bsize), 1)
	return t.open(mode)
}

// open makes a file without a name, on file systems that are known to have such files.
func (t *target) open(mode os.FileMode) error {
	if source.KindOf(t.dir) == source.Unknown {
		return t.openNamed(mode)
	}
	fd, err := unix.Openat(t.dir, ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(mode))
	switch {
	case err == nil:
	case isAny(err, unix.EOPNOTSUPP, unix.EISDIR, unix.EINVAL):
		return t.openNamed(mode)
	default:
		return t.error(err)
	}
	t.file = os.NewFile(uintptr(fd), t.name)
	if _, err := os.Lstat(t.own()); err != nil { // there is no /proc, by which it gets a name
		t.file.Close()
		return t.openNamed(mode)
	}
	return nil
}

func (t *target) openNamed(mode os.FileMode) error {
	temp := besides()
	fd, err := unix.Openat(t.dir, temp, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(mode))
	if err != nil {
		return t.error(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.temp, t.file = temp, os.NewFile(uintptr(fd), t.name)
	if t.state == abandoned {
		return context.Canceled
	}
	return nil
}

// besides returns a name for a while, in the folder of the file.
func besides() string { return ".vzip-write-" + strconv.FormatUint(rand.Uint64(), 36) }

func (t *target) fd() int { return int(t.file.Fd()) }

// own is a path that leads to the file without a name.
func (t *target) own() string { return fmt.Sprintf("/proc/self/fd/%d", t.fd()) }

// abandon is for any moment, also for one when others use the file.
func (t *target) abandon() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == naming {
		return false
	}
	t.state = abandoned
	t.unlink()
	return true
}

// unlink takes the other name away; the lock is held.
func (t *target) unlink() {
	if t.temp != "" {
		_ = unix.Unlinkat(t.dir, t.temp, 0)
		t.temp = ""
	}
}

// close takes a file away that was not committed.
func (t *target) close() {
	if t.file != nil {
		t.file.Close()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unlink()
	unix.Close(t.dir)
	t.dir = -1
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
	case isAny(err, unix.EACCES, unix.EPERM, unix.EROFS):
		return fmt.Errorf("%s: %w: name a FILE in a folder that this user may write to", t.name, err)
	}
	return fmt.Errorf("%s: %w", t.name, err)
}

// failed tells the errors of the target from those of sources, and of two that don't go
// together.
func (t *target) failed(err error) bool {
	return isAny(err, unix.ENOSPC, unix.EDQUOT, unix.EFBIG, unix.EROFS)
}

// free returns the bytes that its file system has room for.
func (t *target) free() int64 {
	var s unix.Statfs_t
	if unix.Fstatfs(t.dir, &s) != nil || s.Blocks == 0 {
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
func (t *target) commit(ctx context.Context, size int64) error {
	switch fi, err := t.file.Stat(); {
	case err != nil:
		return t.error(err)
	case fi.Size() != size:
		return fmt.Errorf("%s: another program changed it while it was written", t.name)
	}
	if err := t.sync(); err != nil {
		return err
	}
	if !t.begin(ctx) {
		return context.Canceled
	}
	if err := t.rename(); err != nil {
		return t.error(err)
	}
	dir, err := unix.Openat(t.dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == unix.EACCES {
		return nil // whoever may not list the folder can't have it synced
	}
	if err == nil {
		err = unix.Fsync(dir)
		unix.Close(dir)
	}
	if err != nil && err != unix.EINVAL { // not all file systems know how to
		return fmt.Errorf("%s: is there, but a crash of this machine may undo it: its folder can't be synced: %w", t.name, err)
	}
	return nil
}

// begin tells whether the file may get its name: then nobody can give it up any more.
func (t *target) begin(ctx context.Context) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state == abandoned || ctx.Err() != nil {
		return false
	}
	t.state = naming
	return true
}

// rename gives the file its name.
func (t *target) rename() error {
	if t.temp == "" {
		err := unix.Linkat(unix.AT_FDCWD, t.own(), t.dir, t.base, unix.AT_SYMLINK_FOLLOW)
		if err != unix.EEXIST {
			return err
		}
		temp := besides()
		if err := unix.Linkat(unix.AT_FDCWD, t.own(), t.dir, temp, unix.AT_SYMLINK_FOLLOW); err != nil {
			return err
		}
		t.temp = temp // close takes it away if the next step fails
	}
	err := unix.Renameat(t.dir, t.temp, t.dir, t.base)
	if err == nil {
		t.temp = ""
	}
	return err
}

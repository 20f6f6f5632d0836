package source

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/seeded"
)

// Clone is a copy of a source that shares its blocks (FICLONE of ioctl(2)).
type Clone struct {
	Stat // the clone's own; its modification time is the source's
	// Was is what the source was. It may have been written to just then: the size of what
	// was cloned is the clone's.
	Was Stat
	// Settled tells that the clone has the bytes that Was stands for, and will stand for:
	// nobody could write to the source, and any later change shows in its times.
	Settled bool
}

// CloneError tells that the kernel can't clone a source to where it was asked to.
type CloneError struct {
	Path string
	Err  error
}

func (e *CloneError) Error() string { return fmt.Sprintf("%s can't be cloned: %v", e.Path, e.Err) }

// Unwrap returns the kernel's error.
func (e *CloneError) Unwrap() error { return e.Err }

// CloneTo clones the regular file that is at r now to a new file of that name in the open
// folder dirfd. Where there is none, that is a ChangedError; where the two file systems
// can't do it a CloneError.
func (r Ref) CloneTo(dirfd int, name string) (c Clone, err error) {
	f, _, err := OpenNow(r)
	if err != nil {
		return c, err
	}
	defer f.Close()
	if c.Was, err = f.stat(); err != nil {
		return c, err
	}
	rests := f.rests(c.Was.Identity)
	fd, err := unix.Openat(dirfd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o400)
	if err != nil {
		return c, fmt.Errorf("a clone of %s: %w", r.Path(), err)
	}
	defer unix.Close(fd)
	if err := f.clone(fd); err != nil {
		return c, err
	}
	now, err := f.Identity()
	if err != nil {
		return c, err
	}
	mtime := unix.NsecToTimespec(c.Was.Mtime)
	if err = unix.UtimesNanoAt(dirfd, name, []unix.Timespec{mtime, mtime}, unix.AT_SYMLINK_NOFOLLOW); err == nil {
		c.Stat, err = statAt(fd, "", unix.AT_EMPTY_PATH)
	}
	if err != nil {
		return c, fmt.Errorf("a clone of %s: %w", r.Path(), err)
	}
	c.Settled = rests && now == c.Was.Identity && c.Size == now.Size && c.Mtime == now.Mtime
	return c, nil
}

// clone makes the open file fd a clone of f. How long it takes is no sign of a file system
// that hangs: what is not on the disk yet is written first.
func (f *File) clone(fd int) error {
	for {
		err := unix.IoctlFileClone(fd, f.fd)
		switch {
		case err == unix.EINTR:
			continue
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ETXTBSY):
			return &CloneError{f.ref.Path(), err}
		case err != nil:
			return fmt.Errorf("a clone of %s: %w", f.ref.Path(), err)
		}
		return nil
	}
}

// rests tells whether nobody can be writing to the file, which has not changed since id was
// found, and whether whatever changes it from now on changes its identity. It is false
// where that can't be told: of other users' files, and on file systems that don't know of
// all writers.
func (f *File) rests(id Identity) bool {
	k := f.Kind()
	rested := time.Since(time.Unix(0, id.Ctime)) > id.Tick(k)
	return k == Local && rested && (f.lease() == nil || seeded.On("no-origin-lease"))
}

// OpenFolder opens a folder by an absolute path without links, none of which is followed.
func OpenFolder(path string) (fd int, err error) {
	return openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
}

// CloneRange has n bytes of the file from from on shared with the file dst, at to
// (ioctl_ficlonerange(2)): no byte is read. All three are multiples of the block size;
// an end that is the file's may not be one.
// It waits until the file is on its disk, and so takes no part in the Pulse.
func (f *File) CloneRange(dst int, from, n, to int64) error {
	for {
		err := unix.IoctlFileCloneRange(dst, &unix.FileCloneRange{Src_fd: int64(f.fd), Src_offset: uint64(from), Src_length: uint64(n), Dest_offset: uint64(to)})
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return fmt.Errorf("%s: cloning: %w", f.ref.Path(), err)
		}
	}
}

// CopyRange has the kernel copy up to n bytes of the file from from on to the file dst, at to
// (copy_file_range(2)), and returns how many it did. It may wait for the disk of dst, and
// so takes no part in the Pulse.
func (f *File) CopyRange(dst int, from, n, to int64) (int64, error) {
	for {
		did, err := unix.CopyFileRange(f.fd, &from, dst, &to, int(n), 0)
		switch err {
		case nil:
			return int64(did), nil
		case unix.EINTR:
		default:
			return 0, fmt.Errorf("%s: copying: %w", f.ref.Path(), err)
		}
	}
}

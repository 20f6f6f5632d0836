package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// CheckDir returns the absolute path of a mountpoint without links, or says why
// nothing can be mounted there. Mounts of vzip whose program died are taken away;
// note is a line that tells of it, or empty.
func CheckDir(dir string) (real, note string, err error) {
	real, err = realPath(dir)
	switch {
	case isDead(err):
		return "", "", fmt.Errorf("mountpoint %s: a folder above it is a mount whose program died: unmount that first", dir)
	case errors.Is(err, fs.ErrNotExist):
		return "", "", fmt.Errorf("mountpoint %s does not exist: make the folder first", dir)
	case err != nil:
		return "", "", fmt.Errorf("mountpoint %s: %w", dir, err)
	}
	dead, err := detachDead(real)
	if err != nil {
		return "", "", fmt.Errorf("mountpoint %s: a mount whose program died is still there, and can't be taken away: %w: run vzip umount --lazy %s first", dir, err, dir)
	}
	if dead > 0 {
		note = fmt.Sprintf("mountpoint %s: a mount of vzip whose program died was still there: it is taken away", dir)
	}
	fi, err := os.Stat(real)
	switch {
	case isDead(err):
		return "", note, fmt.Errorf("mountpoint %s: a mount of another program, which died, is still there: run umount --lazy %s first", dir, dir)
	case err != nil:
		return "", note, fmt.Errorf("mountpoint %s: %w", dir, err)
	case !fi.IsDir():
		return "", note, fmt.Errorf("mountpoint %s is no folder", dir)
	}
	if mounted, err := IsMounted(real); err == nil && mounted {
		return "", note, fmt.Errorf("mountpoint %s shows archives already: run vzip umount %s first", dir, dir)
	}
	return real, note, CheckDevice()
}

// isDead tells the error of a mount whose program has ended.
func isDead(err error) bool {
	return errors.Is(err, unix.ENOTCONN) || errors.Is(err, unix.ECONNABORTED)
}

// realPath returns the absolute path of dir without links, also where dir is a
// mount whose program died.
func realPath(dir string) (string, error) {
	p, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(p)
	for isDead(err) {
		parent, parentErr := filepath.EvalSymlinks(filepath.Dir(p))
		if parentErr != nil {
			return "", parentErr
		}
		p = filepath.Join(parent, filepath.Base(p))
		link, linkErr := os.Readlink(p)
		if linkErr != nil {
			return p, nil // the mount itself
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(parent, link)
		}
		p = filepath.Clean(link)
		real, err = filepath.EvalSymlinks(p)
	}
	return real, err
}

// detachDead takes away the mounts of vzip on top of dir whose program died, and
// returns how many there were.
func detachDead(dir string) (n int, err error) {
	for {
		dead, err := detachOne(dir)
		if !dead || err != nil {
			return n, err
		}
		n++
	}
}

// detachOne takes the top mount away if it is a dead one of vzip. It holds on to
// that mount meanwhile: another process that starts might do the same, and put a
// new mount in its place.
func detachOne(dir string) (dead bool, err error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, nil // whoever uses it finds out why
	}
	defer unix.Close(fd)
	if !isVzip(fd) || !isDead(unix.Fstatfs(fd, new(unix.Statfs_t))) {
		return false, nil
	}
	err = unix.Unmount(fmt.Sprintf("/proc/self/fd/%d", fd), unix.MNT_DETACH)
	if err == unix.EPERM {
		err = Unmount(dir, true)
	}
	if err == unix.EINVAL { // another process was quicker
		err = nil
	}
	return true, err
}

// isVzip tells whether a descriptor is the top of a mount of vzip.
func isVzip(fd int) bool {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return false
	}
	id := field(string(info), "mnt_id")
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) { return fmt.Sprint(m.ID) != id, false })
	if err != nil || len(mounts) == 0 || mounts[0].FSType != fsType {
		return false
	}
	target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	return err == nil && target == mounts[0].Mountpoint
}

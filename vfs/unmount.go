package vfs

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Wait returns when the mount has ended, and all that was open in it is closed.
func (m *Mounted) Wait() { <-m.gone }

// Device returns the number of the file system as mountinfo has it, and st_dev.
func (m *Mounted) Device() (major, minor int) { return m.device.major, m.device.minor }

// OpenHandles returns how many files are open.
func (m *Mounted) OpenHandles() int64 {
	m.tree.mu.Lock()
	defer m.tree.mu.Unlock()
	return int64(len(m.tree.open))
}

// ErrCovered: something else is mounted over it.
var ErrCovered = errors.New("another file system is mounted over it: unmount that first")

// Unmount unmounts this mount, and no other one at its place; see the function
// Unmount. There is no error where it is not to be seen any more.
func (m *Mounted) Unmount(lazy bool) error {
	if m.device == (device{}) { // there was no mount table to find it in
		return Unmount(m.Dir, lazy)
	}
	dir, err := m.place()
	if dir == "" || err != nil {
		return err
	}
	mounts, err := mountsAt(dir)
	switch {
	case err != nil:
		return err
	case len(mounts) == 0:
		return nil
	case deviceOf(mounts[len(mounts)-1]) != m.device:
		return ErrCovered
	}
	return Unmount(dir, lazy)
}

// place returns where this mount is: at its folder, or where that was moved to.
// It is "" where the mount is not to be seen any more.
func (m *Mounted) place() (dir string, err error) {
	mounts, err := mountinfo.GetMounts(func(i *mountinfo.Info) (skip, stop bool) { return deviceOf(i) != m.device, false })
	for _, i := range mounts {
		if i.Mountpoint == m.Dir {
			return m.Dir, nil
		}
		if i.Root == "/" && dir == "" {
			dir = i.Mountpoint
		}
	}
	return dir, err
}

// Detach takes this mount out of sight. It ends when the last program closes its
// files.
func (m *Mounted) Detach() error { return m.Unmount(true) }

// Unmount unmounts what is mounted at dir. With lazy set the mount disappears
// at once, and ends when the last program closes its files. An error that wraps
// EBUSY says that files are open.
func Unmount(dir string, lazy bool) error {
	flags := unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	err := unix.Unmount(dir, flags)
	if err != unix.EPERM {
		return err
	}
	args := []string{"-u"}
	if lazy {
		args = append(args, "-z")
	}
	helper, err := fusermount()
	if err != nil {
		return errors.New("fusermount3 is missing, and only root can unmount without it: install the package fuse3")
	}
	out, err := exec.Command(helper, append(args, "--", dir)...).CombinedOutput()
	switch {
	case err == nil:
		return nil
	case strings.Contains(string(out), "busy"):
		return unix.EBUSY
	}
	return fmt.Errorf("%s", strings.TrimSpace(string(out)))
}

// fusermount finds the helper even where PATH is unset, as in an init system.
func fusermount() (string, error) {
	var err error
	for _, name := range []string{"fusermount3", "/usr/bin/fusermount3", "/bin/fusermount3", "fusermount", "/bin/fusermount"} {
		var p string
		if p, err = exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", err
}

// IsMounted tells whether vzip's file system is mounted at dir, an absolute path
// without links.
func IsMounted(dir string) (bool, error) {
	m, err := topMount(dir)
	return m != nil && m.FSType == fsType, err
}

// device tells mounts of FUSE from each other.
type device struct{ major, minor int }

func deviceOf(m *mountinfo.Info) device { return device{m.Major, m.Minor} }

// mountsAt returns the mounts at dir, the one to be seen last.
func mountsAt(dir string) ([]*mountinfo.Info, error) {
	return mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) { return m.Mountpoint != dir, false })
}

// topMount returns the mount to be seen at dir, or nil.
func topMount(dir string) (*mountinfo.Info, error) {
	mounts, err := mountsAt(dir)
	if err != nil || len(mounts) == 0 {
		return nil, err
	}
	return mounts[len(mounts)-1], nil
}

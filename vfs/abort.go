package vfs

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Abort ends the mount under its readers: they get errors at once, also those that
// wait for a source. Detach takes the mount out of sight. An error says that this
// system doesn't let vzip do it.
func (m *Mounted) Abort() error {
	select {
	case <-m.gone: // its number may be another mount's by now
		return nil
	default:
	}
	if m.device == (device{}) {
		return errors.New("ending the mount: /proc/self/mountinfo did not show it")
	}
	name := fmt.Sprintf("%d/abort", m.device.minor) // fuse.rst: the device's minor number
	err := writeTo(unix.AT_FDCWD, "/sys/fs/fuse/connections/"+name)
	if err == nil {
		return nil
	}
	if fd, mountErr := controlMount(); mountErr == nil { // not mounted here: root can look at it all the same
		defer unix.Close(fd)
		err = writeTo(fd, name)
	}
	if err != nil {
		return fmt.Errorf("ending the mount: /sys/fs/fuse/connections/%s: %w: mount fusectl there, or end the program", name, err)
	}
	return nil
}

// controlMount returns a descriptor of a fusectl file system that nobody else sees.
func controlMount() (int, error) {
	fs, err := unix.Fsopen("fusectl", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
}

func writeTo(dirfd int, name string) error {
	fd, err := unix.Openat(dirfd, name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte("1"))
	return err
}

// field returns what stands after "name:" in a file of /proc, or nothing.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

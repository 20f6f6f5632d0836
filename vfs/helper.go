package vfs

import (
	"errors"
	"os/exec"

	"golang.org/x/sys/unix"
)

var errNoHelper = errors.New("fusermount3 is missing, and only root can mount without it: install the package fuse3")

// isFUSE tells whether a file is the device 10, 229, and not one that hides it.
func isFUSE(file string) bool {
	var st unix.Stat_t
	err := unix.Stat(file, &st)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(10, 229)
}

// hasHelper tells whether go-fuse will find fusermount3, or its older form. It looks
// into /bin, too, whatever PATH says.
func hasHelper() bool {
	for _, name := range []string{"fusermount3", "/bin/fusermount3", "fusermount", "/bin/fusermount"} {
		if _, err := exec.LookPath(name); err == nil {
			return true
		}
	}
	return false
}

// cantEverMount tells whether no program that is started from here, not even one of
// root's with the set-user-ID bit, can have the right to mount.
func cantEverMount() bool {
	has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_SYS_ADMIN, 0, 0, 0)
	return err == nil && has == 0
}

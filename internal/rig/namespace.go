package rig

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// privateVariable marks the process that has a mount namespace of its own.
const privateVariable = "VZIP_RIG_PRIVATE"

// LetGo takes the mounts of other tests out of this mount namespace, but those below
// keep: a copy of a mount lives on when the mount itself is unmounted, and so does
// its daemon.
func LetGo(keep string) error {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		ours := strings.HasPrefix(m.FSType, "fuse.") && strings.Contains(m.Mountpoint, "/vzip-")
		return !ours || keep != "" && strings.HasPrefix(m.Mountpoint, keep+"/"), false
	})
	for _, m := range slices.Backward(mounts) {
		err = errors.Join(err, Detach(m.Mountpoint))
	}
	return err
}

// Private starts this program again, as the same process, in a mount namespace of its
// own, where it returns false; for users who may not it does so at once, and where that
// fails it returns true with an exit code. What the program mounts is gone when it ends,
// however it ends, loop devices included.
func Private() (code int, done bool) {
	if os.Getenv(privateVariable) != "" {
		if err := LetGo(""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1, true
		}
		return 0, false
	}
	if os.Geteuid() != 0 {
		return 0, false
	}
	runtime.LockOSThread() // the thread's namespace becomes that of the program
	err := unix.Unshare(unix.CLONE_NEWNS)
	if err == nil {
		err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	}
	if err == nil {
		err = syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), privateVariable+"=1"))
	}
	fmt.Fprintf(os.Stderr, "no mount namespace of its own: %v\n", err)
	return 1, true
}

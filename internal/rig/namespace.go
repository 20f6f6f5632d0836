package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/sys/mountinfo"
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

// Private runs this program again as a child with its own mount namespace, and
// returns true with the child's exit code; in that child, and for users who may
// not, it returns false. What the child mounts is gone when it ends, however it
// ends, loop devices included.
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
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), privateVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, true
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode(), true
	}
	fmt.Fprintln(os.Stderr, err)
	return 1, true
}

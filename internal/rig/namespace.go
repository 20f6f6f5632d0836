package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// privateVariable marks the process that has a mount namespace of its own.
const privateVariable = "VZIP_RIG_PRIVATE"

// Private runs this program again as a child with its own mount namespace, and
// returns true with the child's exit code; in that child, and for users who may
// not, it returns false. What the child mounts is gone when it ends, however it
// ends, loop devices included.
func Private() (code int, done bool) {
	if os.Geteuid() != 0 || os.Getenv(privateVariable) != "" {
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

package require

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// NoMounts runs a package's tests in a folder for temporary files of its own, and
// fails if something is left mounted there. It returns the exit code.
func NoMounts(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vzip-test-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // tests may become other users, who need to get there
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("TMPDIR", dir)
	code := m.Run()
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	slices.Reverse(mounts)
	for _, mount := range mounts {
		fmt.Fprintln(os.Stderr, "left mounted:", mount.Mountpoint)
		_ = unix.Unmount(mount.Mountpoint, unix.MNT_DETACH)
		code = max(code, 1)
	}
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

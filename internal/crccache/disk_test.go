package crccache

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
	"vzip/internal/require"
	"vzip/internal/rig"
)

// alone lets cmd mount what nobody else sees, and what is gone when it ends.
func alone(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	return cmd
}

// mountDisk mounts 1 MiB of memory at dir.
func mountDisk(t *testing.T, dir string) {
	t.Helper()
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, rig.LetGo(""))
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=0700"))
}

// A disk that is full at any point costs no record that was there, leaves none
// half, and the cache goes on when there is room.
func TestDiskFull(t *testing.T) {
	const batchOf = 15
	rounds := figure.N(5, 300)
	if args := childArgs(); args != nil {
		disk := args[0]
		mountDisk(t, disk)
		dir, filler := filepath.Join(disk, "cache"), filepath.Join(disk, "filler")
		for range rounds {
			must(t, os.WriteFile(filler, make([]byte, rand.IntN(1000<<10)), 0o600))
			flushed := 0
			c := open(t, dir)
			if rand.IntN(3) == 0 {
				c.compactMin = 1000 * slotLen
			}
			for k, err := 0, error(nil); err == nil; k++ {
				if err = c.Add(either(1, k)); err == nil && k%batchOf == 0 {
					err = c.Flush()
				}
				switch {
				case err == nil && k%batchOf == 0:
					flushed = k + 1
				case err != nil && (!errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), dir)):
					t.Fatalf("got error %v, want %v with the path", err, unix.ENOSPC)
				}
			}
			if left := temporary(t, dir); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			rs, damaged := all(t, dir)
			for _, r := range rs {
				if !isRight(r) {
					t.Errorf("got %+v, which nobody added", r)
				}
			}
			// Add flushes as well, and compacting fails after records were written.
			if more := len(rs) - flushed; damaged != 0 || more < 0 || more > batchOf {
				t.Errorf("got %d records and %d damaged, want %d to %d", len(rs), damaged, flushed, flushed+batchOf)
			}
			must(t, os.Remove(filler))
			add(t, open(t, dir), fresh...)
			wantRecords(t, dir, append(rs, fresh...), 0)
			must(t, os.RemoveAll(dir))
			if t.Failed() {
				return
			}
		}
		return
	}
	t.Parallel()
	require.Needs(t, "root")
	runChild(t, alone(child(t, t.TempDir())))
	figure.Print(t, "disk full while the cache was written: %d times, 0 wrong, damaged or missing records", rounds)
}

// A cache on a disk that can't be written to is read, and adding to it fails with
// the reason.
func TestReadOnlyDisk(t *testing.T) {
	if args := childArgs(); args != nil {
		disk := args[0]
		mountDisk(t, disk)
		dir := filepath.Join(disk, "cache")
		add(t, open(t, dir), mixed(1, 9)...)
		must(t, os.Remove(filepath.Join(dir, lockName)))
		must(t, os.Truncate(filepath.Join(dir, FileName), fileSize(t, dir)-1))
		must(t, unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		wantRecords(t, dir, mixed(1, 8), 1)
		c := open(t, dir)
		must(t, c.Add(record(1, 1)))
		if err := c.Flush(); !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), dir) {
			t.Errorf("Flush: got error %v, want %v with the path", err, unix.EROFS)
		}
		if _, err := Open(filepath.Join(disk, "other")); !errors.Is(err, unix.EROFS) {
			t.Errorf("Open of a folder that isn't there: got error %v, want %v", err, unix.EROFS)
		}
		return
	}
	t.Parallel()
	require.Needs(t, "root")
	runChild(t, alone(child(t, t.TempDir())))
}

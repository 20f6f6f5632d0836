// Package source opens the files that archives are made of: never outside of
// their root, never blocking on what is no regular file, and never taking a
// file for the one that was scanned when it isn't.
//
// In scope: path resolution, identity, positioned reads, holes, a bounded set
// of open descriptors. Out of scope: what the bytes mean.
package source

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Identity is what tells a file from one that changed or took its place. Times
// are nanoseconds since 1970; Btime is 0 where the file system has none. The
// device is left out: it differs from boot to boot.
type Identity struct {
	Size, Mtime, Ctime, Btime int64
	Ino                       uint64
}

// Stat is what a scan needs of a file.
type Stat struct {
	Identity
	Mode  uint32 // st_mode
	Nlink uint32 // hard links
	UID   uint32
	GID   uint32
	Dev   uint64
	// Blocks is st_blocks, in units of 512 bytes: less than Size where there are holes,
	// and on file systems that compress.
	Blocks uint64
	// MountPoint tells that something is mounted here, where the kernel knows (5.8).
	MountPoint bool
}

// IsDir, IsRegular and IsSymlink tell the file type.
func (s *Stat) IsDir() bool     { return s.Mode&unix.S_IFMT == unix.S_IFDIR }
func (s *Stat) IsRegular() bool { return s.Mode&unix.S_IFMT == unix.S_IFREG }
func (s *Stat) IsSymlink() bool { return s.Mode&unix.S_IFMT == unix.S_IFLNK }

// Saved returns by how many bytes less than its size the file takes, 0 if it takes more.
func (s *Stat) Saved() int64 {
	return max(0, s.Size-int64(min(s.Blocks, math.MaxInt64/512))*512)
}

// ModTime returns the modification time in whole seconds since 1970, rounded
// down as the kernel's st_mtime is.
func (s *Stat) ModTime() int64 {
	sec := s.Mtime / int64(time.Second)
	if s.Mtime%int64(time.Second) < 0 {
		sec--
	}
	return sec
}

// statAt is statx(2) of name below dirfd; with AT_EMPTY_PATH of dirfd itself.
func statAt(dirfd int, name string, flags int) (Stat, error) {
	var stx unix.Statx_t
	for {
		err := statx(dirfd, name, flags|unix.AT_NO_AUTOMOUNT, &stx)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Stat{}, err
		}
		break
	}
	s := Stat{
		Identity: Identity{Size: int64(stx.Size), Mtime: nanos(stx.Mtime), Ctime: nanos(stx.Ctime), Ino: stx.Ino},
		Mode:     uint32(stx.Mode),
		Nlink:    stx.Nlink,
		UID:      stx.Uid,
		GID:      stx.Gid,
		Dev:      unix.Mkdev(stx.Dev_major, stx.Dev_minor),
		Blocks:   stx.Blocks,
	}
	s.MountPoint = stx.Attributes&stx.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0
	if stx.Mask&unix.STATX_BTIME != 0 {
		s.Btime = nanos(stx.Btime)
	}
	return s, nil
}

// statx is statx(2). For an open file it needs no memory: each read asks.
func statx(dirfd int, name string, flags int, stx *unix.Statx_t) error {
	const mask = unix.STATX_BASIC_STATS | unix.STATX_BTIME
	if name != "" {
		return unix.Statx(dirfd, name, flags, mask, stx)
	}
	_, _, errno := unix.Syscall6(unix.SYS_STATX, uintptr(dirfd), uintptr(unsafe.Pointer(&noName)), uintptr(flags), mask, uintptr(unsafe.Pointer(stx)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

var noName byte // an empty string of C

func nanos(t unix.StatxTimestamp) int64 { return t.Sec*int64(time.Second) + int64(t.Nsec) }

// Diff says in words how is differs from was; empty where it does not.
func (was Identity) Diff(is Identity) string {
	if was == is {
		return ""
	}
	var parts []string
	if was.Size != is.Size {
		parts = append(parts, fmt.Sprintf("size was %d, is %d", was.Size, is.Size))
	}
	if was.Mtime != is.Mtime {
		parts = append(parts, fmt.Sprintf("modification time was %s, is %s", stamp(was.Mtime), stamp(is.Mtime)))
	}
	if was.Ino != is.Ino || was.Btime != is.Btime {
		parts = append(parts, "another file has taken its place")
	} else if len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("status change time was %s, is %s", stamp(was.Ctime), stamp(is.Ctime)))
	}
	return strings.Join(parts, "; ")
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// ChangedError tells that a source is no longer what was scanned or hashed. It
// unwraps to ESTALE.
type ChangedError struct {
	Path string
	What string
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("%s: changed since it was scanned: %s", e.Path, e.What)
}

func (e *ChangedError) Unwrap() error { return unix.ESTALE }

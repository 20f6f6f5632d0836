package source

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is what a file system's stamps and leases are worth.
type Kind uint8

const (
	// Unknown file systems (network, FUSE) may have coarse stamps and stale
	// attributes, and not know of all writers.
	Unknown Kind = iota
	// Memory file systems punch holes before they stamp.
	Memory
	// Overlay file systems don't know who maps the files of their layers.
	Overlay
	// Local file systems stamp each change before the new data can be read.
	Local
)

// Numbers of file systems that statfs(2) tells and x/sys/unix does not name.
const (
	zfsMagic      = 0x2fc12fc1
	bcachefsMagic = 0xca451a4e
)

// Kind returns the kind of file system that the file is on.
func (f *File) Kind() Kind {
	f.ref.ask()
	defer f.ref.answered()
	return KindOf(f.fd)
}

// KindOf returns the kind of file system that an open file or folder is on.
func KindOf(fd int) Kind {
	var s unix.Statfs_t
	if unix.Fstatfs(fd, &s) != nil {
		return Unknown
	}
	switch uint32(s.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, zfsMagic, bcachefsMagic:
		return Local
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		return Memory
	case unix.OVERLAYFS_SUPER_MAGIC:
		return Overlay
	}
	return Unknown
}

// Clocks of file systems tick: a change right after a file was read could leave
// its times as they are.
const (
	tick       = 20 * time.Millisecond   // the kernel's, coarsest at 100 Hz, doubled
	coarseTick = 2100 * time.Millisecond // whole seconds, FAT's two, a server's own clock
)

// Tick is how long after its last change a file must be left alone before a
// further change is sure to show in its times.
func (id Identity) Tick(k Kind) time.Duration {
	if k == Unknown || id.Ctime%int64(time.Second) == 0 {
		return coarseTick
	}
	return tick
}

// BusyError tells that a program has a source open for writing, or mapped so that
// it can write to it.
type BusyError struct{ Path string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s: a program has it open for writing (lsof or fuser shows which)", e.Path)
}

// Busy returns a BusyError if some program could be writing to the file. It asks
// by taking a lease (fcntl(2)), which the kernel grants only where nobody has the
// file open for writing; file systems without leases, and other users' files,
// are taken for not busy.
func (f *File) Busy() error {
	if f.lease() == unix.EAGAIN {
		return &BusyError{f.ref.Path()}
	}
	return nil
}

// lease takes a lease for a moment, or returns why it can't be had.
func (f *File) lease() error {
	_, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETLEASE, unix.F_RDLCK)
	if err == nil {
		_, _ = unix.FcntlInt(uintptr(f.fd), unix.F_SETLEASE, unix.F_UNLCK)
	}
	return err
}

// OpenLimit is how many sources may be open at once: part of what the process may
// open (RLIMIT_NOFILE), and never more than is of use.
func OpenLimit() int {
	const most, others = 256, 32
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil || r.Cur > 4*most {
		return most
	}
	return max(8, min(most, (int(r.Cur)-others)/2))
}

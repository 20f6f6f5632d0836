package source

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// File is an open source. Its methods may be called by several goroutines.
type File struct {
	fd   int
	size int64
	ref  Ref
}

// Open opens the file that was scanned as id, or fails with a ChangedError.
func Open(r Ref, id Identity) (*File, error) {
	f, is, err := OpenNow(r)
	if err != nil {
		return nil, err
	}
	return f.scannedAs(id, is)
}

// scannedAs returns a file that is what it was, and closes one that is not.
func (f *File) scannedAs(was, is Identity) (*File, error) {
	if is != was {
		f.Close()
		return nil, &ChangedError{Path: f.ref.Path(), What: was.Diff(is)}
	}
	return f, nil
}

// OpenNow opens the regular file that is there now, and returns what it is. Where
// there is none, that is a ChangedError.
func OpenNow(r Ref) (*File, Identity, error) {
	root, err := r.openRoot()
	if err != nil {
		return nil, Identity{}, r.gone(err)
	}
	defer unix.Close(root)
	return open(root, r)
}

func open(rootfd int, r Ref) (*File, Identity, error) {
	fd, err := r.openFile(rootfd)
	if err != nil {
		return nil, Identity{}, r.gone(err)
	}
	f := &File{fd: fd, ref: r}
	id, err := f.Identity()
	if err != nil {
		f.Close()
		return nil, Identity{}, err
	}
	f.size = id.Size
	return f, id, nil
}

// Size is the size of the file when it was opened, in bytes.
func (f *File) Size() int64 { return f.size }

// Close closes the descriptor.
func (f *File) Close() error { return unix.Close(f.fd) }

// Identity returns what the open file is now. Called after a read it tells
// whether the bytes were still those of a state seen before: the kernel stamps a
// change before it lets the new data be seen.
func (f *File) Identity() (Identity, error) {
	s, err := f.stat()
	return s.Identity, err
}

func (f *File) stat() (Stat, error) {
	f.ref.ask()
	s, err := statAt(f.fd, "", unix.AT_EMPTY_PATH)
	f.ref.answered()
	if err != nil {
		return Stat{}, fmt.Errorf("%s: statx: %w", f.ref.Path(), err)
	}
	if !s.IsRegular() {
		return Stat{}, &ChangedError{Path: f.ref.Path(), What: "it is no regular file any more"}
	}
	return s, nil
}

// Check compares the open file with an identity seen before.
func (f *File) Check(id Identity) error {
	is, err := f.Identity()
	if err == nil && is != id {
		err = &ChangedError{Path: f.ref.Path(), What: id.Diff(is)}
	}
	return err
}

// ReadFull fills p from offset off. A file that ends before is a ChangedError.
func (f *File) ReadFull(p []byte, off int64) error {
	for len(p) > 0 {
		f.ref.ask()
		n, err := unix.Pread(f.fd, p, off)
		f.ref.answered()
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("%s: read at offset %d: %w", f.ref.Path(), off, err)
		case n == 0:
			return &ChangedError{Path: f.ref.Path(), What: fmt.Sprintf("it ends at offset %d, its size was %d", off, f.size)}
		}
		p, off = p[max(n, 0):], off+int64(max(n, 0))
	}
	return nil
}

// CheckEnd fails if the file goes on after its size, as files of /proc do that
// say they are empty.
func (f *File) CheckEnd() error {
	var b [1]byte
	for {
		f.ref.ask()
		n, err := unix.Pread(f.fd, b[:], f.size)
		f.ref.answered()
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("%s: read at offset %d: %w", f.ref.Path(), f.size, err)
		case n > 0:
			return &ChangedError{Path: f.ref.Path(), What: fmt.Sprintf("there is data after its size of %d bytes", f.size)}
		}
		return nil
	}
}

// NextData returns the first run of data that starts at off or later: its start
// and end, at most Size. Where the rest is a hole start is Size. File systems
// that don't tell holes give all as data.
func (f *File) NextData(off int64) (start, end int64, err error) {
	start, err = f.seek(off, unix.SEEK_DATA)
	if err == unix.ENXIO {
		return f.size, f.size, nil
	}
	if err == nil {
		end, err = f.seek(start, unix.SEEK_HOLE)
	}
	switch {
	case err == unix.ENXIO:
		return 0, 0, &ChangedError{Path: f.ref.Path(), What: "it shrank"}
	case err == unix.EIO:
		return 0, 0, fmt.Errorf("%s: lseek: %w", f.ref.Path(), err)
	case err != nil:
		return off, f.size, nil
	}
	return min(start, f.size), min(end, f.size), nil
}

func (f *File) seek(off int64, whence int) (int64, error) {
	for {
		f.ref.ask()
		at, err := unix.Seek(f.fd, off, whence)
		f.ref.answered()
		if err != unix.EINTR {
			return at, err
		}
	}
}

// WillReadAll tells the kernel that the file will be read once from end to end.
func (f *File) WillReadAll() {
	unix.Fadvise(f.fd, 0, 0, unix.FADV_SEQUENTIAL) // advice: a failure changes nothing
}

// DropCached has the kernel forget what it has in memory of the file, so that it is
// read from the disk. What was not written there yet stays, and so does what others
// have mapped.
func (f *File) DropCached() {
	unix.Fadvise(f.fd, 0, 0, unix.FADV_DONTNEED) // advice: not all file systems take it
}

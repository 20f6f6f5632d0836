package source

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// File is an open source whose identity was that of the scan when it was
// opened. Its methods may be called by several goroutines.
type File struct {
	fd   int
	size int64
	ref  Ref
}

// Open opens the file that was scanned as id, or fails with a ChangedError.
func Open(r Ref, id Identity) (*File, error) {
	root, err := openRoot(r.Root)
	if err != nil {
		return nil, r.gone(err)
	}
	defer unix.Close(root)
	return open(root, r, id)
}

func open(rootfd int, r Ref, id Identity) (*File, error) {
	fd, err := r.openFile(rootfd)
	if err != nil {
		return nil, r.gone(err)
	}
	f := &File{fd: fd, size: id.Size, ref: r}
	if err := f.Check(id); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Size is the size of the file as it was scanned, in bytes.
func (f *File) Size() int64 { return f.size }

// Close closes the descriptor.
func (f *File) Close() error { return unix.Close(f.fd) }

// Check compares the open file with the scan's identity. Called after a read it
// tells whether the bytes were still those: the kernel stamps a change before
// it lets the new data be seen.
func (f *File) Check(id Identity) error {
	s, err := statAt(f.fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("%s: statx: %w", f.ref.Path(), err)
	}
	if s.Identity != id {
		return &ChangedError{Path: f.ref.Path(), What: id.Diff(s.Identity)}
	}
	if !s.IsRegular() {
		return &ChangedError{Path: f.ref.Path(), What: "it is no regular file any more"}
	}
	return nil
}

// ReadFull fills p from offset off. A file that ends before is a ChangedError.
func (f *File) ReadFull(p []byte, off int64) error {
	for len(p) > 0 {
		n, err := unix.Pread(f.fd, p, off)
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
		n, err := unix.Pread(f.fd, b[:], f.size)
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
		at, err := unix.Seek(f.fd, off, whence)
		if err != unix.EINTR {
			return at, err
		}
	}
}

// WillReadAll tells the kernel that the file will be read once from end to end.
func (f *File) WillReadAll() {
	unix.Fadvise(f.fd, 0, 0, unix.FADV_SEQUENTIAL) // advice: a failure changes nothing
}

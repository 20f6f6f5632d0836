package rig

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Op is a way to read a file.
type Op int

// Ways to read. Direct reads pass the kernel's memory by.
const (
	Pread Op = iota
	Preadv
	Read
	Mmap
	Sendfile
	CopyRange
	Direct
	DirectV
	Ops // how many there are
)

var opNames = [Ops]string{"pread", "preadv", "read", "mmap", "sendfile", "copy_file_range", "pread O_DIRECT", "preadv O_DIRECT"}

func (op Op) String() string { return opNames[op] }

// IsDirect says whether a handle for op is opened with O_DIRECT.
func (op Op) IsDirect() bool { return op >= Direct }

// ErrBus is a SIGBUS: a mapped page could not be read.
var ErrBus = errors.New("SIGBUS")

// Reader reads one open file; it is for one goroutine. Ino is the file's inode
// number, which stands for its generation.
type Reader struct {
	Ino  uint64
	Size int64

	fd, direct int
	scratch    int // a file in memory
	buf        []byte
}

// Open opens a file for all ways of reading.
func Open(path string) (*Reader, error) {
	r := &Reader{fd: -1, direct: -1, scratch: -1}
	err := r.open(path)
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// errMoved: the archive was replaced between two open(2) of it.
var errMoved = errors.New("another generation meanwhile")

func (r *Reader) open(path string) (err error) {
	if r.fd, err = openRetry(path, unix.O_RDONLY|unix.O_CLOEXEC); err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	if r.direct, err = openRetry(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECT); err != nil {
		return &os.PathError{Op: "open O_DIRECT", Path: path, Err: err}
	}
	var st, std unix.Stat_t
	if err := errors.Join(unix.Fstat(r.fd, &st), unix.Fstat(r.direct, &std)); err != nil {
		return &os.PathError{Op: "fstat", Path: path, Err: err}
	}
	if st.Ino != std.Ino {
		return &os.PathError{Op: "open", Path: path, Err: errMoved}
	}
	r.Ino, r.Size = st.Ino, st.Size
	if r.scratch, err = unix.MemfdCreate("vzip-rig", unix.MFD_CLOEXEC); err != nil {
		return fmt.Errorf("memfd_create: %w", err)
	}
	r.buf, err = unix.Mmap(-1, 0, maxRead, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	return err
}

// OpenCurrent opens a file, again where a new generation came between.
func OpenCurrent(path string) (*Reader, error) {
	for {
		r, err := Open(path)
		if !errors.Is(err, errMoved) {
			return r, err
		}
	}
}

func openRetry(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// Close closes the file.
func (r *Reader) Close() {
	for _, fd := range []int{r.fd, r.direct, r.scratch} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	if r.buf != nil {
		_ = unix.Munmap(r.buf)
	}
}

// Forget asks the kernel to drop the file's pages, so that the next reads ask vzip.
func (r *Reader) Forget() { _ = unix.Fadvise(r.fd, 0, 0, unix.FADV_DONTNEED) }

// Read reads up to n bytes at off, in as many calls as the kernel makes of it, and
// stops early at an error, or where a call returns nothing: what is the end to
// programs. The bytes are good until the next call. used is the way that was
// taken: not every kernel copies from FUSE itself.
func (r *Reader) Read(op Op, off int64, n int) (got []byte, used Op, err error) {
	p := r.buf[:n]
	one := func(p []byte, off int64) (int, error) { return unix.Pread(r.fd, p, off) }
	switch op {
	case Mmap:
		got, err := r.mapped(p, off)
		return got, op, err
	case Preadv:
		one = func(p []byte, off int64) (int, error) { return unix.Preadv(r.fd, pieces(p), off) }
	case Direct:
		one = func(p []byte, off int64) (int, error) { return unix.Pread(r.direct, p, off) }
	case DirectV:
		one = func(p []byte, off int64) (int, error) { return unix.Preadv(r.direct, pieces(p), off) }
	case Read:
		if _, err := unix.Seek(r.fd, off, unix.SEEK_SET); err != nil {
			return nil, op, fmt.Errorf("lseek: %w", err)
		}
		one = func(p []byte, _ int64) (int, error) { return unix.Read(r.fd, p) }
	case Sendfile:
		one = r.sendfile
	case CopyRange:
		one = r.copyRange
	}
	for done := 0; ; {
		if done == n {
			return p, op, nil
		}
		k, err := one(p[done:], off+int64(done))
		switch {
		case err == unix.EINTR:
		case op == CopyRange && done == 0 && (err == unix.EXDEV || err == unix.EOPNOTSUPP || err == unix.EINVAL || err == unix.ENOSYS):
			return r.Read(Pread, off, n)
		case err != nil:
			return p[:done], op, err
		case k == 0:
			return p[:done], op, nil
		default:
			done += k
		}
	}
}

// pieces cuts a buffer into up to four, the first of them short.
func pieces(p []byte) (list [][]byte) {
	for _, n := range []int{min(len(p), 100), len(p) / 3, len(p) / 3} {
		n = min(n, len(p))
		list, p = append(list, p[:n]), p[n:]
	}
	return append(list, p)
}

func (r *Reader) sendfile(p []byte, off int64) (int, error) {
	if _, err := unix.Seek(r.scratch, 0, unix.SEEK_SET); err != nil {
		return 0, err
	}
	n, err := unix.Sendfile(r.scratch, r.fd, &off, len(p))
	if err != nil || n == 0 {
		return 0, err
	}
	return unix.Pread(r.scratch, p[:n], 0)
}

func (r *Reader) copyRange(p []byte, off int64) (int, error) {
	at := int64(0)
	n, err := unix.CopyFileRange(r.fd, &off, r.scratch, &at, len(p), 0)
	if err != nil || n == 0 {
		return 0, err
	}
	return unix.Pread(r.scratch, p[:n], 0)
}

// mapped reads through a mapping of its own. A mapping has no end but the file's:
// nothing beyond Size is asked for.
func (r *Reader) mapped(p []byte, off int64) ([]byte, error) {
	n := min(int64(len(p)), r.Size-off)
	if n <= 0 {
		return nil, nil
	}
	start := off &^ (pageLen - 1)
	m, err := unix.Mmap(r.fd, start, int(off-start+n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	defer func() { _ = unix.Munmap(m) }()
	done := 0
	err = Touching(func() {
		for at := int(off - start); at < len(m); {
			k := min(len(m)-at, pageLen-at%pageLen)
			done += copy(p[done:], m[at:at+k])
			at += k
		}
	})
	return p[:done], err
}

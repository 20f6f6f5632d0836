package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vzip/internal/seeded"
)

// Ref names a source: a path below a root folder.
type Ref struct {
	Root string // absolute path of a folder, without links
	Rel  string // below Root, slash-separated; "." is Root itself
	// Follow lets symbolic links below Root be followed as long as they stay
	// below it.
	Follow bool
	// Pulse, if set, counts what is asked about the source.
	Pulse *Pulse
}

// Path is the source's absolute path, for messages.
func (r Ref) Path() string {
	if r.Root == "/" || r.Rel == "." || r.Rel == "" || strings.HasSuffix(r.Rel, "/") {
		return filepath.Join(r.Root, r.Rel)
	}
	return r.Root + "/" + r.Rel // both are clean, and there may be millions
}

// openRoot opens the root folder, for resolving paths only. A link that took the
// place of a folder on the way since the layout was loaded is not followed: what it
// leads to may be closed to whoever can make that link.
func (r Ref) openRoot() (int, error) {
	r.ask()
	defer r.answered()
	root := r.Root
	fd, err := openat2(unix.AT_FDCWD, root, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: root, Err: err}
	}
	return fd, nil
}

// openBelow opens r below the open root fd. Paths longer than PATH_MAX are
// taken in pieces, each of them confined.
func (r Ref) openBelow(rootfd int, flags uint64) (int, error) {
	r.ask()
	defer r.answered()
	resolve := uint64(unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS)
	if seeded.On("links-out") {
		resolve = 0
	}
	if !r.Follow {
		resolve |= unix.RESOLVE_NO_SYMLINKS
	}
	dir, rel := rootfd, r.Rel
	for {
		head, tail := splitPath(rel)
		how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: resolve}
		if tail == "" {
			how.Flags = flags | unix.O_CLOEXEC
		}
		fd, err := openat2(dir, head, &how)
		if dir != rootfd {
			unix.Close(dir)
		}
		if err != nil {
			return -1, &fs.PathError{Op: "open", Path: r.Path(), Err: err}
		}
		if tail == "" {
			return fd, nil
		}
		dir, rel = fd, tail
	}
}

// splitPath cuts a path so that its head is one that a system call takes.
func splitPath(p string) (head, tail string) {
	const most = unix.PathMax - 1
	if len(p) <= most {
		return p, ""
	}
	i := strings.LastIndexByte(p[:most], '/')
	if i < 0 {
		return p, "" // one component of over 4,095 bytes: the kernel's ENAMETOOLONG says it
	}
	return p[:i], p[i+1:]
}

func openat2(dirfd int, p string, how *unix.OpenHow) (int, error) {
	for try := 0; ; try++ {
		fd, err := unix.Openat2(dirfd, p, how)
		switch {
		case err == nil:
			return fd, nil
		case err == unix.EINTR:
		case err == unix.EAGAIN && try < 100: // a rename elsewhere raced with RESOLVE_BENEATH
		case err == unix.EPERM && how.Flags&unix.O_NOATIME != 0: // only for the file's owner
			how.Flags &^= unix.O_NOATIME
		case err == unix.ENOSYS:
			return -1, errors.New("openat2 is missing: vzip needs Linux 5.6 or newer, and no seccomp filter against it")
		default:
			return -1, err
		}
	}
}

// Lstat returns the state of the source, not following a link at its end
// unless r.Follow is set.
func (r Ref) Lstat() (Stat, error) {
	root, err := r.openRoot()
	if err != nil {
		return Stat{}, err
	}
	defer unix.Close(root)
	flags := uint64(unix.O_PATH)
	if !r.Follow {
		// With RESOLVE_NO_SYMLINKS a link at the end opens under O_NOFOLLOW alone.
		flags |= unix.O_NOFOLLOW
	}
	fd, err := r.openBelow(root, flags)
	if err != nil {
		return Stat{}, err
	}
	defer unix.Close(fd)
	r.ask()
	s, err := statAt(fd, "", unix.AT_EMPTY_PATH)
	r.answered()
	if err != nil {
		return Stat{}, &fs.PathError{Op: "statx", Path: r.Path(), Err: err}
	}
	return s, nil
}

// BlockSize returns the block size in bytes (statfs(2)) of the file system that the
// source is on.
func (r Ref) BlockSize() (int64, error) {
	root, err := r.openRoot()
	if err != nil {
		return 0, err
	}
	defer unix.Close(root)
	fd, err := r.openBelow(root, unix.O_PATH)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	var s unix.Statfs_t
	r.ask()
	err = unix.Fstatfs(fd, &s)
	r.answered()
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: r.Path(), Err: err}
	}
	return int64(s.Bsize), nil
}

// Child is one name in a folder.
type Child struct {
	Name string
	Stat
	Target string // of a symbolic link
	Err    error  // why it could not be looked at
}

// ReadDir lists a folder with its own state and that of each of its children, sorted
// by name. The folder's descriptor is closed again on return, so trees of any depth
// can be walked. With access set, children that can't be read come with an error.
func (r Ref) ReadDir(access bool) (self Stat, children []Child, err error) {
	root, err := r.openRoot()
	if err != nil {
		return Stat{}, nil, err
	}
	defer unix.Close(root)
	fd, err := r.openBelow(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOATIME)
	if err != nil {
		return Stat{}, nil, err
	}
	dir := os.NewFile(uintptr(fd), r.Path())
	defer dir.Close()
	r.ask()
	self, err = statAt(fd, "", unix.AT_EMPTY_PATH)
	r.answered()
	if err != nil {
		return Stat{}, nil, &fs.PathError{Op: "statx", Path: r.Path(), Err: err}
	}
	r.ask()
	names, err := dir.Readdirnames(-1)
	r.answered()
	if err != nil {
		return Stat{}, nil, err
	}
	slices.Sort(names)
	children = make([]Child, 0, len(names))
	for _, name := range names {
		if c := r.child(fd, name, access); c.Err != unix.ENOENT { // deleted meanwhile: listed now it would not be there
			children = append(children, c)
		}
	}
	return self, children, nil
}

// child looks at one name of the open folder fd.
func (r Ref) child(fd int, name string, access bool) Child {
	c := Child{Name: name}
	r.ask()
	c.Stat, c.Err = statAt(fd, name, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case c.Err != nil:
	case c.IsSymlink():
		c.Target, c.Err = readlinkAt(fd, name)
	case access && c.IsRegular():
		c.Err = unix.Faccessat(fd, name, unix.R_OK, unix.AT_EACCESS|unix.AT_SYMLINK_NOFOLLOW)
	}
	r.answered()
	if c.Err != nil && c.Err != unix.ENOENT {
		c.Err = &fs.PathError{Op: "stat", Path: path.Join(r.Path(), name), Err: c.Err}
	}
	return c
}

func readlinkAt(dirfd int, name string) (string, error) {
	for size := 256; ; size *= 2 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(dirfd, name, buf)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
}

// openFile opens a regular file for reading. O_NONBLOCK keeps a FIFO that took
// the file's place from hanging the open.
func (r Ref) openFile(rootfd int) (int, error) {
	if seeded.On("hang-on-fifo") {
		return r.openBelow(rootfd, unix.O_RDONLY|unix.O_NOCTTY)
	}
	return r.openBelow(rootfd, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_NOATIME)
}

// gone turns an error of opening a source into a ChangedError where it says
// that the file that was scanned is no longer there.
func (r Ref) gone(err error) error {
	for _, e := range []unix.Errno{unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EXDEV, unix.ENXIO} {
		if errors.Is(err, e) {
			return &ChangedError{Path: r.Path(), What: fmt.Sprintf("it can't be opened: %v", e)}
		}
	}
	return err
}

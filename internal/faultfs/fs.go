package faultfs

import (
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// faultFS answers the kernel. It is a raw file system because go-fuse's nodes
// keep inode numbers and attributes right by themselves.
type faultFS struct {
	fuse.RawFileSystem
	dir   string
	cache time.Duration // how long the kernel may keep what it was told
	rules *rules
	table *table
}

func newFaultFS(dir string, cache time.Duration) *faultFS {
	return &faultFS{fuse.NewDefaultRawFileSystem(), dir, cache, newRules(), newTable()}
}

func (f *faultFS) String() string { return "faultfs" }

// fault counts a request, and does what the rules for it say but for those on
// data, which it returns.
func (f *faultFS) fault(cancel <-chan struct{}, op Op, path string, off, n int64) ([]*active, fuse.Status) {
	hit := f.rules.hits(op, path, off, n)
	for _, a := range hit {
		interrupt := cancel
		if a.Deaf {
			interrupt = nil
		}
		if a.Delay > 0 {
			select {
			case <-time.After(a.Delay):
			case <-interrupt:
				return nil, fuse.EINTR
			}
		}
		if a.Hang {
			f.rules.waiting(1)
			select {
			case <-a.ended:
			case <-interrupt:
			}
			f.rules.waiting(-1)
			select {
			case <-interrupt:
				return nil, fuse.EINTR
			default:
			}
		}
		if a.Errno != 0 {
			return nil, fuse.Status(a.Errno)
		}
	}
	return hit, fuse.OK
}

// stat returns a path's attributes, with the folder's own inode number.
func (f *faultFS) stat(p string) (attr fuse.Attr, code fuse.Status) {
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(f.dir, p), &st); err != nil {
		return attr, fuse.ToStatus(err)
	}
	return f.rules.freeze(p, attrOf(&st)), fuse.OK
}

func attrOf(st *unix.Stat_t) fuse.Attr {
	return fuse.Attr{
		Ino: st.Ino, Size: uint64(st.Size), Blocks: uint64(st.Blocks), Blksize: uint32(st.Blksize),
		Atime: uint64(st.Atim.Sec), Mtime: uint64(st.Mtim.Sec), Ctime: uint64(st.Ctim.Sec),
		Atimensec: uint32(st.Atim.Nsec), Mtimensec: uint32(st.Mtim.Nsec), Ctimensec: uint32(st.Ctim.Nsec),
		Mode: st.Mode, Nlink: uint32(st.Nlink), Owner: fuse.Owner{Uid: st.Uid, Gid: st.Gid}, Rdev: uint32(st.Rdev),
	}
}

func (f *faultFS) Lookup(cancel <-chan struct{}, header *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	parent := f.table.node(header.NodeId)
	if parent == nil {
		return fuse.Status(unix.ESTALE)
	}
	p := path.Join(parent.path, name)
	if _, code := f.fault(cancel, Lookup, p, 0, 0); code != fuse.OK {
		return code
	}
	attr, code := f.stat(p)
	if code != fuse.OK {
		return code
	}
	ino := attr.Ino
	n := f.table.lookup(file{p, ino}, f.rules.dress(p, &attr))
	if n.shown != 0 {
		attr.Ino = n.shown
	}
	out.NodeId, out.Generation, out.Attr = n.id, 1, attr
	out.SetEntryTimeout(f.cache)
	out.SetAttrTimeout(f.cache)
	return fuse.OK
}

func (f *faultFS) Forget(id, lookups uint64) { f.table.forget(id, lookups) }

func (f *faultFS) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n := f.table.node(in.NodeId)
	if n == nil {
		return fuse.Status(unix.ESTALE)
	}
	if _, code := f.fault(cancel, Getattr, n.path, 0, 0); code != fuse.OK {
		return code
	}
	var st unix.Stat_t
	if f.table.statOpen(n, &st) {
		out.Attr = f.rules.freeze(n.path, attrOf(&st))
	} else {
		attr, code := f.stat(n.path)
		switch {
		case code == fuse.ENOENT, code == fuse.OK && attr.Ino != n.ino && n.id != rootID:
			return fuse.Status(unix.ESTALE)
		case code != fuse.OK:
			return code
		}
		out.Attr = attr
	}
	f.rules.dress(n.path, &out.Attr)
	if n.shown != 0 {
		out.Ino = n.shown
	}
	out.SetTimeout(f.cache)
	return fuse.OK
}

func (f *faultFS) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n := f.table.node(in.NodeId)
	if n == nil {
		return fuse.Status(unix.ESTALE)
	}
	if in.Flags&unix.O_ACCMODE != unix.O_RDONLY {
		return fuse.EROFS
	}
	if _, code := f.fault(cancel, Open, n.path, 0, 0); code != fuse.OK {
		return code
	}
	fd, err := unix.Open(filepath.Join(f.dir, n.path), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		err = unix.ESTALE
	}
	if err != nil {
		return fuse.ToStatus(err)
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if attr := f.rules.freeze(n.path, attrOf(&st)); err == nil && attr.Ino != n.ino {
		err = unix.ESTALE // another file has its name by now
	}
	if err != nil {
		unix.Close(fd)
		return fuse.ToStatus(err)
	}
	out.Fh = f.table.add(&handle{node: n, fd: fd})
	if f.cache == 0 {
		out.OpenFlags = fuse.FOPEN_DIRECT_IO // every read is a request
	}
	return fuse.OK
}

func (f *faultFS) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	h := f.table.handle(in.Fh)
	if h == nil {
		return nil, fuse.EBADF
	}
	off := int64(in.Offset)
	hit, code := f.fault(cancel, Read, h.node.path, off, int64(len(buf)))
	if code != fuse.OK {
		return nil, code
	}
	n := 0
	for n < len(buf) {
		k, err := unix.Pread(h.fd, buf[n:], off+int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fuse.ToStatus(err)
		}
		if k == 0 {
			break
		}
		n += k
	}
	for _, a := range hit {
		if a.Flip {
			for i := max(a.Offset, off); i < min(a.Offset+a.Length, off+int64(n)); i++ {
				buf[i-off] ^= 0x20
			}
		}
		if a.Short != nil {
			n = min(n, *a.Short)
		}
	}
	f.rules.haveRead(h.node.path, n)
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

func (f *faultFS) Lseek(cancel <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	h := f.table.handle(in.Fh)
	if h == nil {
		return fuse.EBADF
	}
	if _, code := f.fault(cancel, Lseek, h.node.path, 0, 0); code != fuse.OK {
		return code
	}
	at, err := unix.Seek(h.fd, int64(in.Offset), int(in.Whence))
	out.Offset = uint64(at)
	return fuse.ToStatus(err)
}

func (f *faultFS) Release(_ <-chan struct{}, in *fuse.ReleaseIn) { f.table.release(in.Fh) }

func (f *faultFS) Readlink(cancel <-chan struct{}, header *fuse.InHeader) ([]byte, fuse.Status) {
	n := f.table.node(header.NodeId)
	if n == nil {
		return nil, fuse.Status(unix.ESTALE)
	}
	if _, code := f.fault(cancel, Readlink, n.path, 0, 0); code != fuse.OK {
		return nil, code
	}
	target, err := os.Readlink(filepath.Join(f.dir, n.path))
	return []byte(target), fuse.ToStatus(err)
}

func (f *faultFS) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	n := f.table.node(in.NodeId)
	if n == nil {
		return fuse.Status(unix.ESTALE)
	}
	if _, code := f.fault(cancel, Opendir, n.path, 0, 0); code != fuse.OK {
		return code
	}
	list, err := os.ReadDir(filepath.Join(f.dir, n.path))
	if err != nil {
		return fuse.ToStatus(err)
	}
	h := &handle{node: n, fd: -1}
	for _, e := range list {
		if attr, code := f.stat(path.Join(n.path, e.Name())); code == fuse.OK {
			f.rules.dress(path.Join(n.path, e.Name()), &attr)
			h.names = append(h.names, dirent{e.Name(), attr.Mode, attr.Ino})
		}
	}
	out.Fh = f.table.add(h)
	return fuse.OK
}

func (f *faultFS) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	h := f.table.handle(in.Fh)
	if h == nil {
		return fuse.EBADF
	}
	for i := in.Offset; i < uint64(len(h.names)); i++ {
		e := h.names[i]
		if !out.AddDirEntry(fuse.DirEntry{Name: e.name, Mode: e.mode, Ino: e.ino, Off: i + 1}) {
			break
		}
	}
	return fuse.OK
}

func (f *faultFS) ReleaseDir(in *fuse.ReleaseIn) { f.table.release(in.Fh) }

func (f *faultFS) StatFs(cancel <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	if _, code := f.fault(cancel, Statfs, ".", 0, 0); code != fuse.OK {
		return code
	}
	var st unix.Statfs_t
	if err := unix.Statfs(f.dir, &st); err != nil {
		return fuse.ToStatus(err)
	}
	*out = fuse.StatfsOut{
		Blocks: st.Blocks, Bfree: st.Bfree, Bavail: st.Bavail, Files: st.Files, Ffree: st.Ffree,
		Bsize: uint32(st.Bsize), NameLen: 255, Frsize: uint32(st.Frsize),
	}
	return fuse.OK
}

// snapshot returns the attributes of all that matches a rule's path, for Freeze.
func (f *faultFS) snapshot(r Rule) (map[string]fuse.Attr, error) {
	attrs := map[string]fuse.Attr{}
	a := active{Rule: r}
	err := filepath.WalkDir(f.dir, func(full string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		p, err := filepath.Rel(f.dir, full)
		if err != nil || !a.matches(p) {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(full, &st); err != nil {
			return err
		}
		attrs[p] = f.rules.freeze(p, attrOf(&st))
		return nil
	})
	return attrs, err
}

package vfs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"vzip/internal/oneline"
	"vzip/internal/seeded"
)

// file is the node of a File, through all generations that have it.
type file struct {
	base
	size  int64  // never another one: the kernel's cached pages would be wrong
	asked uint64 // the number it was published with; Inode's is the next free one
	state atomic.Pointer[File]
}

var (
	_ fs.NodeOpener      = (*file)(nil)
	_ fs.NodeGetattrer   = (*file)(nil)
	_ fs.NodeStatfser    = (*file)(nil)
	_ fs.NodeOnForgetter = (*file)(nil)
)

// is tells whether f is the same content, so that this node can show it.
func (n *file) is(f *File) bool {
	return n.path == f.Path && n.asked == f.Inode && n.size == f.Size
}

// stale is the content of a file that another one has replaced. The kernel then
// looks the name up again and finds that one.
type stale struct{}

func (stale) Open(bool) (Handle, error) {
	if seeded.On("old-node") {
		return nil, syscall.EIO
	}
	return nil, syscall.ESTALE
}

// Open lets the kernel keep what it has cached of the file: a node's content
// never changes, another content has another node. Or, with direct I/O, past its
// cache.
func (n *file) Open(ctx context.Context, flags uint32) (fh fs.FileHandle, _ uint32, errno syscall.Errno) {
	if flags&(syscall.O_WRONLY|syscall.O_RDWR|syscall.O_TRUNC|syscall.O_APPEND) != 0 {
		return nil, 0, syscall.EROFS
	}
	defer n.tree.recover("opening", n.path, &errno)
	direct := n.tree.direct(ctx)
	h, err := n.state.Load().Content.Open(direct)
	switch {
	case errors.Is(err, syscall.ESTALE):
		return nil, 0, syscall.ESTALE
	case err != nil:
		return nil, 0, syscall.EIO
	case h == nil:
		panic("BUG: neither a handle nor an error")
	}
	opened := &handle{file: n, Handle: h}
	n.tree.opened(opened)
	if direct {
		return opened, fuse.FOPEN_DIRECT_IO, 0
	}
	return opened, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.attr(&out.Attr)
	return 0
}

func (n *file) attr(out *fuse.Attr) {
	f := n.state.Load()
	out.Mode = syscall.S_IFREG | f.Mode&0o7777
	out.Uid, out.Gid = f.UID, f.GID
	out.Nlink = 1
	out.Size = uint64(n.size)
	out.Blocks = f.blocks()
	out.Blksize = blockSize
	setTimes(out, f.ModTime)
}

// handle is an open file.
type handle struct {
	file *file
	Handle
}

var (
	_ fs.FileReader   = (*handle)(nil)
	_ fs.FileLseeker  = (*handle)(nil)
	_ fs.FileReleaser = (*handle)(nil)
)

// Read gives as many bytes as dest has room for, or fails: a short reply in the
// middle of a file would be taken for its end.
func (h *handle) Read(ctx context.Context, dest []byte, off int64) (_ fuse.ReadResult, errno syscall.Errno) {
	defer h.file.tree.recover("reading", h.file.path, &errno)
	n := int(max(0, min(int64(len(dest)), h.file.size-off)))
	if n == 0 {
		return fuse.ReadResultData(nil), 0
	}
	r := newRequest(ctx)
	var data Data
	err := errUnfinished // if it panics
	defer func() { r.finish(err == nil) }()
	data, err = h.Handle.Read(r, off, n)
	if err == nil && seeded.On("short-read") {
		n = data.Len()
	}
	switch {
	case err == nil && data.Len() == n:
		x := replies.Get().(*reply)
		x.Data = data
		return x, 0
	case err == nil:
		data.Release()
	}
	return nil, r.errno(err)
}

// Lseek answers SEEK_DATA and SEEK_HOLE, the only ones that the kernel asks for.
func (h *handle) Lseek(ctx context.Context, off uint64, whence uint32) (_ uint64, errno syscall.Errno) {
	defer h.file.tree.recover("looking for holes in", h.file.path, &errno)
	switch {
	case whence != unix.SEEK_DATA && whence != unix.SEEK_HOLE:
		return 0, syscall.EINVAL
	case off >= uint64(h.file.size): // a negative one, too
		return 0, syscall.ENXIO
	}
	r := newRequest(ctx)
	err := errUnfinished // if it panics
	defer func() { r.finish(err == nil) }()
	at, err := h.Handle.Seek(r, int64(off), int(whence))
	switch {
	case err != nil:
		return 0, r.errno(err)
	case at == h.file.size && whence == unix.SEEK_DATA:
		return 0, syscall.ENXIO
	}
	return uint64(at), 0
}

// errno is what the caller gets for an error of its request.
func (r *request) errno(err error) syscall.Errno {
	switch {
	case errors.Is(err, syscall.ESTALE):
		return syscall.ESTALE
	case errors.Is(err, context.Canceled) && r.Err() != nil:
		return syscall.EINTR
	}
	return syscall.EIO
}

var errUnfinished = errors.New("the read did not end")

// reply is Data on its way to the kernel. It is handed over as slices: of anything
// else go-fuse says Done before the kernel has the bytes.
type reply struct{ Data }

var replies = sync.Pool{New: func() any { return new(reply) }}

func (r *reply) Size() int { return r.Len() }

// Bytes is for those who don't ask for Slices.
func (r *reply) Bytes(p []byte) ([]byte, fuse.Status) {
	p = p[:0]
	for _, slice := range r.Data.Slices() {
		p = append(p, slice...)
	}
	return p, fuse.OK
}

// Slices returns the bytes for writev(2).
func (r *reply) Slices() ([][]byte, fuse.Status) {
	slices := r.Data.Slices()
	if seeded.On("early-release") {
		r.Data.Release()
	}
	return slices, fuse.OK
}

// Done is called when the kernel has the bytes.
func (r *reply) Done() {
	r.Release()
	*r = reply{}
	replies.Put(r)
}

func (h *handle) Release(context.Context) syscall.Errno {
	if h.file.tree.released(h) {
		h.close()
	}
	return 0
}

func (h *handle) close() {
	defer h.file.tree.recover("closing", h.file.path, new(syscall.Errno))
	h.Close()
}

// recover makes EIO and a warning of a panic, which go-fuse would answer, too,
// but without saying of which file.
func (t *tree) recover(what, path string, errno *syscall.Errno) {
	if v := recover(); v != nil {
		*errno = syscall.EIO
		t.warn(oneline.Text(fmt.Sprintf("a defect in vzip made %s %s fail: %v", what, path, v)))
		t.debug(string(debug.Stack()))
	}
}

package vfs

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// folder is the node of a folder; the mountpoint itself is one. What is in it
// stands in the generation.
type folder struct {
	base
}

var (
	_ fs.NodeLookuper    = (*folder)(nil)
	_ fs.NodeReaddirer   = (*folder)(nil)
	_ fs.NodeGetattrer   = (*folder)(nil)
	_ fs.NodeStatfser    = (*folder)(nil)
	_ fs.NodeOnForgetter = (*folder)(nil)
)

// gone is what a folder holds that no generation has any more: somebody's working
// folder, for instance.
var gone = &dir{}

func (d *folder) content() *dir {
	if c := d.tree.current.Load().dirs[d.path]; c != nil {
		return c
	}
	return gone
}

func (d *folder) Lookup(_ context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	e, ok := d.content().entries[name]
	if !ok {
		return nil, syscall.ENOENT
	}
	d.tree.know(e.node)
	e.node.attr(&out.Attr)
	if _, ok := e.node.(*hidden); ok {
		out.SetAttrTimeout(hiddenTime)
	}
	return e.node.EmbeddedInode(), 0
}

func (d *folder) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	d.attr(&out.Attr)
	return 0
}

func (d *folder) attr(out *fuse.Attr) {
	c := d.content()
	out.Mode = syscall.S_IFDIR | 0o555
	out.Uid, out.Gid = d.tree.uid, d.tree.gid
	if c != gone {
		out.Nlink = uint32(2 + c.folders)
	}
	out.Blksize = blockSize
	setTimes(out, c.modTime)
}

func (d *folder) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	return &listing{d, d.content().list, 0}, 0
}

// listing is an open folder: one generation of it, until it is read from its
// start again.
type listing struct {
	folder *folder
	list   []fuse.DirEntry
	next   int
}

var _ fs.FileSeekdirer = (*listing)(nil)

func (l *listing) HasNext() bool { return l.next < len(l.list) }

func (l *listing) Next() (fuse.DirEntry, syscall.Errno) {
	e := l.list[l.next]
	l.next++
	e.Off = uint64(l.next)
	return e, 0
}

func (l *listing) Seekdir(_ context.Context, off uint64) syscall.Errno {
	if off == 0 {
		l.list = l.folder.content().list
	}
	if off > uint64(len(l.list)) {
		return syscall.EINVAL
	}
	l.next = int(off)
	return 0
}

func (l *listing) Close() {}

// Statfs is asked of the node whose path a program gave. It tells the files' sizes
// as used and nothing as free: some programs refuse a file system that tells
// nothing.
func (b *base) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	g := b.tree.current.Load()
	out.Bsize, out.Frsize = blockSize, statUnit
	out.Blocks = g.blocks
	out.Files = g.nodes
	out.NameLen = 255
	return 0
}

func setTimes(a *fuse.Attr, unix int64) {
	a.Atime, a.Mtime, a.Ctime = uint64(unix), uint64(unix), uint64(unix)
}

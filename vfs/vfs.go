// Package vfs shows virtual files at a mountpoint, through FUSE: folders and
// regular files that can only be read, each with an exact size, a stable inode
// number and a modification time.
//
// In scope: nodes, mounting, unmounting, who keeps a mount busy. Out of scope:
// what the bytes are; a File brings them.
package vfs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"math"
	"path"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// File is a virtual file.
type File struct {
	Path    string // below the mountpoint, slash-separated
	Size    int64
	ModTime int64  // seconds since 1970
	Inode   uint64 // 2 or more, below 2^63; taken numbers move on to the next free one
	// ReadAt fills p, less only at the end of the file. An error that wraps
	// ESTALE reaches the reader as such, any other as EIO.
	io.ReaderAt
}

// blockSize is what stat(2) suggests for one read, in bytes. Buffered readers
// take it for their buffer.
const blockSize = 128 << 10

// statUnit is the unit of st_blocks, in bytes.
const statUnit = 512

// file is the node of a File.
type file struct {
	fs.Inode
	File
	tree *tree
}

var (
	_ fs.NodeOpener    = (*file)(nil)
	_ fs.NodeReader    = (*file)(nil)
	_ fs.NodeGetattrer = (*file)(nil)
	_ fs.NodeStatfser  = (*file)(nil)
)

// Open lets the kernel keep what it has cached of the file: a file's content
// never changes, another content has another inode.
func (f *file) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if flags&(syscall.O_WRONLY|syscall.O_RDWR|syscall.O_TRUNC|syscall.O_APPEND) != 0 {
		return nil, 0, syscall.EROFS
	}
	return nil, fuse.FOPEN_KEEP_CACHE, 0
}

// Read fills dest or fails: a short reply in the middle of a file would be taken
// for its end.
func (f *file) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n, err := f.ReadAt(dest, off)
	switch {
	case (err == nil || err == io.EOF) && int64(n) == max(0, min(int64(len(dest)), f.Size-off)):
		return fuse.ReadResultData(dest[:n]), 0
	case errors.Is(err, syscall.ESTALE):
		return nil, syscall.ESTALE
	}
	return nil, syscall.EIO
}

func (f *file) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = syscall.S_IFREG | 0o444
	out.Nlink = 1
	out.Size = uint64(f.Size)
	out.Blocks = (out.Size + statUnit - 1) / statUnit
	out.Blksize = blockSize
	setTimes(&out.Attr, f.ModTime)
	return 0
}

// folder is the node of a folder; the mountpoint itself is one.
type folder struct {
	fs.Inode
	folders int // in it
	modTime int64
	tree    *tree
}

var (
	_ fs.NodeOnAdder   = (*folder)(nil)
	_ fs.NodeGetattrer = (*folder)(nil)
	_ fs.NodeStatfser  = (*folder)(nil)
)

func (d *folder) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = syscall.S_IFDIR | 0o555
	out.Nlink = uint32(2 + d.folders)
	out.Blksize = blockSize
	setTimes(&out.Attr, d.modTime)
	return 0
}

// Statfs is asked of the node whose path a program gave.
func (f *file) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	return f.tree.statfs(out)
}

func (d *folder) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	return d.tree.statfs(out)
}

// statfs tells the files' sizes as used and nothing as free. Some programs
// refuse a file system that tells nothing.
func (t *tree) statfs(out *fuse.StatfsOut) syscall.Errno {
	out.Bsize, out.Frsize = blockSize, statUnit
	out.Blocks = t.blocks
	out.Files = t.nodes
	out.NameLen = 255
	return 0
}

func setTimes(a *fuse.Attr, unix int64) {
	a.Atime, a.Mtime, a.Ctime = uint64(unix), uint64(unix), uint64(unix)
}

// tree makes the nodes when the file system is mounted.
type tree struct {
	files  []File
	blocks uint64
	nodes  uint64
	taken  map[uint64]bool
}

// root returns the mountpoint's node for files.
func root(files []File) *folder {
	t := &tree{files: files, taken: map[uint64]bool{0: true, fuse.FUSE_ROOT_ID: true}}
	for _, f := range files {
		t.blocks += (uint64(f.Size) + statUnit - 1) / statUnit
	}
	return &folder{tree: t}
}

// OnAdd makes all nodes when the root becomes a file system's.
func (d *folder) OnAdd(ctx context.Context) {
	if d.IsRoot() {
		d.tree.fill(ctx, d)
	}
}

func (t *tree) fill(ctx context.Context, top *folder) {
	folders := map[string]*folder{".": top}
	var folderAt func(p string) *folder
	folderAt = func(p string) *folder {
		if d := folders[p]; d != nil {
			return d
		}
		parent := folderAt(path.Dir(p))
		parent.folders++
		d := &folder{tree: t, modTime: math.MinInt64}
		sum := sha256.Sum256([]byte(p))
		t.add(ctx, parent, p, d, syscall.S_IFDIR, binary.LittleEndian.Uint64(sum[:])>>1)
		folders[p] = d
		return d
	}
	t.nodes = 1
	if len(t.files) > 0 {
		top.modTime = math.MinInt64
	}
	for _, f := range t.files {
		parent := folderAt(path.Dir(f.Path))
		t.add(ctx, parent, f.Path, &file{File: f, tree: t}, syscall.S_IFREG, f.Inode)
		for p := path.Dir(f.Path); ; p = path.Dir(p) {
			folders[p].modTime = max(folders[p].modTime, f.ModTime)
			if p == "." {
				break
			}
		}
	}
}

// add makes a node. go-fuse takes two nodes of one number for hard links of one
// file, so numbers must differ.
func (t *tree) add(ctx context.Context, parent *folder, p string, node fs.InodeEmbedder, mode uint32, ino uint64) {
	for t.taken[ino] {
		ino = (ino + 1) &^ (1 << 63)
	}
	t.taken[ino] = true
	t.nodes++
	child := parent.NewPersistentInode(ctx, node, fs.StableAttr{Mode: mode, Ino: ino})
	parent.AddChild(path.Base(p), child, true)
}

// logWriter makes lines of go-fuse's own log messages.
type logWriter func(string)

func (w logWriter) Write(p []byte) (int, error) {
	w(strings.TrimSpace(string(p)))
	return len(p), nil
}

func newLogger(to func(string)) *log.Logger { return log.New(logWriter(to), "go-fuse: ", 0) }

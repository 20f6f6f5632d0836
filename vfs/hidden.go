package vfs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"vzip/internal/seeded"
)

// Hidden is a file that who asks for it by name finds, and nobody else: its folder is
// in no listing, so that what copies or looks through a mount passes it by. It is there
// in all generations. As in /proc its size is 0, and its time that of the question.
type Hidden struct {
	Path string // FOLDER/NAME, below the mountpoint; the folder has nothing else in it
	Mode uint32 // permission bits; the owner is who mounts
	// Render makes its bytes, anew for each open(2). It must not use the mount, and may
	// be called by any number of goroutines.
	Render func() []byte
}

// hiddenTime is how long the kernel need not ask again about a hidden file.
const hiddenTime = time.Millisecond

// hidden is the node of a Hidden.
type hidden struct {
	base
	Hidden
}

var (
	_ fs.NodeOpener      = (*hidden)(nil)
	_ fs.NodeGetattrer   = (*hidden)(nil)
	_ fs.NodeStatfser    = (*hidden)(nil)
	_ fs.NodeOnForgetter = (*hidden)(nil)
	_ fs.FileReader      = rendering(nil)
)

// checkHidden says which of files would be where a hidden one is.
func checkHidden(files []File, all []Hidden) error {
	for _, h := range all {
		dir := path.Dir(h.Path)
		for _, f := range files {
			if f.Path == dir || strings.HasPrefix(f.Path, dir+"/") {
				return fmt.Errorf("%q can't be shown: %s is vzip's own", f.Path, dir)
			}
		}
	}
	return nil
}

// hide adds the hidden files to a generation, past its listings. The caller holds mu.
func (t *tree) hide(g, old *generation) {
	top := g.dirs["."]
	for i, h := range t.hidden {
		if t.hiddenNodes[i] == nil {
			sum := sha256.Sum256([]byte(h.Path))
			_, ino := t.place(binary.LittleEndian.Uint64(sum[:])>>1, func(node) bool { return false })
			t.hiddenNodes[i] = &hidden{base{tree: t, path: h.Path}, h}
			t.add(t.hiddenNodes[i], syscall.S_IFREG, ino)
		}
		p := path.Dir(h.Path)
		d := &dir{node: t.folderFor(p, old), entries: map[string]entry{}, modTime: top.modTime}
		d.node.current = true
		d.add(path.Base(h.Path), entry{node: t.hiddenNodes[i]}, syscall.S_IFREG)
		top.entries[p] = entry{node: d.node}
		if seeded.On("hidden-listed") {
			top.add(p, top.entries[p], syscall.S_IFDIR)
		}
		g.dirs[p] = d
	}
}

func (n *hidden) Open(_ context.Context, flags uint32) (fh fs.FileHandle, _ uint32, errno syscall.Errno) {
	if flags&(syscall.O_WRONLY|syscall.O_RDWR|syscall.O_TRUNC|syscall.O_APPEND) != 0 {
		return nil, 0, syscall.EROFS
	}
	defer n.tree.recover("opening", n.path, &errno)
	// Past the cache the kernel asks for all bytes, whatever the size is.
	return rendering(n.Render()), fuse.FOPEN_DIRECT_IO, 0
}

func (n *hidden) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.attr(&out.Attr)
	out.SetTimeout(hiddenTime)
	return 0
}

func (n *hidden) attr(out *fuse.Attr) {
	out.Mode = syscall.S_IFREG | n.Mode&0o7777
	out.Uid, out.Gid = n.tree.uid, n.tree.gid
	out.Nlink = 1
	out.Blksize = blockSize
	setTimes(out, time.Now().Unix())
}

// rendering is an open hidden file.
type rendering []byte

func (r rendering) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	from := min(max(off, 0), int64(len(r)))
	return fuse.ReadResultData(r[from:min(from+int64(len(dest)), int64(len(r)))]), 0
}

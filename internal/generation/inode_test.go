package generation

import (
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"vzip/internal/require"
)

// sameInode is a file system with two files, a and b, that tell one inode number
// and the same times, as some network file systems do.
type sameInode struct {
	fuse.RawFileSystem
}

var sameContent = map[uint64]string{2: "AAAA", 3: "BBBB"} // by node

func (fs sameInode) attr(node uint64, a *fuse.Attr) fuse.Status {
	a.Mtime, a.Ctime, a.Nlink = 1e9, 1e9, 1
	switch {
	case node == fuse.FUSE_ROOT_ID:
		a.Mode, a.Ino = unix.S_IFDIR|0o755, 1
	default:
		a.Mode, a.Ino, a.Size = unix.S_IFREG|0o644, 7, 4
	}
	return fuse.OK
}

func (fs sameInode) Lookup(_ <-chan struct{}, _ *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if name != "a" && name != "b" {
		return fuse.ENOENT
	}
	out.NodeId = uint64(name[0]-'a') + 2
	return fs.attr(out.NodeId, &out.Attr)
}

func (fs sameInode) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return fs.attr(in.NodeId, &out.Attr)
}

func (fs sameInode) Open(_ <-chan struct{}, _ *fuse.OpenIn, _ *fuse.OpenOut) fuse.Status {
	return fuse.OK
}

func (fs sameInode) Read(_ <-chan struct{}, in *fuse.ReadIn, p []byte) (fuse.ReadResult, fuse.Status) {
	content := sameContent[in.NodeId]
	off := min(int(in.Offset), len(content))
	return fuse.ReadResultData([]byte(content[off:][:min(len(p), len(content)-off)])), fuse.OK
}

func (fs sameInode) OpenDir(_ <-chan struct{}, _ *fuse.OpenIn, _ *fuse.OpenOut) fuse.Status {
	return fuse.OK
}

func (fs sameInode) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	for i, name := range []string{"a", "b"}[min(in.Offset, 2):] {
		out.AddDirEntry(fuse.DirEntry{Name: name, Mode: unix.S_IFREG, Ino: 7, Off: in.Offset + uint64(i) + 1})
	}
	return fuse.OK
}

func (fs sameInode) String() string { return "same-inode" }

// Files are one only if they have one path or are hard links: inode numbers are
// not unique on every file system.
func TestSameInode(t *testing.T) {
	require.Needs(t, "fuse")
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": ""}) // a place for the mount
	raw := sameInode{fuse.NewDefaultRawFileSystem()}
	server, err := fuse.NewServer(raw, dir+"/src", &fuse.MountOptions{DirectMount: true, DisableReadDirPlus: true, Name: "same-inode"})
	must(t, err)
	go server.Serve()
	must(t, server.WaitMount())
	t.Cleanup(func() { must(t, server.Unmount()) })

	var r read
	g := build(t, load(t, dir, "version: 1\narchives: [{name: a.zip, entries: [{source: src}]}]\n"), r.options(t, nil))
	got := checkZIP(t, g.Archives[0])
	if got["src/a"] != "AAAA" || got["src/b"] != "BBBB" || r.files != 2 {
		t.Errorf("got %q from %d files, want AAAA and BBBB from 2", got, r.files)
	}
}

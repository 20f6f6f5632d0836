package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// node is one file, folder or link of a tree that the program makes. What it says
// is what readers have to say, so nothing is read back from disk but the content's
// sums.
type node struct {
	name     string // a folder's ends in "/"
	stored   string // the name in the archive where it is another
	mode     uint32 // 0: 0644, 0755; noMode: 0000
	mtime    int64  // 0: defaultTime
	uid, gid int
	target   string // of a symbolic link
	hardlink string // another name in the tree
	data     string
	size     int64 // of a sparse file that data stands at the start and the end of
}

const noMode = 1 << 31

// defaultTime is odd, so that readers that tell even seconds alone show it.
const defaultTime = 1683356889 // 2023-05-06 07:08:09 UTC

func dir(name string) node          { return node{name: name} }
func text(name, data string) node   { return node{name: name, data: data} }
func link(name, target string) node { return node{name: name, target: target} }

// storedName is the entry's name in the archive.
func (n *node) storedName() string {
	if n.stored != "" {
		return n.stored
	}
	return n.name
}

func (n *node) isDir() bool { return strings.HasSuffix(n.name, "/") }

func (n *node) permissions() uint32 {
	switch {
	case n.mode == noMode:
		return 0
	case n.mode != 0:
		return n.mode
	case n.isDir():
		return 0o755
	case n.target != "":
		return 0o777
	}
	return 0o644
}

func (n *node) modTime() int64 {
	if n.mtime == 0 {
		return defaultTime
	}
	return n.mtime
}

// makeTree makes nodes below a folder, under the names that they have there, or
// with stored set under those in the archive.
func makeTree(root string, nodes []node, stored bool) error {
	at := func(n *node) string {
		if stored {
			return filepath.Join(root, n.storedName())
		}
		return filepath.Join(root, n.name)
	}
	for i := range nodes {
		if err := makeNode(root, at(&nodes[i]), &nodes[i]); err != nil {
			return err
		}
	}
	// Folders come last: making their content would change their times.
	for _, folders := range []bool{false, true} {
		for i := len(nodes) - 1; i >= 0; i-- {
			n := &nodes[i]
			if n.isDir() != folders {
				continue
			}
			if err := os.Lchown(at(n), n.uid, n.gid); err != nil {
				return err
			}
			if n.target == "" {
				if err := unix.Chmod(at(n), n.permissions()); err != nil {
					return err
				}
			}
			t := unix.Timespec{Sec: n.modTime(), Nsec: 123456789}
			if err := unix.UtimesNanoAt(unix.AT_FDCWD, at(n), []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
				return err
			}
		}
	}
	return nil
}

func makeNode(root, path string, n *node) error {
	switch {
	case n.isDir():
		return os.MkdirAll(path, 0o755)
	case n.target != "":
		return os.Symlink(n.target, path)
	case n.hardlink != "":
		return os.Link(filepath.Join(root, n.hardlink), path)
	case n.size == 0:
		return os.WriteFile(path, []byte(n.data), 0o600)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(n.size); err != nil {
		return err
	}
	for _, off := range []int64{0, n.size - int64(len(n.data))} {
		if _, err := f.WriteAt([]byte(n.data), off); err != nil {
			return err
		}
	}
	return f.Close()
}

// wanted returns what readers have to say of a tree, in its order.
func wanted(root string, nodes []node) ([]entry, error) {
	var entries []entry
	for i := range nodes {
		n := &nodes[i]
		e := entry{name: n.storedName(), kind: 'f', mode: n.permissions(), mtime: n.modTime(), uid: uint32(n.uid), gid: uint32(n.gid)}
		var err error
		switch {
		case n.isDir():
			e.kind = 'd'
		case n.target != "":
			e.kind = 'l'
			e.size, e.crc, e.sha, err = sums(strings.NewReader(n.target))
		default:
			e.size, e.crc, e.sha, err = fileSums(filepath.Join(root, n.name))
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

var buffers = sync.Pool{New: func() any { return new([1 << 20]byte) }}

// sums reads data to its end.
func sums(data io.Reader) (size int64, crc uint32, sha string, err error) {
	c, h := crc32.NewIEEE(), sha256.New()
	buf := buffers.Get().(*[1 << 20]byte)
	defer buffers.Put(buf)
	size, err = io.CopyBuffer(io.MultiWriter(c, h), struct{ io.Reader }{data}, buf[:])
	return size, c.Sum32(), hex.EncodeToString(h.Sum(nil)), err
}

func fileSums(path string) (size int64, crc uint32, sha string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, "", err
	}
	defer f.Close()
	return sums(f)
}

// walkTree returns what a folder holds as a reader would tell it.
func walkTree(root string) ([]entry, error) {
	var entries []entry
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		e := entry{
			name: strings.TrimPrefix(p, root+"/"), kind: 'f', mode: st.Mode & 0o7777, mtime: st.Mtim.Sec, uid: st.Uid, gid: st.Gid,
			told: size | content | modes | links | mtime | dosTime | owners,
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			e.kind, e.name = 'd', e.name+"/"
		case unix.S_IFLNK:
			e.kind = 'l'
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			e.size, _, e.sha, _ = sums(strings.NewReader(target))
		case unix.S_IFREG:
			if e.size, _, e.sha, err = fileSums(p); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is no file, folder or link", p)
		}
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

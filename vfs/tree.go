package vfs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// tree is what a mount shows: its generation, and the nodes of this one and of
// those before it that the kernel still knows.
type tree struct {
	root        *folder
	uid, gid    uint32 // of folders
	io          IO
	warn, debug func(string)
	hidden      []Hidden

	publishing sync.Mutex // one generation after the other
	current    atomic.Pointer[generation]

	mu      sync.Mutex
	numbers map[uint64]node // taken ones
	made    uint64          // nodes so far
	open    map[*handle]bool

	hiddenNodes []*hidden // of hidden, once they are made
}

// generation is one state of all names. It never changes.
type generation struct {
	dirs   map[string]*dir // by path, "." is the mountpoint
	blocks uint64          // of all files, see statUnit
	nodes  uint64          // how many
}

// dir is what one generation has in a folder.
type dir struct {
	node    *folder
	entries map[string]entry
	list    []fuse.DirEntry // the same, in the order of the files
	folders int
	modTime int64 // the newest of all files below
}

type entry struct {
	node node
	file *File // nil for a folder
}

// node is a file or a folder.
type node interface {
	fs.InodeEmbedder
	attr(*fuse.Attr)
	common() *base
}

// base is what files and folders have in common.
type base struct {
	fs.Inode
	tree *tree
	path string

	// The following are guarded by tree.mu.
	known   bool // the kernel may ask for it
	current bool // it is in the generation that is shown
}

func (b *base) common() *base { return b }

// know notes that the kernel is about to hear of a node.
func (t *tree) know(n node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n.common().known = true
}

// OnForget is called when the kernel has forgotten the node.
func (b *base) OnForget() {
	b.tree.mu.Lock()
	defer b.tree.mu.Unlock()
	b.known = false
	b.tree.free(b)
}

// free gives a number back once nothing needs it. The caller holds mu.
func (t *tree) free(b *base) {
	ino := b.StableAttr().Ino
	if n := t.numbers[ino]; n != nil && n.common() == b && !b.known && !b.current {
		delete(t.numbers, ino)
	}
}

func newTree(o Options, uid, gid uint32) *tree {
	t := &tree{warn: o.Warn, debug: o.Debug, uid: uid, gid: gid, io: o.IO, open: map[*handle]bool{}}
	t.hidden, t.hiddenNodes = o.Hidden, make([]*hidden, len(o.Hidden))
	t.root = &folder{base{tree: t, path: ".", known: true, current: true}}
	t.numbers = map[uint64]node{0: t.root, fuse.FUSE_ROOT_ID: t.root}
	t.current.Store(&generation{dirs: map[string]*dir{}})
	return t
}

// check says what is wrong with files' paths.
func check(files []File) error {
	folders := map[string]bool{".": true}
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		if f.Path != path.Clean(f.Path) || path.IsAbs(f.Path) || f.Path == "." || f.Path == ".." || strings.HasPrefix(f.Path, "../") || strings.ContainsRune(f.Path, 0) {
			return fmt.Errorf("%q can't be shown: it is no path below the mountpoint", f.Path)
		}
		if seen[f.Path] {
			return fmt.Errorf("%q can't be shown twice", f.Path)
		}
		seen[f.Path] = true
		for p := path.Dir(f.Path); !folders[p]; p = path.Dir(p) {
			folders[p] = true
		}
	}
	for p := range folders {
		if seen[p] {
			return fmt.Errorf("%q can't be shown as a file and as a folder", p)
		}
	}
	return nil
}

// build returns the generation of files. It takes over the nodes of the one that
// is shown now where they can show the same.
func (t *tree) build(files []File) *generation {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.current.Load()
	g := &generation{dirs: map[string]*dir{".": {node: t.root, entries: map[string]entry{}}}, nodes: 1}
	top := g.dirs["."]
	if len(files) > 0 {
		top.modTime = math.MinInt64
	}
	for i := range files {
		f := &files[i]
		parent := t.folderAt(g, old, path.Dir(f.Path))
		parent.add(path.Base(f.Path), entry{t.fileFor(f, old), f}, syscall.S_IFREG)
		g.nodes++
		g.blocks += f.blocks()
		for p := path.Dir(f.Path); ; p = path.Dir(p) {
			g.dirs[p].modTime = max(g.dirs[p].modTime, f.ModTime)
			if p == "." {
				break
			}
		}
	}
	t.hide(g, old)
	return g
}

func (d *dir) add(name string, e entry, mode uint32) {
	e.node.common().current = true
	d.entries[name] = e
	d.list = append(d.list, fuse.DirEntry{Name: name, Mode: mode, Ino: e.node.EmbeddedInode().StableAttr().Ino})
}

// folderAt returns the folder p of g, which it makes where it is missing.
func (t *tree) folderAt(g, old *generation, p string) *dir {
	if d := g.dirs[p]; d != nil {
		return d
	}
	parent := t.folderAt(g, old, path.Dir(p))
	parent.folders++
	d := &dir{node: t.folderFor(p, old), entries: map[string]entry{}, modTime: math.MinInt64}
	parent.add(path.Base(p), entry{node: d.node}, syscall.S_IFDIR)
	g.dirs[p] = d
	g.nodes++
	return d
}

func (t *tree) folderFor(p string, old *generation) *folder {
	if d := old.dirs[p]; d != nil {
		return d.node
	}
	sum := sha256.Sum256([]byte(p))
	ino := binary.LittleEndian.Uint64(sum[:]) >> 1
	same, ino := t.place(ino, func(n node) bool {
		d, ok := n.(*folder)
		return ok && d.path == p
	})
	if same != nil {
		return same.(*folder)
	}
	d := &folder{base{tree: t, path: p}}
	t.add(d, syscall.S_IFDIR, ino)
	return d
}

func (t *tree) fileFor(f *File, old *generation) *file {
	if d := old.dirs[path.Dir(f.Path)]; d != nil {
		if n, ok := d.entries[path.Base(f.Path)].node.(*file); ok && n.is(f) {
			return n
		}
	}
	same, ino := t.place(f.Inode, func(n node) bool {
		x, ok := n.(*file)
		return ok && x.is(f)
	})
	if same != nil {
		return same.(*file)
	}
	n := &file{base: base{tree: t, path: f.Path}, size: f.Size, asked: f.Inode}
	n.state.Store(f)
	t.add(n, syscall.S_IFREG, ino)
	return n
}

// place returns the first number from ino on that is free, or an earlier node
// that is the same: it was gone, and the kernel still knows it.
func (t *tree) place(ino uint64, same func(node) bool) (node, uint64) {
	for {
		n := t.numbers[ino]
		switch {
		case n == nil:
			return nil, ino
		case same(n):
			return n, ino
		}
		ino = (ino + 1) &^ (1 << 63)
	}
}

// add makes a node known to go-fuse. That would take two nodes of one number and
// one generation, in its own sense of the word, for hard links of one file.
func (t *tree) add(n node, mode uint32, ino uint64) {
	t.made++
	t.numbers[ino] = n
	t.root.NewInode(context.Background(), n, fs.StableAttr{Mode: mode, Ino: ino, Gen: t.made})
}

// opened and released count the open files. released tells whether it was open.
func (t *tree) opened(h *handle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[h] = true
}

func (t *tree) released(h *handle) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.open[h]
	delete(t.open, h)
	return was
}

// closeAll closes what the kernel did not when the mount ended under its readers.
func (t *tree) closeAll() {
	t.mu.Lock()
	open := t.open
	t.open = map[*handle]bool{}
	t.mu.Unlock()
	for h := range open {
		h.close()
	}
}

package faultfs

import (
	"sync"

	"golang.org/x/sys/unix"
)

// table are the nodes that the kernel knows, and the files it has open.
type table struct {
	mu      sync.Mutex
	last    uint64 // the last number given to a node or a handle
	nodes   map[uint64]*node
	byFile  map[file]*node
	handles map[uint64]*handle
}

// file is what a node stands for.
type file struct {
	path string // below the root
	ino  uint64 // of the folder's file system; that of another file at the same path differs
}

type node struct {
	file
	id      uint64
	shown   uint64 // the inode number to show, 0 for ino
	lookups uint64 // that the kernel has not forgotten
	open    map[uint64]*handle
}

// handle is an open file, or the names of an open folder.
type handle struct {
	node  *node
	fd    int
	names []dirent
}

type dirent struct {
	name string
	mode uint32
	ino  uint64
}

// rootID is the kernel's number for the root.
const rootID = 1

func newTable() *table {
	root := &node{file: file{path: "."}, id: rootID, open: map[uint64]*handle{}}
	return &table{last: rootID, nodes: map[uint64]*node{rootID: root}, byFile: map[file]*node{}, handles: map[uint64]*handle{}}
}

// node returns a node that the kernel asks for.
func (t *table) node(id uint64) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nodes[id]
}

// lookup returns the node of a file, which is a new one with a number of its own
// if fresh is set.
func (t *table) lookup(f file, fresh bool) *node {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byFile[f]
	if n == nil || fresh {
		t.last++
		n = &node{file: f, id: t.last, open: map[uint64]*handle{}}
		t.nodes[n.id] = n
		if fresh {
			n.shown = 1<<40 + n.id
		} else {
			t.byFile[f] = n
		}
	}
	n.lookups++
	return n
}

func (t *table) forget(id, lookups uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[id]
	if n == nil || id == rootID {
		return
	}
	if n.lookups -= min(lookups, n.lookups); n.lookups == 0 {
		delete(t.nodes, id)
		if t.byFile[n.file] == n {
			delete(t.byFile, n.file)
		}
	}
}

func (t *table) add(h *handle) (id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.handles[t.last] = h
	if h.fd >= 0 {
		h.node.open[t.last] = h
	}
	return t.last
}

func (t *table) handle(id uint64) *handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.handles[id]
}

func (t *table) release(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.handles[id]
	delete(t.handles, id)
	if h != nil && h.fd >= 0 {
		delete(h.node.open, id)
		unix.Close(h.fd)
	}
}

// statOpen is fstat(2) of a node's open file; false where there is none.
func (t *table) statOpen(n *node, st *unix.Stat_t) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range n.open {
		return unix.Fstat(h.fd, st) == nil
	}
	return false
}

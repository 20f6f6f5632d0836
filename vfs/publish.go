package vfs

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// Publish shows files in place of those that are shown now, all at once. A path
// whose Inode and Size stay as they were stays the same file, and gets the new
// attributes and Content; otherwise it becomes another file. Handles that are
// open read on what they opened. It must not be called from a Content or a Handle.
// An error means that nothing has changed.
func (m *Mounted) Publish(files []File) error {
	files = slices.Clone(files)
	t := m.tree
	if err := errors.Join(check(files), checkHidden(files, t.hidden)); err != nil {
		return err
	}
	t.publishing.Lock()
	defer t.publishing.Unlock()
	old := t.current.Load()
	g := t.build(files)
	replaced := t.show(g)
	if t.notify(old, g) {
		time.AfterFunc(openGrace, func() { t.retire(replaced) })
	} else {
		t.retire(replaced)
	}
	return nil
}

// openGrace is how long what was replaced can still be opened. Once the kernel
// knows, only an open(2) that began before does that. ESTALE makes it look again,
// but only once: it would fail where one generation follows closely on another.
const openGrace = time.Second

// show swaps the generations, and returns the files that are no longer shown.
func (t *tree) show(g *generation) (replaced []*file) {
	for _, d := range g.dirs {
		for _, e := range d.entries {
			if n, ok := e.node.(*file); ok {
				n.state.Store(e.file)
			}
		}
	}
	old := t.current.Swap(g)
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, d := range old.dirs {
		for name, e := range d.entries {
			if now := g.dirs[p]; now == nil || now.entries[name].node != e.node {
				b := e.node.common()
				b.current = false
				t.free(b)
				if n, ok := e.node.(*file); ok {
					replaced = append(replaced, n)
				}
			}
		}
	}
	return replaced
}

// retire lets go of the contents of files that have not come back.
func (t *tree) retire(replaced []*file) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range replaced {
		if !n.current {
			last := *n.state.Load()
			last.Content = stale{}
			n.state.Store(&last)
		}
	}
}

// notify makes the kernel forget what is no longer so, and tells whether it has. It
// waits for lookups in the same folder, so that nothing these need may be held.
func (t *tree) notify(old, g *generation) (told bool) {
	told = true
	notified := func(n node, errno syscall.Errno) { told = t.notified(n, errno) && told }
	for p, was := range old.dirs {
		now := g.dirs[p]
		if now == nil || now.node != was.node || !t.knows(was.node) {
			continue // what is in it went with it, or was never asked for
		}
		for name, e := range was.entries {
			switch n := now.entries[name]; {
			case n.node == nil && e.file != nil:
				notified(e.node, now.node.NotifyDelete(name, e.node.EmbeddedInode()))
			case n.node != e.node: // not as deleted, which a folder never recovers from
				notified(e.node, now.node.NotifyEntry(name))
			case e.file != nil && !sameAttributes(e.file, n.file) && t.knows(e.node):
				notified(e.node, e.node.EmbeddedInode().NotifyContent(attributesOnly, 0))
			}
		}
		for name, e := range now.entries {
			if _, ok := was.entries[name]; !ok { // that there was none is cached, too
				notified(e.node, now.node.NotifyEntry(name))
			}
		}
		if was.folders != now.folders || was.modTime != now.modTime {
			notified(now.node, now.node.NotifyContent(attributesOnly, 0))
		}
	}
	return told
}

// attributesOnly is an offset for NotifyContent that leaves cached pages alone.
const attributesOnly = -1

func sameAttributes(a, b *File) bool {
	return a.ModTime == b.ModTime && a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID
}

func (t *tree) knows(n node) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n.common().known
}

// notified tells whether the kernel now knows no better. It says ENOENT of what it
// had not cached, and one of the others when the mount has ended.
func (t *tree) notified(n node, errno syscall.Errno) bool {
	switch errno {
	case 0, syscall.ENOENT, syscall.ENODEV, syscall.ENOTCONN, syscall.EBADF:
		return true
	}
	t.debug(fmt.Sprintf("%s: what the kernel has cached of it may be old: %v", n.common().path, errno))
	return false
}

package zipgen

import (
	"iter"
	"strings"
)

// Child is what stands in a folder under one name: a file, a symbolic link, or a folder
// with all that is below it. Folders need no entry of their own.
type Child struct {
	Name   string // without the folder's above it, and without a slash
	Folder bool
	Entry  int // index of its own entry; -1: it has none
	// First and End are which entries it is, itself and all below: First <= i < End.
	First, End int
}

// Key is the child's name as entries are ordered by it, for [Archive.Children].
func (c Child) Key() string {
	if c.Folder {
		return c.Name + "/"
	}
	return c.Name
}

// Folder returns which entries lie below a folder, first <= i < end, and whether there is
// such a folder. Its name ends in a slash; "" is the archive's root. It takes O(log Len()).
func (a *Archive) Folder(name string) (first, end int, ok bool) {
	if name == "" {
		return 0, a.count, true
	}
	first, own := a.Find(name)
	end = a.behind(name)
	ok = first < end
	if own {
		first++
	}
	return first, end, ok
}

// behind returns the index of the first entry behind all that lie below a folder.
func (a *Archive) behind(folder string) int {
	i, _ := a.Find(folder[:len(folder)-1] + string(rune('/'+1)))
	return i
}

// Children yields what stands in a folder, in the order of [Child.Key], from the first
// whose Key is key or behind it. A child takes O(log Len()), however much is below it.
func (a *Archive) Children(folder, key string) iter.Seq[Child] {
	return func(yield func(Child) bool) {
		i, end, _ := a.Folder(folder)
		i = a.from(folder, key, i, end)
		for i < end {
			c := a.child(folder, i)
			if c.Folder {
				c.End = a.behind(folder + c.Key())
			}
			if !yield(c) {
				return
			}
			i = c.End
		}
	}
}

// ChildrenBefore yields what stands in a folder before key, the last one first.
func (a *Archive) ChildrenBefore(folder, key string) iter.Seq[Child] {
	return func(yield func(Child) bool) {
		first, end, _ := a.Folder(folder)
		for i := a.from(folder, key, first, end); i > first; {
			c := a.child(folder, i-1)
			if c.Folder {
				var own bool
				c.First, own = a.Find(folder + c.Key())
				c.Entry = -1
				if own {
					c.Entry = c.First
				}
				c.End = i
			}
			if !yield(c) {
				return
			}
			i = c.First
		}
	}
}

// from returns where the first child starts whose Key is key or behind it, among the
// entries below its folder.
func (a *Archive) from(folder, key string, first, end int) int {
	if i := strings.IndexByte(key, '/'); i >= 0 {
		key = key[:i+1]
	}
	i, _ := a.Find(folder + key)
	return max(first, min(i, end))
}

// child returns the child of a folder that entry i is, or lies below. Of a folder it
// takes that entry for the first one, and for the only one.
func (a *Archive) child(folder string, i int) Child {
	name := a.names.at(i)
	own, below, isFolder := strings.Cut(string(name.folder[len(folder):])+string(name.own), "/")
	c := Child{Name: own, Folder: isFolder, Entry: i, First: i, End: i + 1}
	if below != "" {
		c.Entry = -1
	}
	return c
}

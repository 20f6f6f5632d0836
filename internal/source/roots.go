package source

import (
	"sync"

	"golang.org/x/sys/unix"
)

// Roots keeps the root folders of sources open that are read one after the other. Its
// zero value is ready for use, by several goroutines; nil keeps none.
type Roots struct {
	mu  sync.Mutex
	fds map[string]int
}

// Open is the function Open, with the root folder that was there at its first call.
// Where that leads to an error another folder may have taken its place since.
func (r *Roots) Open(ref Ref, id Identity) (*File, error) {
	if r == nil {
		return Open(ref, id)
	}
	if root, ok := r.get(ref); ok {
		if f, is, err := open(root, ref); err == nil {
			if is == id {
				return f, nil
			}
			f.Close()
		}
	}
	return Open(ref, id)
}

func (r *Roots) get(ref Ref) (fd int, ok bool) {
	fd, ok, full := r.have(ref)
	if ok || full {
		return fd, ok
	}
	opened, err := ref.openRoot() // it may hang, and others need not wait for it
	if err != nil {
		return -1, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if fd, ok := r.fds[ref.Root]; ok || len(r.fds) >= mostRoots {
		unix.Close(opened)
		return fd, ok
	}
	if r.fds == nil {
		r.fds = map[string]int{}
	}
	r.fds[ref.Root] = opened
	return opened, true
}

func (r *Roots) have(ref Ref) (fd int, ok, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fd, ok = r.fds[ref.Root]
	return fd, ok, len(r.fds) >= mostRoots
}

// mostRoots bounds the descriptors of Roots.
const mostRoots = 16

// Close closes them.
func (r *Roots) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, fd := range r.fds {
		unix.Close(fd)
	}
	r.fds = nil
}

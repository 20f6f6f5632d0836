package source

import (
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// Set keeps a bounded number of sources open, the most recently used ones. It
// is safe for any number of goroutines.
type Set struct {
	limit int

	mu    sync.Mutex
	files map[uint64]*entry
	idle  entry // ring of entries nobody uses, the longest idle first
}

// entry is a File in a Set; a root folder's has no File.
type entry struct {
	key        uint64
	fd         int
	file       *File
	users      int
	prev, next *entry // in the idle ring, or nil
}

// NewSet returns a set that keeps at most limit descriptors while it can.
func NewSet(limit int) *Set {
	s := &Set{limit: max(limit, 4), files: make(map[uint64]*entry)}
	s.idle.prev, s.idle.next = &s.idle, &s.idle
	return s
}

// Index tells a Set what stands behind a key. Keys below 1<<63 are files.
type Index interface {
	// Source returns the source of a key, the identity it had when scanned, and
	// a number below 1<<63 for its root: equal roots have equal numbers.
	Source(key uint64) (r Ref, id Identity, root uint64)
}

const rootKey = 1 << 63

// ReadFull fills p from offset off of the source behind key, and checks before
// and after that it is the one that was scanned.
func (s *Set) ReadFull(x Index, key uint64, id Identity, p []byte, off int64) error {
	e := s.get(key)
	if e == nil {
		var err error
		if e, err = s.open(x, key); err != nil {
			return err
		}
	}
	err := e.file.ReadFull(p, off)
	// A change found by its short read has a better word in its identity.
	if err == nil || errors.As(err, new(*ChangedError)) {
		if e := e.file.Check(id); e != nil {
			err = e
		}
	}
	s.put(e)
	return err
}

func (s *Set) open(x Index, key uint64) (*entry, error) {
	ref, id, root := x.Source(key)
	var f *File
	err := s.retry(func() error {
		re := s.get(rootKey | root)
		if re == nil {
			fd, err := openRoot(ref.Root)
			if err != nil {
				return ref.gone(err)
			}
			re = s.add(&entry{key: rootKey | root, fd: fd})
		}
		defer s.put(re)
		var err error
		f, err = open(re.fd, ref, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.add(&entry{key: key, fd: f.fd, file: f}), nil
}

// retry runs open again with every idle descriptor closed when there are none
// left. Others may take what was closed, so it tries more than once.
func (s *Set) retry(open func() error) error {
	err := open()
	for try := 0; try < 100 && (errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)); try++ {
		s.mu.Lock()
		s.evict(0)
		s.mu.Unlock()
		err = open()
	}
	return err
}

// get returns the open entry of a key for use, or nil.
func (s *Set) get(key uint64) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.files[key]
	if e != nil {
		s.use(e)
	}
	return e
}

func (s *Set) use(e *entry) {
	if e.users == 0 && e.next != nil {
		e.prev.next, e.next.prev = e.next, e.prev
		e.prev, e.next = nil, nil
	}
	e.users++
}

// add puts a new entry into the set for use, or, where another goroutine was
// quicker, closes it and returns that one's.
func (s *Set) add(e *entry) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.files[e.key]; have != nil {
		unix.Close(e.fd)
		s.use(have)
		return have
	}
	s.files[e.key] = e
	s.use(e)
	s.evict(s.limit)
	return e
}

func (s *Set) put(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.users--; e.users == 0 {
		last := s.idle.prev
		e.prev, e.next = last, &s.idle
		last.next, s.idle.prev = e, e
		s.evict(s.limit)
	}
}

// evict closes the longest idle entries until at most limit are open.
func (s *Set) evict(limit int) {
	for len(s.files) > limit && s.idle.next != &s.idle {
		e := s.idle.next
		e.prev.next, e.next.prev = e.next, e.prev
		e.prev, e.next = nil, nil
		delete(s.files, e.key)
		unix.Close(e.fd)
	}
}

// Close closes every idle descriptor.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evict(0)
}

package source

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Set keeps a bounded number of sources open, the most recently used ones. It
// is safe for any number of goroutines.
type Set struct {
	limit int

	mu    sync.Mutex
	files map[place]*Opened
	idle  Opened // ring of entries nobody uses, the longest idle first
}

// Index tells a Set what stands behind a key. Keys below 1<<63 are files. It must
// be comparable: a Set parts the keys of one Index from those of another.
type Index interface {
	// Source returns the source of a key, the identity it had when scanned, and
	// a number below 1<<63 for its root: equal roots have equal numbers.
	Source(key uint64) (r Ref, id Identity, root uint64)
}

// place is a file, or with rootKey set a root folder, of an Index.
type place struct {
	index Index
	key   uint64
}

const rootKey = 1 << 63

// Opened is an open source in a Set.
type Opened struct {
	*File // nil for a root folder
	place
	root       uint64
	fd         int
	users      int
	dropped    bool
	prev, next *Opened // in the idle ring, or nil
}

// NewSet returns a set that keeps at most limit descriptors while it can.
func NewSet(limit int) *Set {
	s := &Set{limit: max(limit, 4), files: make(map[place]*Opened)}
	s.idle.prev, s.idle.next = &s.idle, &s.idle
	return s
}

// Acquire opens the regular file that is now at the place of key, unless it is
// open already. What it is now is for the caller to find out. Release gives it back.
func (s *Set) Acquire(x Index, key uint64) (*Opened, error) {
	if e := s.get(place{x, key}); e != nil {
		return e, nil
	}
	ref, _, root := x.Source(key)
	f, err := s.openNow(x, root, ref, nil)
	if err != nil {
		return nil, err
	}
	return s.add(&Opened{File: f, place: place{x, key}, root: root, fd: f.fd}), nil
}

// Open is the function Open with a root folder that stays open for the next file. The
// file is not of the set, but the caller's to close.
func (s *Set) Open(x Index, root uint64, ref Ref, id Identity) (*File, error) {
	return s.openNow(x, root, ref, &id)
}

// openNow opens the file that is now at ref, and that was scanned as id unless that is
// nil.
func (s *Set) openNow(x Index, root uint64, ref Ref, id *Identity) (f *File, err error) {
	at := place{x, rootKey | root}
	err = s.retry(func() (err error) {
		var kept bool
		f, kept, err = s.openIn(at, ref, id)
		if kept && errors.As(err, new(*ChangedError)) { // another folder may have taken the root's place
			f, _, err = s.openIn(at, ref, id)
		}
		return err
	})
	return f, err
}

// openIn opens a file below the root at a place, and tells whether that root was
// open before. Where it fails the root is dropped.
func (s *Set) openIn(at place, ref Ref, id *Identity) (f *File, kept bool, err error) {
	re := s.get(at)
	if kept = re != nil; !kept {
		fd, err := ref.openRoot()
		if err != nil {
			return nil, false, ref.gone(err)
		}
		re = s.add(&Opened{place: at, root: at.key &^ rootKey, fd: fd})
	}
	defer s.Release(re)
	f, is, err := open(re.fd, ref)
	if err == nil && id != nil {
		f, err = f.scannedAs(*id, is)
	}
	if err != nil {
		s.Drop(re)
	}
	return f, kept, err
}

// Drop makes the set forget an open source and its root, so that the next
// Acquire opens what is there then. Those who use it go on.
func (s *Set) Drop(e *Opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(e)
	if root := s.files[place{e.index, rootKey | e.root}]; root != nil {
		s.drop(root)
	}
}

// DropKey is Drop for what is open behind a key, and for its root, if anything is.
func (s *Set) DropKey(x Index, key uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _, root := x.Source(key)
	for _, at := range []place{{x, key}, {x, rootKey | root}} {
		if e := s.files[at]; e != nil {
			s.drop(e)
		}
	}
}

func (s *Set) drop(e *Opened) {
	if s.files[e.place] != e {
		return
	}
	delete(s.files, e.place)
	if e.users > 0 {
		e.dropped = true
		return
	}
	e.unlink()
	unix.Close(e.fd)
}

// Forget closes what an Index has open. Those who use it go on.
func (s *Set) Forget(x Index) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, e := range s.files {
		if at.index == x {
			s.drop(e)
		}
	}
}

// retry runs open again with every idle descriptor closed when there are none
// left. Others may take what was closed, or hold all for a moment, so it tries
// more than once.
func (s *Set) retry(open func() error) error {
	err := open()
	for try := 0; try < 200 && (errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)); try++ {
		s.mu.Lock()
		s.evict(0)
		s.mu.Unlock()
		if try > 0 {
			time.Sleep(time.Duration(min(try, 20)) * time.Millisecond)
		}
		err = open()
	}
	return err
}

// get returns what is open at a place for use, or nil.
func (s *Set) get(at place) *Opened {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.files[at]
	if e != nil {
		s.use(e)
	}
	return e
}

func (s *Set) use(e *Opened) {
	if e.users == 0 {
		e.unlink()
	}
	e.users++
}

// unlink takes e out of the idle ring.
func (e *Opened) unlink() {
	if e.next != nil {
		e.prev.next, e.next.prev = e.next, e.prev
		e.prev, e.next = nil, nil
	}
}

// add puts a new entry into the set for use, or, where another goroutine was
// quicker, closes it and returns that one's.
func (s *Set) add(e *Opened) *Opened {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.files[e.place]; have != nil {
		unix.Close(e.fd)
		s.use(have)
		return have
	}
	s.files[e.place] = e
	s.use(e)
	s.evict(s.limit)
	return e
}

// Release ends a use that Acquire began.
func (s *Set) Release(e *Opened) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.users--
	switch {
	case e.users > 0:
	case e.dropped:
		unix.Close(e.fd)
	default:
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
		e.unlink()
		delete(s.files, e.place)
		unix.Close(e.fd)
	}
}

// Close closes every idle descriptor.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evict(0)
}

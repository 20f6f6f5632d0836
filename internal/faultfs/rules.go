package faultfs

import (
	"slices"
	"sync"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// rules are the rules of a file system and its counters.
type rules struct {
	mu     sync.Mutex
	next   int
	list   []*active
	hung   int
	counts map[string]*Counts
}

// active is a rule that is in force until ended is closed.
type active struct {
	Rule
	id     int
	seen   int
	ended  chan struct{}
	frozen map[string]fuse.Attr // with Freeze: the attributes to show
}

func newRules() *rules { return &rules{counts: map[string]*Counts{}} }

func (a *active) matches(path string) bool {
	ok := a.Path == ""
	if !ok {
		ok, _ = doublestar.Match(a.Path, path)
	}
	return ok
}

// add puts a rule in force. frozen is for Freeze.
func (s *rules) add(r Rule, frozen map[string]fuse.Attr) (id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	a := &active{Rule: r, id: s.next, ended: make(chan struct{}), frozen: frozen}
	s.list = append(s.list, a)
	if r.For > 0 {
		time.AfterFunc(r.For, func() { s.remove(a.id) })
	}
	return a.id
}

// remove ends a rule, or all of them if id is 0.
func (s *rules) remove(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(s.list, func(a *active) bool {
		gone := id == 0 || a.id == id
		if gone {
			close(a.ended)
		}
		return gone
	})
}

// hits counts a request and returns the rules that are for it. off and n are a
// read's.
func (s *rules) hits(op Op, path string, off, n int64) (hit []*active) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts[path]
	if c == nil {
		c = &Counts{Requests: map[Op]int{}}
		s.counts[path] = c
	}
	c.Requests[op]++
	for _, a := range s.list {
		switch {
		case len(a.Ops) > 0 && !slices.Contains(a.Ops, op):
			continue
		case a.Length > 0 && (op != Read || off+n <= a.Offset || a.Offset+a.Length <= off):
			continue
		case !a.matches(path):
			continue
		}
		if a.seen++; a.seen > a.Skip && (a.Times == 0 || a.seen <= a.Skip+a.Times) {
			hit = append(hit, a)
		}
	}
	return hit
}

func (s *rules) haveRead(path string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[path].Bytes += int64(n)
}

func (s *rules) waiting(d int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hung += d
}

// state returns a copy of the counters, and sets those of paths to 0 if reset is set.
func (s *rules) state(reset bool) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := State{Hung: s.hung, Hits: map[int]int{}, Counts: map[string]Counts{}}
	for _, a := range s.list {
		hits := max(0, a.seen-a.Skip)
		if a.Times > 0 {
			hits = min(hits, a.Times)
		}
		st.Hits[a.id] = hits
	}
	for path, c := range s.counts {
		n := Counts{Requests: map[Op]int{}, Bytes: c.Bytes}
		for op, k := range c.Requests {
			n.Requests[op] = k
		}
		st.Counts[path] = n
		if reset {
			clear(c.Requests)
			c.Bytes = 0
		}
	}
	return st
}

// freeze returns the attributes that a path had when they were frozen, or attr.
func (s *rules) freeze(path string, attr fuse.Attr) fuse.Attr {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		if was, ok := a.frozen[path]; ok {
			return was
		}
	}
	return attr
}

// dress changes attributes as rules ask for it, and tells whether each lookup
// gives a number of its own.
func (s *rules) dress(path string, attr *fuse.Attr) (byLookup bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.list {
		if a.Grain == 0 && a.Inodes == InodesStay || !a.matches(path) {
			continue
		}
		if a.Grain > 0 {
			coarse(&attr.Atime, &attr.Atimensec, a.Grain)
			coarse(&attr.Mtime, &attr.Mtimensec, a.Grain)
			coarse(&attr.Ctime, &attr.Ctimensec, a.Grain)
		}
		switch a.Inodes {
		case InodesOnce:
			attr.Ino += uint64(a.id) << 32
		case InodesByLookup:
			byLookup = true
		}
	}
	return byLookup
}

// coarse rounds a time down.
func coarse(sec *uint64, nsec *uint32, grain time.Duration) {
	t := int64(*sec)*int64(time.Second) + int64(*nsec)
	t -= (t%int64(grain) + int64(grain)) % int64(grain)
	at := time.Unix(0, t)
	*sec, *nsec = uint64(at.Unix()), uint32(at.Nanosecond())
}

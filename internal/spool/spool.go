// Package spool keeps blocks of bytes on disk that can be made again, so that whatever
// becomes of them costs time alone: in a file without a name, which is gone with the
// process, up to a number of bytes.
package spool

import (
	"fmt"
	"os"
	"sync"

	"github.com/klauspost/crc32"
	"golang.org/x/sys/unix"
)

// Key stands for a block.
type Key struct {
	Entry, Block int
}

// Spool is such a file. It is safe for any number of goroutines. Blocks are written one
// behind the other; at the end of the file the next one takes the place of the oldest.
type Spool struct {
	dir  string
	most int64
	warn func(error)

	mu     sync.Mutex
	file   *os.File // nil before the first block, and once it has failed
	failed bool     // or closed
	users  int      // at work in the file
	at     int64    // where the next block goes
	blocks map[Key]block
	order  []place // of what has a place in the file, the oldest first
}

// place is a part of the file.
type place struct {
	Key
	at, len int64
}

// block is one that is there.
type block struct {
	place
	crc uint32
}

// New returns a spool in a folder. Nothing is made there before the first Put. warn is
// told once if it can't be used.
func New(dir string, most int64, warn func(error)) *Spool {
	return &Spool{dir: dir, most: most, warn: warn, blocks: map[Key]block{}}
}

// begin begins a use of the file, which is made if it has to be.
func (s *Spool) begin(wanted bool) *os.File {
	if s.failed || s.file == nil && !wanted {
		return nil
	}
	if s.file == nil {
		f, err := create(s.dir)
		if err != nil {
			s.fail(err)
			return nil
		}
		s.file = f
	}
	s.users++
	return s.file
}

// create returns a file that nobody else can open.
func create(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), dir), nil
	}
	f, err := os.CreateTemp(dir, ".vzip-spool-")
	if err == nil {
		err = os.Remove(f.Name())
	}
	return f, err
}

func (s *Spool) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	s.close()
}

// close closes the file once nobody uses it.
func (s *Spool) close() {
	if s.failed && s.users == 0 && s.file != nil {
		s.file.Close()
		s.file = nil
	}
}

// fail ends all use of the file.
func (s *Spool) fail(err error) {
	if s.failed {
		return
	}
	s.failed, s.order = true, nil
	clear(s.blocks)
	if err != nil {
		s.warn(fmt.Errorf("spool %s: %w: deflated data is not kept there until a reload", s.dir, err))
	}
	s.close()
}

// Close ends all use of the spool, and frees its room.
func (s *Spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(nil)
}

// Put keeps a block, if it has room for one of that size.
func (s *Spool) Put(k Key, data []byte) {
	f, p := s.reserve(k, int64(len(data)))
	if f == nil {
		return
	}
	defer s.end()
	_, err := f.WriteAt(data, p.at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.fail(err)
	} else if !s.failed {
		s.blocks[k] = block{p, crc32.ChecksumIEEE(data)}
	}
}

// reserve returns where a block goes, in place of the oldest ones.
func (s *Spool) reserve(k Key, n int64) (*os.File, place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.blocks[k]; ok || n > s.most {
		return nil, place{}
	}
	f := s.begin(true)
	if f == nil {
		return nil, place{}
	}
	if s.at+n > s.most { // what is behind it would be the oldest for ever
		s.evict(s.at, s.most)
		s.at = 0
	}
	p := place{k, s.at, n}
	s.at += n
	s.evict(p.at, s.at)
	s.order = append(s.order, p)
	return f, p
}

// evict drops the oldest blocks while they are in a part of the file.
func (s *Spool) evict(start, end int64) {
	for len(s.order) > 0 {
		old := s.order[0]
		if old.at >= end || old.at+old.len <= start {
			return
		}
		if s.blocks[old.Key].place == old {
			delete(s.blocks, old.Key)
		}
		s.order = s.order[1:]
	}
}

// Get returns a block that is kept; nil where it is not, or not any more. It has the
// CRC-32 that it had.
func (s *Spool) Get(k Key) []byte {
	s.mu.Lock()
	b, ok := s.blocks[k]
	var f *os.File
	if ok {
		f = s.begin(false)
	}
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	defer s.end()
	data := make([]byte, b.len)
	if _, err := f.ReadAt(data, b.at); err == nil && crc32.ChecksumIEEE(data) == b.crc {
		return data
	}
	s.mu.Lock() // another one has its place now, or the disk is damaged
	defer s.mu.Unlock()
	if s.blocks[k] == b {
		delete(s.blocks, k)
	}
	return nil
}

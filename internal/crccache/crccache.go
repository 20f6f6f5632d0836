// Package crccache remembers the CRC-32 of files and their blocks between runs.
//
// The cache is one file, appended to and never changed in place. A record counts
// only while the file that it tells of still has the identity it had when it was
// read; a record that doesn't agree with its own checksums is passed over. So
// whatever happens to the cache, the worst is that a file is read again.
//
// File format, version 2, numbers little-endian, 64 bytes a slot. Slot 0 is the
// file's header:
//
//	offset  size  field
//	     0    16  magic          "vzip crc-32s v2\n"
//	    16     8  size of the file after it was last compacted
//	    24    36  zero
//	    60     4  CRC-32C of the 60 bytes before
//
// Records follow, one after the other. A record is a head:
//
//	offset  size  field
//	     0    16  key            first half of the SHA-256 of the path
//	    16     8  size           in bytes, at most checksum.MaxSize
//	    24     8  mtime          nanoseconds since 1970
//	    32     8  ctime          nanoseconds since 1970
//	    40     8  birth time     nanoseconds since 1970, or 0
//	    48     8  inode number
//	    56     4  CRC-32 of the file
//	    60     4  CRC-32C of the 60 bytes before
//
// and, for a file of more than one block of checksum.BlockLen, a tail slot for
// every 15 blocks or part of that:
//
//	offset  size  field
//	     0    60  CRC-32 of each block; zero where the file has no more blocks
//	    60     4  CRC-32C of 68 bytes: the head's own CRC-32C, the number of this
//	              slot as 4 bytes, 1 for the first after the head, and the 60
//	              bytes before
//
// So a tail slot passes for no head's, and for no other place's. All slots of a
// record must be sound, and the blocks' CRCs together give the file's.
//
// Other things than files have records of this form as well, under keys of their own:
// files that are deflated (see Record.Pack), and archives that were published.
package crccache

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/seeded"
	"vzip/internal/source"
)

// FileName is the name of the file with the records, in the cache's folder.
const FileName = "crc32-v2"

const (
	lockName = "lock"
	// batch is how many slots Add collects before it writes them.
	batch = 1024
	// bufferLen is the size of reads and writes in bytes.
	bufferLen = 64 << 10
	// compactMin is the size in bytes under which a cache is never compacted.
	compactMin = 16 << 20
)

// Key stands for a path.
type Key [16]byte

// KeyOf returns the key of a file's absolute path.
func KeyOf(path string) Key {
	sum := sha256.Sum256([]byte(path))
	return Key(sum[:16])
}

// Record says that the file at a path had these CRC-32s when it had this identity.
type Record struct {
	Key
	source.Identity
	checksum.Sum
}

// Cache is a folder with remembered CRCs. Several processes may use one at once.
type Cache struct {
	dir string

	mu      sync.Mutex
	pending []byte
	damaged bool  // Scan found damage: compact at the next chance, to be rid of it
	err     error // the first failure to write; nothing is written after it

	compactMin int64 // const compactMin, less in tests
}

// Open opens the cache in dir, which is made if it is missing. A folder that
// another user could write to is refused.
func Open(dir string) (*Cache, error) {
	c := &Cache{dir: dir, compactMin: compactMin}
	if err := c.makeFolder(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cache) makeFolder() error {
	var fi os.FileInfo
	err := again(func() (err error) {
		if err = os.MkdirAll(c.dir, 0o700); err == nil {
			fi, err = os.Lstat(c.dir)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return fmt.Errorf("%s: is no folder", c.dir)
	}
	if err := private(fi); err != nil {
		return fmt.Errorf("%s: %w", c.dir, err)
	}
	return nil
}

// private fails if others than the user can change what fi is about.
func private(fi os.FileInfo) error {
	if seeded.On("anybodys-cache") {
		return nil
	}
	if fi.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write to it (mode %#o): chmod go-w it, or use --cache DIR", fi.Mode().Perm())
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("it belongs to user %d: use --cache DIR", st.Uid)
	}
	return nil
}

func (c *Cache) open(name string, flags int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(c.dir, name), flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("%s: is no regular file", f.Name())
	}
	if err == nil {
		if err = private(fi); err != nil {
			err = fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Scan calls each for every sound record, older ones first, and returns how many
// were damaged, as far as that can be told. Blocks are valid during the call only.
// A cache that isn't there yet has no records.
func (c *Cache) Scan(each func(Record)) (damaged int, err error) {
	f, err := c.open(FileName, os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	s := scanner{blocks: true, each: func(_ int64, r Record) { each(r) }}
	err = s.scan(f)
	if s.torn && c.growing(f, s.read) {
		s.damaged--
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.damaged = s.damaged > 0
	return s.damaged, err
}

// growing tells whether a record is half there because another process is writing
// it, or has written it since size bytes were read, and not because of a crash. It
// waits a second at most.
func (c *Cache) growing(f *os.File, size int64) bool {
	lock, err := c.open(lockName, os.O_RDONLY)
	if err == nil {
		defer lock.Close()
		for end := time.Now().Add(time.Second); flock(lock, unix.LOCK_SH|unix.LOCK_NB) == unix.EWOULDBLOCK; {
			if time.Now().After(end) {
				return true
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	fi, err := f.Stat()
	return err == nil && fi.Size() != size
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); err != unix.EINTR {
			return err
		}
	}
}

// Add remembers a record. Records are written in batches; the first failure to
// write comes back from this and every later call.
func (c *Cache) Add(r Record) error {
	if want := checksum.Blocks(r.Size); r.Size < 0 || r.Size > checksum.MaxSize || want > 1 && len(r.Blocks) != want {
		return fmt.Errorf("a file of %d bytes with %d blocks can't be remembered", r.Size, len(r.Blocks))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
	case tails(r.Size) >= batch: // no copy in memory
		c.flush(&r)
	default:
		r.encode(func(slot []byte) { c.pending = append(c.pending, slot...) })
		if len(c.pending) >= batch*slotLen {
			c.flush(nil)
		}
	}
	return c.err
}

// Flush writes what Add has collected.
func (c *Cache) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && len(c.pending) > 0 {
		c.flush(nil)
	}
	return c.err
}

// flush writes what is pending, and long if it isn't nil.
func (c *Cache) flush(long *Record) {
	c.err = again(func() error { return c.write(long) })
	c.pending = c.pending[:0]
}

// again does f until the folder isn't removed meanwhile, as it can be at any time.
func again(f func() error) (err error) {
	for range 100 {
		err = f()
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) {
			break
		}
	}
	return err
}

// lock takes the lock of those who write. Whoever had it may have been in a folder
// that is gone; then the next one counts.
func (c *Cache) lock() (*os.File, error) {
	for {
		if err := c.makeFolder(); err != nil {
			return nil, err
		}
		lock, err := c.open(lockName, os.O_RDWR|os.O_CREATE)
		if err != nil {
			return nil, err
		}
		if err := flock(lock, unix.LOCK_EX); err != nil {
			lock.Close()
			return nil, fmt.Errorf("%s: flock: %w", lock.Name(), err)
		}
		locked, err := lock.Stat()
		if err == nil {
			var there os.FileInfo
			if there, err = os.Lstat(lock.Name()); err == nil && os.SameFile(locked, there) {
				return lock, nil
			}
		}
		lock.Close()
		if err != nil {
			return nil, err
		}
	}
}

func (c *Cache) write(long *Record) error {
	lock, err := c.lock()
	if err != nil {
		return err
	}
	defer lock.Close() // unlocks
	f, err := c.open(FileName, os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	size, compacted := fi.Size(), int64(0)
	var first [slotLen]byte
	ok := false
	if _, err := f.ReadAt(first[:], 0); err == nil {
		compacted, ok = header(first[:])
	}
	if !ok {
		size = 0
	}
	// What follows the last whole slot was torn by a crash. Slots before it that
	// are half a record hide nothing: readers go on with the next head.
	size -= size % slotLen
	if size != fi.Size() {
		if err := f.Truncate(size); err != nil {
			return err
		}
	}
	n, err := c.append(f, size == 0, long)
	if err != nil {
		_ = f.Truncate(size) // takes half a record back, best effort
		return err
	}
	size += n
	if size > c.compactMin && size > 2*compacted {
		return c.compact(f)
	}
	if c.damaged {
		c.damaged = false
		_ = c.compact(f) // what was to be written is; the damage can stay
	}
	return nil
}

// append writes what is pending to the end of f, and returns its bytes.
func (c *Cache) append(f *os.File, start bool, long *Record) (n int64, err error) {
	out := bufio.NewWriterSize(f, bufferLen)
	put := func(p []byte) {
		out.Write(p) // a bufio.Writer keeps its error for Flush
		n += int64(len(p))
	}
	if start {
		put(appendHeader(nil, 0))
	}
	put(c.pending)
	if long != nil {
		long.encode(put)
	}
	return n, out.Flush()
}

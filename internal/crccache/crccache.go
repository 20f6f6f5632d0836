// Package crccache remembers the CRC-32 of files between runs.
//
// The cache is one file of fixed records, appended to and never changed in
// place. A record counts only while the file that it tells of still has the
// identity it had when it was read; a record that doesn't agree with its own
// checksum is passed over. So whatever happens to the cache, the worst is that a
// file is read again.
//
// File format, numbers little-endian, 64 bytes a slot:
//
//	slot 0   offset  size  field
//	              0    16  magic          "vzip crc-32s v1\n"
//	             16     8  size of the file after it was last compacted
//	             24    36  zero
//	             60     4  CRC-32C of the 60 bytes before
//
//	slot n   offset  size  field
//	              0    16  key            first half of the SHA-256 of the path
//	             16     8  size           in bytes
//	             24     8  mtime          nanoseconds since 1970
//	             32     8  ctime          nanoseconds since 1970
//	             40     8  birth time     nanoseconds since 1970, or 0
//	             48     8  inode number
//	             56     4  CRC-32
//	             60     4  CRC-32C of the 60 bytes before
package crccache

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/source"
)

// FileName is the name of the file with the records, in the cache's folder.
const FileName = "crc32-v1"

const (
	lockName = "lock"
	magic    = "vzip crc-32s v1\n"
	slotLen  = 64
	bodyLen  = slotLen - 4
	// batch is how many records Add collects before it writes them.
	batch = 1024
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

// Record says that the file at a path had this CRC-32 when it had this identity.
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
	err     error // the first failure to write; nothing is written after it
}

// Open opens the cache in dir, which is made if it is missing. A folder that
// another user could write to is refused.
func Open(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	fi, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, fmt.Errorf("%s: is no folder", dir)
	}
	if err := private(fi); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return &Cache{dir: dir}, nil
}

// private fails if others than the user can change what fi is about.
func private(fi os.FileInfo) error {
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
// were damaged. A cache that isn't there yet has none.
func (c *Cache) Scan(each func(Record)) (damaged int, err error) {
	f, err := c.open(FileName, os.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return scan(f, func(_ []byte, r Record) { each(r) })
}

func scan(r io.Reader, each func([]byte, Record)) (damaged int, err error) {
	in := bufio.NewReaderSize(r, 1<<20)
	var slot [slotLen]byte
	for first := true; ; first = false {
		switch _, err := io.ReadFull(in, slot[:]); {
		case err == io.EOF:
			return damaged, nil
		case err == io.ErrUnexpectedEOF: // a torn write
			return damaged + 1, nil
		case err != nil:
			return damaged, err
		}
		if first {
			if _, ok := header(slot[:]); !ok {
				return 1, nil // not this version's file: none of it is trusted
			}
			continue
		}
		rec, ok := decode(slot[:])
		if !ok {
			damaged++
			continue
		}
		each(slot[:], rec)
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[len(b)-bodyLen:], castagnoli))
}

func sound(slot []byte) bool {
	return binary.LittleEndian.Uint32(slot[bodyLen:]) == crc32.Checksum(slot[:bodyLen], castagnoli)
}

func appendHeader(b []byte, compacted int64) []byte {
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(compacted))
	return seal(append(b, make([]byte, bodyLen-len(magic)-8)...))
}

func header(slot []byte) (compacted int64, ok bool) {
	return int64(binary.LittleEndian.Uint64(slot[16:])), sound(slot) && string(slot[:16]) == magic
}

func (r *Record) append(b []byte) []byte {
	b = append(b, r.Key[:]...)
	for _, v := range []int64{r.Size, r.Mtime, r.Ctime, r.Btime, int64(r.Ino)} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return seal(binary.LittleEndian.AppendUint32(b, r.CRC32))
}

func decode(slot []byte) (Record, bool) {
	num := func(at int) int64 { return int64(binary.LittleEndian.Uint64(slot[at:])) }
	return Record{
		Key:      Key(slot[:16]),
		Identity: source.Identity{Size: num(16), Mtime: num(24), Ctime: num(32), Btime: num(40), Ino: uint64(num(48))},
		Sum:      checksum.Sum{CRC32: binary.LittleEndian.Uint32(slot[56:])},
	}, sound(slot)
}

// Add remembers a record. Records are written in batches; the first failure to
// write comes back from this and every later call.
func (c *Cache) Add(r Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.pending = r.append(c.pending)
	if len(c.pending) >= batch*slotLen {
		c.err = c.flush()
	}
	return c.err
}

// Flush writes what Add has collected.
func (c *Cache) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && len(c.pending) > 0 {
		c.err = c.flush()
	}
	return c.err
}

func (c *Cache) flush() error {
	lock, err := c.open(lockName, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	defer lock.Close() // unlocks
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("%s: flock: %w", lock.Name(), err)
	}
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
	// What follows the last whole slot was torn by a crash or a full disk.
	size -= size % slotLen
	if size != fi.Size() {
		if err := f.Truncate(size); err != nil {
			return err
		}
	}
	if size == 0 {
		c.pending = append(appendHeader(nil, 0), c.pending...)
	}
	if _, err := f.Write(c.pending); err != nil {
		return err
	}
	size += int64(len(c.pending))
	c.pending = c.pending[:0]
	if size > compactMin && size > 2*compacted {
		return c.compact(f)
	}
	return nil
}

// compact writes the cache again with the newest record of each key alone. The
// lock is held; readers of the old file go on with it.
func (c *Cache) compact(old *os.File) error {
	type place struct {
		Key
		n uint32
	}
	var newest []place
	read := func(each func([]byte, Record)) error {
		if _, err := old.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := scan(old, each)
		return err
	}
	n := uint32(0)
	if err := read(func(_ []byte, r Record) { newest = append(newest, place{r.Key, n}); n++ }); err != nil {
		return err
	}
	slices.SortFunc(newest, func(a, b place) int {
		if k := slices.Compare(a.Key[:], b.Key[:]); k != 0 {
			return k
		}
		return int(int64(b.n) - int64(a.n))
	})
	newest = slices.CompactFunc(newest, func(a, b place) bool { return a.Key == b.Key })
	slices.SortFunc(newest, func(a, b place) int { return int(int64(a.n) - int64(b.n)) })

	// A crash may have left one behind; nobody else writes while the lock is held.
	if old, err := filepath.Glob(filepath.Join(c.dir, FileName+".*")); err == nil {
		for _, name := range old {
			os.Remove(name)
		}
	}
	tmp, err := os.CreateTemp(c.dir, FileName+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	out := bufio.NewWriterSize(tmp, 1<<20)
	out.Write(appendHeader(nil, int64(len(newest)+1)*slotLen))
	n = 0
	err = read(func(slot []byte, _ Record) {
		if len(newest) > 0 && newest[0].n == n {
			newest = newest[1:]
			out.Write(slot) // a bufio.Writer keeps its error for Flush
		}
		n++
	})
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(c.dir, FileName))
}

package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// operation is something that can be done to a file.
type operation struct {
	name string
	// harmless: the file's bytes stay as they are all the time.
	harmless bool
	do       func(m *Mutator, name string) error
}

// operations are all that can be done; each name is as likely as it is often here.
var operations = []operation{
	{"pwrite", false, (*Mutator).pwrite},
	{"pwrite", false, (*Mutator).pwrite},
	{"pwrite O_DIRECT", false, (*Mutator).pwriteDirect},
	{"mmap store", false, (*Mutator).store},
	{"store to a held mapping", false, (*Mutator).storeHeld},
	{"store to a held mapping", false, (*Mutator).storeHeld},
	{"truncate", false, (*Mutator).truncate},
	{"truncate and grow", false, (*Mutator).truncateAndGrow},
	{"append", false, (*Mutator).append},
	{"punch hole", false, (*Mutator).punch},
	{"zero range", false, (*Mutator).zero},
	{"reflink over", false, (*Mutator).reflink},
	{"rename over", false, (*Mutator).replace},
	{"delete and create", false, (*Mutator).recreate},
	{"write anew", false, (*Mutator).writeAnew},
	{"restore", false, (*Mutator).restoreOne},
	{"write equal bytes", true, (*Mutator).writeEqual},
	{"chmod", true, (*Mutator).chmod},
	{"hard link", true, (*Mutator).link},
	{"touch", true, (*Mutator).touch},
	{"setxattr", true, (*Mutator).setxattr},
}

// edit opens a file for writing.
func (m *Mutator) edit(name string, flags int, f func(f *os.File, size int64) error) error {
	file, err := os.OpenFile(m.path(name), os.O_RDWR|flags, 0)
	if err != nil {
		return err
	}
	fi, err := file.Stat()
	if err == nil {
		err = f(file, fi.Size())
	}
	return errors.Join(err, file.Close())
}

// stretch draws a part of a file, somewhere.
func (m *Mutator) stretch(size int64) (off, n int64) {
	if size == 0 {
		return 0, 0
	}
	off = m.rnd.Int64N(size)
	if m.rnd.IntN(3) == 0 {
		off = off / BlockLen * BlockLen
	}
	n = 1 + m.rnd.Int64N(300)
	if m.rnd.IntN(3) == 0 {
		n = 1 + m.rnd.Int64N(200_000)
	}
	return off, min(n, size-off)
}

func (m *Mutator) pwrite(name string) error {
	return m.edit(name, 0, func(f *os.File, size int64) error {
		off, n := m.stretch(size)
		_, err := f.WriteAt(Noise(m.rnd, n), off)
		return err
	})
}

func (m *Mutator) pwriteDirect(name string) error {
	return m.edit(name, unix.O_DIRECT, func(f *os.File, size int64) error {
		blocks := size / pageLen
		if blocks == 0 {
			return unix.EINVAL
		}
		at := m.rnd.Int64N(blocks)
		n := min(1+m.rnd.Int64N(16), blocks-at)
		buf, err := unix.Mmap(-1, 0, int(n*pageLen), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Munmap(buf) }()
		copy(buf, Noise(m.rnd, n*pageLen))
		_, err = f.WriteAt(buf, at*pageLen)
		return err
	})
}

// mapFile maps a file for writing; nil for an empty one.
func (m *Mutator) mapFile(name string) (p []byte, err error) {
	err = m.edit(name, 0, func(f *os.File, size int64) error {
		if size == 0 {
			return nil
		}
		p, err = unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		return err
	})
	return p, err
}

func (m *Mutator) scribble(p []byte) error {
	off, n := m.stretch(int64(len(p)))
	n = min(n, 2*pageLen)
	noise := Noise(m.rnd, n)
	touch(func() { copy(p[off:off+n], noise) })
	return nil
}

// touch stores to a mapping, whose file may have been cut below it.
func touch(f func()) { _ = Touching(f) }

func (m *Mutator) store(name string) error {
	p, err := m.mapFile(name)
	if err != nil || p == nil {
		return err
	}
	return errors.Join(m.scribble(p), unix.Munmap(p))
}

// maxHeld is how many mappings are held at a time.
const maxHeld = 4

// storeHeld stores twice through a mapping that stays: the second time the page is
// dirty already, and no time stamp moves.
func (m *Mutator) storeHeld(name string) error {
	for i := range m.held {
		h := &m.held[i]
		if h.file != name {
			continue
		}
		touch(func() { h.m[0] ^= 1 })
		return m.scribble(h.m)
	}
	p, err := m.mapFile(name)
	if err != nil || p == nil {
		return err
	}
	if len(m.held) == maxHeld {
		if err := unix.Munmap(m.held[0].m); err != nil {
			return err
		}
		m.held = m.held[1:]
	}
	m.held = append(m.held, mapping{name, p})
	touch(func() { p[0] ^= 1 })
	touch(func() { p[0] ^= 2 })
	return nil
}

func (m *Mutator) truncate(name string) error {
	return m.edit(name, 0, func(f *os.File, size int64) error {
		to := max(0, size-1-m.rnd.Int64N(3))
		switch m.rnd.IntN(3) {
		case 0:
			to = m.rnd.Int64N(size + 1)
		case 1:
			to = max(0, size/BlockLen*BlockLen+m.rnd.Int64N(3)-1)
		}
		return f.Truncate(to)
	})
}

func (m *Mutator) truncateAndGrow(name string) error {
	return m.edit(name, 0, func(f *os.File, size int64) error {
		return errors.Join(f.Truncate(m.rnd.Int64N(size+1)), f.Truncate(int64(len(m.base[name].data))))
	})
}

// mostGrowth keeps files that are appended to from filling the disk, in bytes.
const mostGrowth = 1 << 20

func (m *Mutator) append(name string) error {
	return m.edit(name, 0, func(f *os.File, size int64) error {
		if size > int64(len(m.base[name].data))+mostGrowth {
			return f.Truncate(int64(len(m.base[name].data)))
		}
		_, err := f.WriteAt(Noise(m.rnd, 1+m.rnd.Int64N(10_000)), size)
		return err
	})
}

func (m *Mutator) fallocate(name string, mode uint32) error {
	return m.edit(name, 0, func(f *os.File, size int64) error {
		if size == 0 {
			return nil
		}
		off, n := m.stretch(size)
		return unix.Fallocate(int(f.Fd()), mode, off, max(n, 1))
	})
}

func (m *Mutator) punch(name string) error {
	return m.fallocate(name, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE)
}

func (m *Mutator) zero(name string) error {
	return m.fallocate(name, unix.FALLOC_FL_ZERO_RANGE|unix.FALLOC_FL_KEEP_SIZE)
}

// aside writes a file beside the archived ones, of the size of another.
func (m *Mutator) aside(name string) (path string, err error) {
	data := Noise(m.rnd, int64(len(m.base[name].data)))
	path = filepath.Join(m.Side, "new")
	return path, os.WriteFile(path, data, 0o644)
}

func (m *Mutator) reflink(name string) error {
	donor, err := m.aside(name)
	if err != nil {
		return err
	}
	from, err := os.Open(donor)
	if err != nil {
		return err
	}
	defer from.Close()
	return m.edit(name, 0, func(f *os.File, _ int64) error {
		return unix.IoctlFileClone(int(f.Fd()), int(from.Fd()))
	})
}

func (m *Mutator) replace(name string) error {
	path, err := m.aside(name)
	if err != nil {
		return err
	}
	return os.Rename(path, m.path(name))
}

func (m *Mutator) recreate(name string) error {
	return errors.Join(os.Remove(m.path(name)), os.WriteFile(m.path(name), Noise(m.rnd, int64(len(m.base[name].data))), 0o644))
}

func (m *Mutator) writeAnew(name string) error {
	return os.WriteFile(m.path(name), Noise(m.rnd, int64(len(m.base[name].data))), 0o644)
}

func (m *Mutator) restoreOne(name string) error {
	b := m.base[name]
	return errors.Join(os.WriteFile(m.path(name), b.data, 0o644), os.Chmod(m.path(name), b.mode), os.Chtimes(m.path(name), b.mtime, b.mtime))
}

// writeEqual writes what the file has already.
func (m *Mutator) writeEqual(name string) error {
	return m.edit(name, 0, func(f *os.File, size int64) error {
		off, n := m.stretch(size)
		p := make([]byte, n)
		if _, err := f.ReadAt(p, off); err != nil {
			return err
		}
		_, err := f.WriteAt(p, off)
		return err
	})
}

func (m *Mutator) chmod(name string) error {
	return os.Chmod(m.path(name), []os.FileMode{0o644, 0o600, 0o755, 0o640}[m.rnd.IntN(4)])
}

// link makes a hard link, as "cp -al" does, and drops the one of the last time.
func (m *Mutator) link(name string) error {
	path := filepath.Join(m.Side, "link of "+strings.ReplaceAll(name, "/", "_"))
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Link(m.path(name), path)
}

func (m *Mutator) touch(name string) error {
	t := fromDay.Add(-time.Duration(m.rnd.IntN(1000)) * time.Second)
	return os.Chtimes(m.path(name), t, t)
}

func (m *Mutator) setxattr(name string) error {
	return unix.Setxattr(m.path(name), "user.vzip", fmt.Append(nil, m.next), 0)
}

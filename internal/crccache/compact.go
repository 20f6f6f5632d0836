package crccache

import (
	"bufio"
	"cmp"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// place is where a record stands in the cache file.
type place struct {
	Key
	first, slots uint32
}

// compact writes the cache again with the newest record of each key alone. The
// lock is held; readers of the old file go on with it. In memory it has a place a
// record, however long records are.
func (c *Cache) compact(old *os.File) error {
	newest, err := findNewest(old)
	if err != nil {
		return err
	}
	size := int64(slotLen)
	for _, p := range newest {
		size += int64(p.slots) * slotLen
	}
	c.removeTemporary()
	tmp, err := os.CreateTemp(c.dir, FileName+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := copyRecords(tmp, old, size, newest); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(c.dir, FileName))
}

// findNewest returns the last record of each key, in the file's order.
func findNewest(f *os.File) ([]place, error) {
	var all []place
	s := scanner{each: func(slot int64, r Record) {
		all = append(all, place{r.Key, uint32(slot), uint32(1 + tails(r.Size))})
	}}
	if err := s.scan(io.NewSectionReader(f, 0, 1<<62)); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b place) int {
		return cmp.Or(slices.Compare(a.Key[:], b.Key[:]), cmp.Compare(b.first, a.first))
	})
	newest := slices.CompactFunc(all, func(a, b place) bool { return a.Key == b.Key })
	slices.SortFunc(newest, func(a, b place) int { return cmp.Compare(a.first, b.first) })
	return newest, nil
}

// copyRecords writes a cache file of size bytes with records of another.
func copyRecords(to io.Writer, from io.ReaderAt, size int64, records []place) error {
	in := bufio.NewReaderSize(io.NewSectionReader(from, 0, 1<<62), bufferLen)
	out := bufio.NewWriterSize(to, bufferLen)
	out.Write(appendHeader(nil, size)) // a bufio.Writer keeps its error for Flush
	var slot [slotLen]byte
	at := uint32(0)
	for _, p := range records {
		for ; at < p.first+p.slots; at++ {
			if _, err := io.ReadFull(in, slot[:]); err != nil {
				return err
			}
			if at >= p.first {
				out.Write(slot[:])
			}
		}
	}
	return out.Flush()
}

// removeTemporary removes what a crash left; nobody else writes while the lock is
// held.
func (c *Cache) removeTemporary() {
	entries, _ := os.ReadDir(c.dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), FileName+".") {
			os.Remove(filepath.Join(c.dir, e.Name()))
		}
	}
}

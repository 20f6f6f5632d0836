package generation

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"vzip/internal/crccache"
	"vzip/internal/seeded"
	"vzip/internal/source"
)

// published is what a mount showed of an archive.
type published struct {
	inode uint64
	time  int64 // seconds since 1970
}

// timeStep is how far an archive's modification time moves, at least, when its
// bytes change, in seconds. rsync, "aws s3 sync" and others take a file of the same
// size and time for the same; FAT keeps every second one.
const timeStep = 2

// Date gives every archive its inode number and its modification time: that of its
// newest entry, but later than what was published before if that had other bytes.
// What was published is known from the generation before, or remembered. CRCs must
// be known.
func (g *Generation) Date(before *Generation) error {
	prior := map[string]published{}
	if before != nil {
		for _, a := range before.Archives {
			prior[a.Name] = published{a.Inode, a.Time}
		}
	}
	for _, a := range g.Archives {
		var err error
		if a.Inode, err = a.inode(); err != nil {
			return err
		}
		// Another process may have published something since.
		was, remembered := prior[a.Name], a.prior
		a.Time = a.ModTime
		switch {
		case seeded.On("same-mtime"):
		case was.inode == a.Inode:
			a.Time = was.time
		case remembered.inode == a.Inode && was == (published{}):
			a.Time = remembered.time
		default:
			for _, p := range []published{was, remembered} {
				if p != (published{}) {
					a.Time = max(a.Time, p.time+timeStep)
				}
			}
		}
		is := published{a.Inode, a.Time}
		if g.cache != nil && is != a.prior {
			// A cache that fails has been told of.
			_ = g.cache.Add(is.record(a.publishedKey()))
		}
	}
	if g.cache != nil {
		_ = g.cache.Flush()
	}
	return nil
}

// publishedKey is what an archive's record is remembered under. Files' paths start
// with a slash.
func (a *Archive) publishedKey() crccache.Key {
	return crccache.KeyOf("archive " + a.LayoutFile() + "\x00" + a.Name)
}

func (p published) record(k crccache.Key) crccache.Record {
	return crccache.Record{Key: k, Identity: source.Identity{Mtime: p.time, Ino: p.inode}}
}

func publishedOf(r crccache.Record) published { return published{r.Ino, r.Mtime} }

// inode returns an inode number for the archive's content at its name: equal on
// every machine and at every run, another when a byte of it changes.
func (a *Archive) inode() (uint64, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00", a.Name)
	if seeded.On("same-inode") {
		return max(binary.LittleEndian.Uint64(h.Sum(nil))>>1, 2), nil
	}
	dir, _ := a.Directory()
	// Names, sizes and CRCs all stand in the directory.
	if _, err := io.Copy(h, io.NewSectionReader(a, dir, a.Size()-dir)); err != nil {
		return 0, err
	}
	ino := binary.LittleEndian.Uint64(h.Sum(nil)) >> 1 // go-fuse gives itself numbers with the top bit set
	return max(ino, 2), nil                            // 1 is the mount's root
}

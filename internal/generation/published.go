package generation

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"time"

	"vzip/internal/crccache"
	"vzip/internal/seeded"
	"vzip/internal/source"
)

// published is what a mount showed of an archive.
type published struct {
	inode uint64
	time  int64 // seconds since 1970
	// content stands for the archive's bytes, state for what its sources were: equal
	// states have equal bytes. Each is 0 where it was not known.
	content, state uint64
}

// same tells whether both are known to have had the same bytes.
func (p published) same(q published) bool {
	return p.content != 0 && p.content == q.content || p.state != 0 && p.state == q.state
}

// timeStep is how far an archive's modification time moves, at least, when its
// bytes change, in seconds. rsync, "aws s3 sync" and others take a file of the same
// size and time for the same; FAT keeps every second one.
const timeStep = 2

// Date gives every archive its inode number and its modification time: that of its
// newest entry, but later than what was published before if that had other bytes.
// What was published is known from the generation before, or remembered. Where CRCs
// are not known yet, sources that are what they were stand for bytes that are.
func (g *Generation) Date(before *Generation) error {
	prior, last := map[string]published{}, map[string]*Archive{}
	if before != nil {
		for _, a := range before.Archives {
			if err := a.settle(); err != nil {
				return err
			}
			prior[a.Name], last[a.Name] = a.shown, a
		}
	}
	for _, a := range g.Archives {
		// Another process may have published something since.
		was, remembered := prior[a.Name], a.prior
		if err := a.identify(was, remembered); err != nil {
			return err
		}
		if b := last[a.Name]; b != nil && was.same(a.shown) {
			a.shareDigest(b)
		}
		a.Time = a.ModTime
		switch {
		case seeded.On("same-mtime"):
		case was.same(a.shown):
			a.Time, a.Inode = was.time, was.inode
		case remembered.same(a.shown) && was == (published{}):
			a.Time = remembered.time
		default:
			for _, p := range []published{was, remembered} {
				if p != (published{}) {
					a.Time = max(a.Time, p.time+timeStep)
				}
			}
		}
		a.shown.inode, a.shown.time = a.Inode, a.Time
		if g.cache != nil && a.shown != a.prior {
			// A cache that fails has been told of.
			_ = g.cache.Add(a.shown.record(a.publishedKey()))
		}
	}
	if g.cache != nil {
		_ = g.cache.Flush()
	}
	return nil
}

// identify works out what stands for the archive's bytes, and what is needed to
// compare it with what was shown before.
func (a *Archive) identify(before ...published) (err error) {
	byState := a.g.early
	for _, p := range before {
		byState = byState || p.content == 0 && p.state != 0
	}
	if byState {
		if a.shown.state, err = a.state(); err != nil {
			return err
		}
		a.Inode = a.shown.state
	}
	if !a.g.early {
		if a.shown.content, err = a.content(); err != nil {
			return err
		}
		a.Inode = a.shown.content
	}
	return nil
}

// settle works out what stands for the bytes of an archive that was published before
// its CRCs were known, if they are now.
func (a *Archive) settle() (err error) {
	if a.shown.content == 0 && a.allKnown() {
		a.shown.content, err = a.content()
	}
	return err
}

// publishedKey is what an archive's record is remembered under. Files' paths start
// with a slash.
func (a *Archive) publishedKey() crccache.Key {
	return crccache.KeyOf("archive " + a.LayoutFile() + "\x00" + a.Name)
}

func (p published) record(k crccache.Key) crccache.Record {
	return crccache.Record{Key: k, Identity: source.Identity{Mtime: p.time, Ino: p.inode, Ctime: int64(p.content), Btime: int64(p.state)}}
}

func publishedOf(r crccache.Record) published {
	p := published{inode: r.Ino, time: r.Mtime, content: uint64(r.Ctime), state: uint64(r.Btime)}
	if p.content == 0 && p.state == 0 {
		p.content = p.inode // of a version that knew no other
	}
	return p
}

// content returns a number for the archive's content at its name: equal on every
// machine and at every run, another when a byte of it changes. All CRCs must be known.
func (a *Archive) content() (uint64, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00", a.Name)
	if seeded.On("same-inode") {
		return inodeOf(h), nil
	}
	sum, err := a.contentSum()
	h.Write(sum[:])
	return inodeOf(h), err
}

// state returns a number for the archive at its name whose sources are what they were
// when they were scanned. Nothing is read of a file before its times have rested, so
// that what is read later under the same state are the same bytes.
func (a *Archive) state() (uint64, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00state\x00", a.Name)
	if err := a.copyDirectory(h, a.Plan.NewReader(links{a})); err != nil {
		return 0, err
	}
	if !seeded.On("tag-by-crc") {
		a.hashLinks(h)
		a.hashPacks(h)
	}
	now := time.Now().UnixNano()
	var b []byte
	for i := range a.Len() {
		if !a.IsFile(i) {
			continue
		}
		ref, _ := a.Origin(i)
		id := a.OriginIdentity(i)
		if seeded.On("same-state") {
			id = source.Identity{Size: id.Size}
		}
		b = append(append(append(b[:0], ref.Root...), 0), ref.Rel...)
		b = append(b, 0)
		for _, v := range []int64{id.Size, id.Mtime, id.Ctime, id.Btime, int64(id.Ino)} {
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		}
		if id.Ctime >= now { // its times mean nothing
			b = binary.LittleEndian.AppendUint64(b, uint64(now))
		}
		h.Write(b)
	}
	return inodeOf(h), nil
}

func (a *Archive) copyDirectory(h hash.Hash, from io.ReaderAt) error {
	dir, _ := a.Directory()
	_, err := io.Copy(h, io.NewSectionReader(from, dir, a.Size()-dir))
	return err
}

// links is the content of symbolic links alone.
type links struct{ *Archive }

func (l links) CRC32(i int) (uint32, error) {
	if l.IsFile(i) {
		return 0, nil
	}
	return l.crcs[i], nil
}

func (links) ReadEntryAt(int, []byte, int64) error { return errUnknownCRC }

// inodeOf returns an inode number: go-fuse gives itself those with the top bit set, and
// 1 is the mount's root.
func inodeOf(h hash.Hash) uint64 { return max(binary.LittleEndian.Uint64(h.Sum(nil))>>1, 2) }

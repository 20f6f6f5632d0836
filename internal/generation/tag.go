package generation

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"sync"

	"vzip/internal/seeded"
)

// tagLen is how many bytes of a SHA-256 a tag has.
const tagLen = 16

// contentSum keeps what [Archive.contentSum] returns once it is known.
type contentSum struct {
	mu    sync.Mutex
	known bool
	sum   [sha256.Size]byte
}

// contentSum returns what stands for the archive's bytes, whatever it is called: its
// inode number, its tag and what its SHA-256 is remembered under are all made of this.
// It fails while not all CRCs are known.
func (a *Archive) contentSum() ([sha256.Size]byte, error) {
	c := &a.summed
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known {
		return c.sum, nil
	}
	if !a.allKnown() {
		return c.sum, errUnknownCRC
	}
	h := sha256.New()
	// Names, sizes, times and CRCs all stand in the directory, which needs no source.
	if err := a.copyDirectory(h, a.Plan.NewReader(headers{a})); err != nil {
		return c.sum, err
	}
	if !seeded.On("tag-by-crc") {
		a.hashBeyondCRC(h)
	}
	c.sum, c.known = [sha256.Size]byte(h.Sum(nil)), true
	return c.sum, nil
}

// Tag returns what stands for the archive's bytes, under any name: equal on every
// machine and at every run, another when a byte changes. It is 32 hex digits. ok is
// false while not all CRCs are known.
func (a *Archive) Tag() (tag string, ok bool) {
	sum, err := a.contentSum()
	if err != nil {
		return "", false
	}
	return hex.EncodeToString(sum[:tagLen]), true
}

// EntryTag returns what stands for the bytes of entry i's data, as Tag does for the
// archive's. ok is false for what is no file, and while its CRC-32 is not known.
func (a *Archive) EntryTag(i int) (tag string, ok bool) {
	crc, ok := a.KnownCRC(i)
	if !ok || !a.IsFile(i) {
		return "", false
	}
	h := sha256.New()
	b := binary.LittleEndian.AppendUint64([]byte("entry\x00"), uint64(a.EntrySize(i)))
	h.Write(binary.LittleEndian.AppendUint32(b, crc))
	if at, ok := a.findLarge(i); ok {
		hashBlocks(h, new([512]byte), a.large[at].blocks)
	}
	return hex.EncodeToString(h.Sum(nil)[:tagLen]), true
}

// hashBeyondCRC adds what tells contents of one CRC-32 apart: the CRCs of blocks, and
// the targets of links. How many there are of each follows from the directory.
func (a *Archive) hashBeyondCRC(h hash.Hash) {
	buf := new([512]byte)
	for _, l := range a.large {
		hashBlocks(h, buf, l.blocks)
	}
	a.hashLinks(h)
	a.hashPacks(h)
}

func (a *Archive) hashLinks(h hash.Hash) {
	var b []byte
	for i := range a.Len() {
		if !a.IsFile(i) {
			b = append(b[:0], a.Link(i)...)
			h.Write(b)
		}
	}
}

// hashBlocks adds the CRCs of blocks by way of buf: there may be millions.
func hashBlocks(h hash.Hash, buf *[512]byte, blocks []uint32) {
	for part := range slices.Chunk(blocks, len(buf)/4) {
		b := buf[:0]
		for _, crc := range part {
			b = binary.LittleEndian.AppendUint32(b, crc)
		}
		h.Write(b)
	}
}

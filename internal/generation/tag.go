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

// tagged keeps an archive's tag once it is known.
type tagged struct {
	mu  sync.Mutex
	tag string
}

// Tag returns what stands for the archive's bytes, under any name: equal on every
// machine and at every run, another when a byte changes. It is 32 hex digits. ok is
// false while not all CRCs are known.
func (a *Archive) Tag() (tag string, ok bool) {
	a.tagged.mu.Lock()
	defer a.tagged.mu.Unlock()
	if a.tagged.tag != "" {
		return a.tagged.tag, true
	}
	if a.known.clear(0, a.Len()) < a.Len() {
		return "", false
	}
	h := sha256.New()
	if a.hashContent(h) != nil {
		return "", false
	}
	a.tagged.tag = hex.EncodeToString(h.Sum(nil)[:tagLen])
	return a.tagged.tag, true
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

// hashContent adds what stands for the archive's bytes, whatever it is called: its inode
// number, its tag and what its SHA-256 is remembered under are all made of this. All CRCs
// must be known.
func (a *Archive) hashContent(h hash.Hash) error {
	// Names, sizes, times and CRCs all stand in the directory, which needs no source.
	if err := a.copyDirectory(h, a.Plan.NewReader(headers{a})); err != nil {
		return err
	}
	if !seeded.On("tag-by-crc") {
		a.hashBeyondCRC(h)
	}
	return nil
}

// hashBeyondCRC adds what tells contents of one CRC-32 apart: the CRCs of blocks, and
// the targets of links. How many there are of each follows from the directory.
func (a *Archive) hashBeyondCRC(h hash.Hash) {
	buf := new([512]byte)
	for _, l := range a.large {
		hashBlocks(h, buf, l.blocks)
	}
	a.hashLinks(h)
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

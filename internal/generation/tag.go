package generation

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
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
	// Names, sizes, times and CRCs all stand in the directory, which needs no source.
	if a.copyDirectory(h, a) != nil {
		return "", false
	}
	if !seeded.On("tag-by-crc") {
		a.hashBeyondCRC(h)
	}
	a.tagged.tag = hex.EncodeToString(h.Sum(nil)[:tagLen])
	return a.tagged.tag, true
}

// hashBeyondCRC adds what tells contents of one CRC-32 apart: the CRCs of blocks, and
// the targets of links. How many there are of each follows from the directory.
func (a *Archive) hashBeyondCRC(h hash.Hash) {
	var b []byte
	for _, l := range a.large {
		b = b[:0]
		for _, crc := range l.blocks {
			b = binary.LittleEndian.AppendUint32(b, crc)
		}
		h.Write(b)
	}
	for i := range a.Len() {
		if !a.IsFile(i) {
			_, _ = io.WriteString(h, a.Link(i))
		}
	}
}

// Hold begins a use of the generation that Close ends, unless the last one has ended.
func (g *Generation) Hold() bool {
	for {
		n := g.users.Load()
		if n <= 0 {
			return false
		}
		if g.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

package generation

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/klauspost/crc32"

	"vzip/internal/crccache"
	"vzip/internal/seeded"
	"vzip/internal/source"
)

// recallSums takes digests from the cache, of all archives whose CRCs are known, and that
// it was not asked for before.
func (g *Generation) recallSums() {
	if g.cache == nil {
		return
	}
	g.sums.recalling.Lock()
	defer g.sums.recalling.Unlock()
	want := map[crccache.Key][]*Archive{}
	for _, a := range g.Archives {
		if a.digest == nil || a.asked || !a.allKnown() {
			continue
		}
		key, err := a.newSumKey()
		if err != nil { // of a defect: it is worked out, then
			continue
		}
		a.asked = true
		if _, known := a.digest.get(); !known {
			want[key] = append(want[key], a)
		}
	}
	if len(want) == 0 {
		return
	}
	// A cache that can't be read has been told of.
	_, _ = g.cache.Scan(func(r crccache.Record) {
		for _, a := range want[r.Key] {
			if sum, ok := sumOf(r); ok {
				a.digest.set(sum)
			}
		}
	})
}

// newSumKey returns what an archive's digest is remembered under: it stands for all that
// is known of the archive's bytes, whatever the archive is called. All CRCs must be known.
func (a *Archive) newSumKey() (crccache.Key, error) {
	sum, err := a.contentSum()
	if seeded.On("same-sum") {
		sum = [sha256.Size]byte{}
	}
	return crccache.KeyOf("sha256 " + hex.EncodeToString(sum[:])), err
}

// rememberSum adds a digest to the cache.
func (a *Archive) rememberSum(sum [sha256.Size]byte) {
	if a.g.cache == nil {
		return
	}
	key, err := a.newSumKey()
	if err != nil {
		return
	}
	// A cache that fails has been told of, or is when it is used next.
	_ = a.g.cache.Add(sumRecord(key, sum))
	_ = a.g.cache.Flush()
}

// sumRecord is a digest as the cache has it: in the four numbers of an identity, with the
// CRC-32 of the 32 bytes.
func sumRecord(k crccache.Key, sum [sha256.Size]byte) crccache.Record {
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint64(sum[8*i:])) }
	r := crccache.Record{Key: k, Identity: source.Identity{Mtime: word(0), Ctime: word(1), Btime: word(2), Ino: uint64(word(3))}}
	r.CRC32 = crc32.ChecksumIEEE(sum[:])
	return r
}

func sumOf(r crccache.Record) (sum [sha256.Size]byte, ok bool) {
	for i, word := range []uint64{uint64(r.Mtime), uint64(r.Ctime), uint64(r.Btime), r.Ino} {
		binary.LittleEndian.PutUint64(sum[8*i:], word)
	}
	return sum, r.Size == 0 && r.CRC32 == crc32.ChecksumIEEE(sum[:])
}

// Package deflate makes deflate streams (RFC 1951) of blocks that are compressed each on
// its own: each begins at a byte, with nothing known of what came before, so that any of
// them can be made again alone. Blocks in a row are one ordinary stream.
//
// In scope: bytes of blocks, which never change within a [Version]. Out of scope: which
// files are deflated, and what is remembered of blocks.
package deflate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/klauspost/compress/flate"
)

// BlockLen is the size of a block of data, in bytes; the last of a file may be shorter.
const BlockLen = 1 << 20

// Version stands for all that the bytes of blocks follow from: the library, the levels below,
// and what is done here, and for what auto decides: [Sample] and [Shrinks]. It is part of
// what sizes of blocks are remembered under, and of what stands for an archive's bytes.
// TestGolden tells when it has to be another.
const Version = 1

// Levels.
const (
	MinLevel     = 1
	DefaultLevel = 6
	MaxLevel     = 9
)

// libraryLevel is the library's level for each of ours: the fastest one that makes about
// what "zip -LEVEL" makes: within 3 % for text, up to 4 % more for programs, and 7 % for
// those at the first two.
var libraryLevel = [MaxLevel + 1]int{1: 1, 2: 2, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 8, 9: 9}

// storedLen is how many bytes a stored block of a stream can have (3.2.4).
const storedLen = 1<<16 - 1

// MaxLen returns the most bytes that a block of n bytes is made to.
func MaxLen(n int) int { return n + 5*((n+storedLen-1)/storedLen) }

// Blocks returns how many blocks size bytes are cut into.
func Blocks(size int64) int { return int((size + BlockLen - 1) / BlockLen) }

// Compressor makes blocks, one at a time.
type Compressor struct {
	writer *flate.Writer
	out    bounded
}

// New returns a compressor for a level from MinLevel to MaxLevel.
func New(level int) *Compressor {
	c := new(Compressor)
	w, err := flate.NewWriter(&c.out, libraryLevel[level])
	if err != nil {
		panic(err) // levels are constants
	}
	c.writer = w
	return c
}

// Block appends the block that src makes to dst. The last one ends the stream. It takes
// no room beyond MaxLen(len(src)).
func (c *Compressor) Block(dst, src []byte, last bool) []byte {
	seen(src)
	most := MaxLen(len(src))
	c.out = bounded{data: dst, most: len(dst) + most}
	c.writer.Reset(&c.out)
	_, err := c.writer.Write(src)
	if err == nil && last {
		err = c.writer.Close()
	} else if err == nil {
		err = c.writer.Flush() // ends on a byte, with an empty stored block
	}
	out := c.out.data
	c.out = bounded{}
	if err != nil || len(out)-len(dst) >= most {
		return appendStored(dst, src, last)
	}
	return out
}

// bounded takes bytes up to a limit.
type bounded struct {
	data []byte
	most int
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > b.most {
		return 0, errGrows
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

var errGrows = errors.New("deflate: the data grows")

// appendStored appends src as stored blocks (3.2.4), which end on a byte by themselves.
//
//	bits  field
//	   1  BFINAL  1 in the last one of the stream
//	   2  BTYPE   00; five bits of padding follow
//	  16  LEN
//	  16  NLEN    one's complement of LEN
func appendStored(dst, src []byte, last bool) []byte {
	for len(src) > 0 {
		p := src[:min(len(src), storedLen)]
		src = src[len(p):]
		final := byte(0)
		if last && len(src) == 0 {
			final = 1
		}
		dst = append(dst, final)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(p)))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(len(p)))
		dst = append(dst, p...)
	}
	return dst
}

// idle are compressors that nobody uses, by level.
var idle [MaxLevel + 1]sync.Pool

// zeros are what whole blocks of zeros make, of which holes of files have many: by level,
// and those that end the stream.
var zeros [MaxLevel + 1][2]struct {
	once sync.Once
	made []byte
}

// Block is [Compressor.Block] for a level.
func Block(level int, dst, src []byte, last bool) []byte {
	if len(src) < BlockLen || src[0] != 0 || !bytes.Equal(src[1:], src[:len(src)-1]) {
		return block(level, dst, src, last)
	}
	z := &zeros[level][0]
	if last {
		z = &zeros[level][1]
	}
	z.once.Do(func() { z.made = block(level, nil, src, last) })
	if z.made == nil { // it panicked, for who came first
		return block(level, dst, src, last)
	}
	return append(dst, z.made...)
}

func block(level int, dst, src []byte, last bool) []byte {
	c, ok := idle[level].Get().(*Compressor)
	if !ok {
		c = New(level)
	}
	defer idle[level].Put(c)
	return c.Block(dst, src, last)
}

// Again is [Block] for a block that was made to n bytes before, which tells those that are
// stored: nothing has to be tried for them.
func Again(level, n int, dst, src []byte, last bool) []byte {
	if n == MaxLen(len(src)) {
		return appendStored(dst, src, last)
	}
	return Block(level, dst, src, last)
}

package checksum

import "errors"

// BlockLen is the unit in bytes in which files are summed, and checked when they
// are served.
const BlockLen = 128 << 10

// MaxSize is the size in bytes of the largest file that Run sums: 16 TiB, as on
// ext4. The CRCs of its blocks take 512 MiB of memory; larger sparse files, which
// cost nothing to make, could take any amount.
const MaxSize = 16 << 40

// ErrTooLarge is Run's error for files over MaxSize.
var ErrTooLarge = errors.New("larger than 16 TiB: vzip can't check so many blocks")

// Sum is the CRC-32 of a file and of its blocks.
type Sum struct {
	CRC32 uint32 // of the whole file
	// Blocks has the CRC-32 of each block, the last of which may be shorter. It is
	// nil for files of at most one block, whose only block has CRC32.
	Blocks []uint32
	// Packed is what each block of deflate.BlockLen was deflated to; nil where the file is
	// to be stored as it is.
	Packed []Packed
}

// Packed is what is known of a block that was deflated.
type Packed struct {
	Len   uint32 // bytes
	CRC32 uint32 // of them
}

// PackedLen returns how many bytes all blocks of a deflated file take.
func PackedLen(blocks []Packed) (n int64) {
	for _, b := range blocks {
		n += int64(b.Len)
	}
	return n
}

// Blocks returns how many blocks a file of size bytes has: 0 for an empty one.
func Blocks(size int64) int {
	n := size / BlockLen
	if size%BlockLen > 0 {
		n++
	}
	return int(n)
}

// Block returns the CRC-32 of block i.
func (s Sum) Block(i int) uint32 {
	if s.Blocks == nil {
		return s.CRC32
	}
	return s.Blocks[i]
}

// Join returns the CRC-32 of a file of size bytes from those of all its blocks.
func Join(blocks []uint32, size int64) uint32 {
	crc := uint32(0)
	for i, b := range blocks {
		crc = JoinBlock(crc, b, blockLen(i, size))
	}
	return crc
}

// JoinBlock returns the CRC-32 of A followed by a block from the CRC-32 of A, that
// of the block, and the block's length in bytes.
func JoinBlock(a, block uint32, len int64) uint32 {
	if len != BlockLen {
		return Combine(a, block, len)
	}
	return afterBlock[0][byte(a)] ^ afterBlock[1][byte(a>>8)] ^
		afterBlock[2][byte(a>>16)] ^ afterBlock[3][byte(a>>24)] ^ block
}

// afterBlock multiplies by shift(BlockLen): the product is the sum of those of
// the four bytes.
var afterBlock = func() (t [4][256]uint32) {
	m := shift(BlockLen)
	for i := range t {
		for b := range t[i] {
			t[i][b] = multiply(m, uint32(b)<<(8*i))
		}
	}
	return t
}()

// blockLen is the length in bytes of block i of a file.
func blockLen(i int, size int64) int64 { return min(BlockLen, size-int64(i)*BlockLen) }

// zeroBlock is the CRC-32 of a block of zeros.
var zeroBlock = AppendZeros(0, BlockLen)

// ZeroBlock returns the CRC-32 that block i of a file of size bytes has if it is all
// zeros.
func ZeroBlock(i int, size int64) uint32 {
	if n := blockLen(i, size); n < BlockLen {
		return AppendZeros(0, n)
	}
	return zeroBlock
}

// hole enters the CRCs of blocks from start to end, in bytes, that are all zeros.
// Start is a block's, end is as well or is the file's.
func hole(blocks []uint32, start, end int64) {
	for i := start / BlockLen; i*BlockLen < end; i++ {
		blocks[i] = ZeroBlock(int(i), end)
	}
}

package checksum

import (
	"context"

	"github.com/klauspost/crc32"

	"vzip/internal/deflate"
	"vzip/internal/source"
)

// packing is how a file is deflated, and to what.
type packing struct {
	level  int
	auto   bool
	blocks []Packed // those of a part are its worker's to enter
}

// packing returns how file i is deflated; nil if it is not.
func (r *run) packing(ctx context.Context, i int, f *source.File, p *packer) (*packing, error) {
	if r.Level == nil || f.Size() == 0 {
		return nil, nil
	}
	level, auto := r.Level(i)
	if level == 0 {
		return nil, nil
	}
	if list := deflate.Sample(f.Size()); auto && len(list) < deflate.Blocks(f.Size()) {
		size, packed := int64(0), int64(0)
		for _, n := range list {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			src, err := p.read(f, n)
			if err != nil {
				return nil, err
			}
			size += int64(len(src))
			packed += int64(len(deflate.Block(level, p.dst, src, false)))
		}
		if !deflate.Shrinks(size, packed) {
			return nil, nil
		}
	}
	return &packing{level, auto, make([]Packed, deflate.Blocks(f.Size()))}, nil
}

// result returns what a file of size bytes was deflated to, if it stays so.
func (p *packing) result(size int64) []Packed {
	if p == nil || p.auto && !deflate.Shrinks(size, PackedLen(p.blocks)) {
		return nil
	}
	return p.blocks
}

// partLen is the size of the parts that a large file is cut into, in bytes. A block keeps a
// core busy for long, and the last of them should not leave the others idle.
func (p *packing) partLen() int64 {
	if p == nil {
		return partLen
	}
	return deflate.BlockLen
}

// packer is what a worker needs to sum blocks, and to deflate them: that memory it gets when
// it is used.
type packer struct{ buf, src, dst []byte }

// sum enters the CRC-32s of a file's blocks from start to end, in bytes, and what they are
// deflated to if to is set.
func (p *packer) sum(ctx context.Context, f *source.File, to *packing, start, end int64, blocks []uint32, progress func(int64)) (err error) {
	if to == nil {
		_, err = sumRange(ctx, f, start, end, blocks, p.buf, progress, nil)
		return err
	}
	return p.packRange(ctx, f, to, start, end, blocks, progress)
}

// read returns block n of a file, valid until the next one is read.
func (p *packer) read(f *source.File, n int) ([]byte, error) {
	if p.src == nil {
		p.src, p.dst = make([]byte, deflate.BlockLen), make([]byte, 0, deflate.MaxLen(deflate.BlockLen))
	}
	at := int64(n) * deflate.BlockLen
	src := p.src[:min(deflate.BlockLen, f.Size()-at)]
	return src, f.ReadFull(src, at)
}

// packRange is sumRange for a file that is deflated: the CRC-32s of its blocks, and what
// they are deflated to, come from one read.
func (p *packer) packRange(ctx context.Context, f *source.File, to *packing, start, end int64, blocks []uint32, progress func(int64)) error {
	for at := start; at < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := int(at / deflate.BlockLen)
		src, err := p.read(f, n)
		if err != nil {
			return err
		}
		for i := 0; i < len(src); i += BlockLen {
			blocks[(at+int64(i))/BlockLen] = crc32.ChecksumIEEE(src[i:min(i+BlockLen, len(src))])
		}
		at += int64(len(src))
		out := deflate.Block(to.level, p.dst, src, at == f.Size())
		to.blocks[n] = Packed{uint32(len(out)), crc32.ChecksumIEEE(out)}
		progress(int64(len(src)))
	}
	return nil
}

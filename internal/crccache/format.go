package crccache

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"

	"vzip/internal/checksum"
	"vzip/internal/seeded"
	"vzip/internal/source"
)

const (
	magic   = "vzip crc-32s v2\n"
	slotLen = 64
	bodyLen = slotLen - 4
	// perSlot is how many blocks a slot has the CRC-32 of.
	perSlot = bodyLen / 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal appends the check value of b's last 60 bytes.
func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[len(b)-bodyLen:], castagnoli))
}

// stored is the check value that a slot ends with.
func stored(slot []byte) uint32 { return binary.LittleEndian.Uint32(slot[bodyLen:]) }

func sound(slot []byte) bool {
	return stored(slot) == crc32.Checksum(slot[:bodyLen], castagnoli) || seeded.On("torn-cache")
}

// tailCheck is the check value of the tail slot with the given number, counted
// from 1, of the head with the given check value.
func tailCheck(head, number uint32, body []byte) uint32 {
	crc := ^uint32(0)
	for v, n := uint64(number)<<32|uint64(head), 0; n < 8; v, n = v>>8, n+1 { // no memory, unlike crc32.Update
		crc = castagnoli[byte(crc)^byte(v)] ^ crc>>8
	}
	return crc32.Update(^crc, castagnoli, body)
}

func appendHeader(b []byte, compacted int64) []byte {
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(compacted))
	return seal(append(b, make([]byte, bodyLen-len(magic)-8)...))
}

func header(slot []byte) (compacted int64, ok bool) {
	return int64(binary.LittleEndian.Uint64(slot[16:])), sound(slot) && string(slot[:16]) == magic
}

// tails is how many slots follow the head of a file of size bytes.
func tails(size int64) int {
	if size <= checksum.BlockLen {
		return 0
	}
	return (checksum.Blocks(size) + perSlot - 1) / perSlot
}

// encode calls each with the record's slots in order. A slot is valid during the
// call only.
func (r *Record) encode(each func(slot []byte)) {
	b := append(make([]byte, 0, slotLen), r.Key[:]...)
	for _, v := range []int64{r.Size, r.Mtime, r.Ctime, r.Btime, int64(r.Ino)} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	b = seal(binary.LittleEndian.AppendUint32(b, r.CRC32))
	head := stored(b)
	each(b)
	for n := range tails(r.Size) {
		b = b[:0]
		for _, crc := range r.Blocks[n*perSlot : min((n+1)*perSlot, len(r.Blocks))] {
			b = binary.LittleEndian.AppendUint32(b, crc)
		}
		b = append(b, make([]byte, bodyLen-len(b))...)
		each(binary.LittleEndian.AppendUint32(b, tailCheck(head, uint32(n+1), b)))
	}
}

// decodeHead returns what a record's head says, without blocks.
func decodeHead(slot []byte) (Record, bool) {
	num := func(at int) int64 { return int64(binary.LittleEndian.Uint64(slot[at:])) }
	r := Record{
		Key:      Key(slot[:16]),
		Identity: source.Identity{Size: num(16), Mtime: num(24), Ctime: num(32), Btime: num(40), Ino: uint64(num(48))},
		Sum:      checksum.Sum{CRC32: binary.LittleEndian.Uint32(slot[56:])},
	}
	return r, sound(slot) && r.Size >= 0 && r.Size <= checksum.MaxSize
}

// scanner reads a cache file from end to end, whatever is in it. It holds one
// slot, and of the record that it is in the blocks so far if they are wanted: a
// size that the file tells takes no memory before as many CRCs were read.
type scanner struct {
	blocks bool // collect them
	// each is called for every sound record, with the number of its first slot.
	each    func(slot int64, r Record)
	damaged int
	torn    bool  // the last of the damaged ends with the file
	read    int64 // bytes

	rec    Record // the last head, sound or not
	first  int64  // its slot
	check  uint32 // its check value
	number int    // slots since
	tails  int    // slots that it is to have after it
	crc    uint32 // of the blocks so far
	state  state
}

type state int

const (
	idle   state = iota // no head yet, or its record is done
	inside              // a record that is sound so far
	broken              // what follows may be the rest of a damaged record
)

func (s *scanner) scan(r io.Reader) error {
	in := bufio.NewReaderSize(r, bufferLen)
	var slot [slotLen]byte
	for n := int64(0); ; n++ {
		k, err := io.ReadFull(in, slot[:])
		s.read += int64(k)
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF: // the latter is a torn write
			if s.state == inside || err == io.ErrUnexpectedEOF && !s.counted() {
				s.damaged++
				s.torn = true
			}
			return nil
		case err != nil:
			return err
		}
		if n > 0 {
			s.next(n, slot[:])
		} else if _, ok := header(slot[:]); !ok {
			s.damaged = 1 // not this version's file: none of it is trusted
			return nil
		}
	}
}

// counted tells whether damage in the next slot is that of a record which was
// counted as damaged already.
func (s *scanner) counted() bool { return s.state == broken && s.number < s.tails }

func (s *scanner) next(n int64, slot []byte) {
	if s.state == inside {
		if s.tail(slot) {
			return
		}
		s.damaged++
		s.state = broken
	}
	if r, ok := decodeHead(slot); ok {
		r.Blocks = s.rec.Blocks[:0]
		s.rec, s.first, s.check, s.state = r, n, stored(slot), inside
		s.number, s.tails, s.crc = 0, tails(r.Size), 0
		if s.tails == 0 {
			s.state = idle
			s.emit()
		}
		return
	}
	if s.state == broken && stored(slot) == tailCheck(s.check, uint32(s.number+1), slot[:bodyLen]) || s.counted() {
		s.number++
		return
	}
	// Perhaps a damaged head: what it goes on with is told by its check value.
	s.damaged++
	s.check, s.number, s.tails, s.state = stored(slot), 0, 0, broken
}

// tail takes the next slot of the record that the scanner is inside.
func (s *scanner) tail(slot []byte) bool {
	if stored(slot) != tailCheck(s.check, uint32(s.number+1), slot[:bodyLen]) {
		return false
	}
	for i := range perSlot {
		crc := binary.LittleEndian.Uint32(slot[4*i:])
		left := s.rec.Size - int64(s.number*perSlot+i)*checksum.BlockLen
		switch {
		case left > 0:
			s.crc = checksum.JoinBlock(s.crc, crc, min(left, checksum.BlockLen))
			if s.blocks {
				s.rec.Blocks = append(s.rec.Blocks, crc)
			}
		case crc != 0: // which is never written
			return false
		}
	}
	if s.number++; s.number < s.tails {
		return true
	}
	if s.crc != s.rec.CRC32 {
		s.damaged++
		s.state = broken
		return true
	}
	s.state = idle
	s.emit()
	return true
}

// emit hands out the record, without blocks if it has one at most.
func (s *scanner) emit() {
	r := s.rec
	if s.tails == 0 || !s.blocks {
		r.Blocks = nil
	}
	s.each(s.first, r)
}

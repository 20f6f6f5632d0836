package strictzip

import (
	"bufio"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// blockLen is how much of a file is deflated on its own, in bytes.
const blockLen = 1 << 20

// flushMark ends a block that is not the last: an empty stored block of deflate, at
// a byte boundary (RFC 1951, 3.2.4).
var flushMark = []byte{0, 0, 0xff, 0xff}

// stream is deflated data, and counts what the inflater takes of it: that takes no
// byte before it needs its bits.
type stream struct {
	b    *bufio.Reader
	n    int64
	end  bool  // the inflater asked for more than there is
	fail error // of reading the archive
}

func newStream(r io.ReaderAt, at, length int64) *stream {
	return &stream{b: bufio.NewReader(io.NewSectionReader(r, at, length))}
}

func (s *stream) ReadByte() (byte, error) {
	c, err := s.b.ReadByte()
	if err == nil {
		s.n++
	}
	return c, s.failed(err)
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.b.Read(p)
	s.n += int64(n)
	return n, s.failed(err)
}

func (s *stream) failed(err error) error {
	if err == io.EOF {
		s.end = true
	} else if err != nil {
		s.fail = err
	}
	return err
}

// checkDeflated inflates the data of an entry, as a whole and each block on its own.
func (e *Entry) checkDeflated(r io.ReaderAt, buf []byte) error {
	in := newStream(r, e.DataAt, e.CompressedSize)
	inflater := flate.NewReader(in)
	total := crc32.NewIEEE()
	var starts []int64 // where the block may begin in the data
	for done := int64(0); ; {
		n := min(blockLen, e.Size-done)
		sum, err := inflate(inflater, n, buf, total)
		if err != nil {
			return e.streamError(in, in.n, err)
		}
		err = nil
		for _, from := range starts {
			if err = e.checkBlock(r, from, n, sum, buf); err == nil {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("block of 1 MiB at %d on its own: %w", done, err)
		}
		if done += n; done == e.Size {
			break
		}
		starts = in.next(starts[:0])
	}
	switch n, err := io.ReadFull(inflater, buf[:1]); {
	case n > 0:
		return fmt.Errorf("%q: %w: it goes on after %d bytes", clip(e.Name), ErrDeflate, e.Size)
	case !errors.Is(err, io.EOF):
		return e.streamError(in, in.n, err)
	case in.n != e.CompressedSize:
		return fmt.Errorf("%q: %w: it ends after %d bytes of %d", clip(e.Name), ErrDeflate, in.n, e.CompressedSize)
	}
	if got := total.Sum32(); got != e.CRC32 {
		return fmt.Errorf("%q: %w: the data has %08x, the headers say %08x", clip(e.Name), ErrCRC, got, e.CRC32)
	}
	return nil
}

// checkBlock inflates n bytes from a byte of the data on, with nothing known of what is before.
func (e *Entry) checkBlock(r io.ReaderAt, from, n int64, sum uint32, buf []byte) error {
	in := newStream(r, e.DataAt+from, e.CompressedSize-from)
	got, err := inflate(flate.NewReader(in), n, buf, io.Discard)
	if err == nil && got != sum {
		err = errors.New("it holds something else")
	}
	if err != nil {
		return e.streamError(in, from+in.n, err)
	}
	return nil
}

// inflate reads n bytes, writes them, and returns their CRC-32.
func inflate(inflater io.Reader, n int64, buf []byte, to io.Writer) (uint32, error) {
	sum := crc32.NewIEEE()
	for n > 0 {
		p := buf[:min(n, int64(len(buf)))]
		if _, err := io.ReadFull(inflater, p); err != nil {
			return 0, err
		}
		sum.Write(p)
		if _, err := to.Write(p); err != nil {
			return 0, err
		}
		n -= int64(len(p))
	}
	return sum.Sum32(), nil
}

// next appends where the next block may begin when all of a block's bytes are inflated:
// behind the mark, which the block's end of 15 bits at most, the empty block's 3 bits and
// the way to a byte boundary may come before, or here, behind deflate's stored blocks.
func (s *stream) next(starts []int64) []int64 {
	p, _ := s.b.Peek(3 + len(flushMark)) // what fails here fails again
	if i := bytes.Index(p, flushMark); i >= 0 {
		starts = append(starts, s.n+int64(i+len(flushMark)))
	}
	return append(starts, s.n)
}

// streamError says what is wrong with the data, whose inflater stopped at an offset of
// it: that it can't be read is no verdict on it.
func (e *Entry) streamError(s *stream, at int64, err error) error {
	switch {
	case s.fail != nil:
		err = fmt.Errorf("reading deflated data at %d: %w", e.DataAt+at, s.fail)
	case s.end && at < e.CompressedSize:
		err = fmt.Errorf("%w: deflated data, %d of %d at %d", ErrTruncated, at, e.CompressedSize, e.DataAt)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("%w: it ends at %d, before %d bytes are inflated", ErrDeflate, at, e.Size)
	default:
		err = fmt.Errorf("%w: at %d: %w", ErrDeflate, at, err)
	}
	return fmt.Errorf("%q: %w", clip(e.Name), err)
}

package strictzip

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// words is text of n bytes that deflates well; noise hardly does.
func words(n int) string {
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	var b strings.Builder
	for b.Len() < n {
		b.WriteString([]string{"one ", "two ", "three ", "four\n", "five, "}[rnd.IntN(5)])
	}
	return b.String()[:n]
}

func noise(n int) string {
	b := make([]byte, n)
	rnd := rand.NewChaCha8([32]byte{2})
	_, _ = rnd.Read(b) // never fails
	return string(b)
}

// oneDeflated is an archive of one entry.
func oneDeflated(content string, data []byte) *raw {
	a := &raw{entries: []*rawEntry{newDeflated("a", content, data)}}
	a.layOut()
	return a
}

func TestGoodDeflate(t *testing.T) {
	t.Parallel()
	flush := []byte{0, 0, 0, 0xff, 0xff}
	mixed := noise(blockLen) + words(blockLen) + noise(blockLen/2)
	for name, test := range map[string]struct {
		content string
		data    []byte // nil: the content's blocks
	}{
		"a byte":                     {content: "x"},
		"text":                       {content: words(3*blockLen + 4711)},
		"a block less a byte":        {content: words(blockLen - 1)},
		"a block":                    {content: words(blockLen)},
		"a block and a byte":         {content: words(blockLen + 1)},
		"two blocks":                 {content: words(2 * blockLen)},
		"zeros":                      {content: strings.Repeat("\x00", 5*blockLen)},
		"noise":                      {content: mixed[:blockLen] + mixed[:9]},
		"stored blocks with a flush": {mixed, slices.Concat(storedBlocks(mixed[:blockLen], false), flush, blocks(mixed[blockLen:]))},
		"stored blocks without it":   {mixed, slices.Concat(storedBlocks(mixed[:blockLen], false), blocks(mixed[blockLen:]))},
		"stored blocks, then what looks like a flush": {mixed[:blockLen] + "\xff\xff" + mixed[:65533], slices.Concat(storedBlocks(mixed[:blockLen], false), storedBlocks("\xff\xff"+mixed[:65533], true))},
		"stored blocks at the end":                    {mixed[:blockLen+9], slices.Concat(storedBlocks(mixed[:blockLen], false), storedBlocks(mixed[blockLen:blockLen+9], true))},
		"stored blocks of flush marks":                {strings.Repeat("\x00\x00\xff\xff", blockLen/2), slices.Concat(storedBlocks(strings.Repeat("\x00\x00\xff\xff", blockLen/4), false), storedBlocks(strings.Repeat("\x00\x00\xff\xff", blockLen/4), true))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := test.data
			if data == nil {
				data = blocks(test.content)
			}
			got := parseRaw(t, oneDeflated(test.content, data))
			if e := got.Entries[0]; e.Method != 8 || e.Size != int64(len(test.content)) || e.CompressedSize != int64(len(data)) {
				t.Errorf("got method %d, %d bytes of %d", e.Method, e.CompressedSize, e.Size)
			}
			if err := got.CheckData(); err != nil {
				t.Error(err)
			}
		})
	}
}

// deflateParts makes one stream of all parts, which may refer to each other; with flushes
// between them.
func deflateParts(parts ...string) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 6)
	for i, part := range parts {
		if i > 0 {
			_ = w.Flush()
		}
		_, _ = io.WriteString(w, part)
	}
	_ = w.Close()
	return out.Bytes()
}

func TestBrokenDeflate(t *testing.T) {
	t.Parallel()
	text := words(2*blockLen + 1000)
	good := blocks(text)
	truncated := good[:len(good)/2]
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 0x10
	for name, test := range map[string]struct {
		content string
		data    []byte
		want    error
	}{
		"one stream without blocks":         {text, deflateParts(text), ErrDeflate},
		"blocks that refer to those before": {text, deflateParts(text[:blockLen], text[blockLen:2*blockLen], text[2*blockLen:]), ErrDeflate},
		"blocks of another length":          {text, deflateParts(text[:blockLen/2], text[blockLen/2:]), ErrDeflate},
		"cut":                               {text, truncated, ErrDeflate},
		"a byte too many":                   {text, append(slices.Clone(good), 0), ErrDeflate},
		"another stream behind it":          {text, append(slices.Clone(good), blocks("x")...), ErrDeflate},
		"more than the size":                {text[:len(text)-1], good, ErrDeflate},
		"less than the size":                {text + "x", good, ErrDeflate},
		"less than the size by a block":     {text + words(blockLen), good, ErrDeflate},
		"ends in the first block":           {text, blocks(text[:100]), ErrDeflate},
		"no last block":                     {text[:1000], deflateParts(text[:1000], "")[:len(deflateParts(text[:1000], ""))-5], ErrDeflate},
		"another content":                   {"some data", blocks("some dat4"), ErrCRC},
		"not deflated":                      {"\xff\xff\xff\xff", []byte("\xff\xff\xff\xff"), ErrDeflate},
		"zlib's header":                     {text, append([]byte{0x78, 0x9c}, good...), ErrDeflate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := parseRaw(t, oneDeflated(test.content, test.data)).CheckData()
			if !errors.Is(err, test.want) {
				t.Fatalf("got error %v, want %v", err, test.want)
			}
			t.Log(err)
		})
	}
	// A changed bit may give another stream or none.
	if err := parseRaw(t, oneDeflated(text, flipped)).CheckData(); !errors.Is(err, ErrDeflate) && !errors.Is(err, ErrCRC) {
		t.Errorf("changed data: got %v", err)
	}
}

// That the archive can't be read, or is short, is no verdict on the stream.
func TestDeflateReadErrors(t *testing.T) {
	t.Parallel()
	text := words(blockLen + 10)
	a := oneDeflated(text, blocks(text))
	s := a.render()
	e := parseRaw(t, a).Entries[0]
	end := e.DataAt + e.CompressedSize
	for _, at := range []int64{e.DataAt, e.DataAt + 1, e.DataAt + e.CompressedSize/2, end - 1} {
		if err := e.CheckData(failing{s, at}); !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("failing at %d: got %v", at, err)
		}
		if err := e.CheckData(bytes.NewReader(s.bytes()[:at])); !errors.Is(err, ErrTruncated) {
			t.Errorf("cut at %d: got %v", at, err)
		}
	}
}

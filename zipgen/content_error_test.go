package zipgen

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var (
	errCRC  = errors.New("no CRC today")
	errData = errors.New("no data today")
)

// failing is content that fails for one entry, and counts what it is asked.
type failing struct {
	memContent
	crc, data int // failing entries, -1 for none
	dataFrom  int64
	crcs      []int
}

func (c *failing) CRC32(i int) (uint32, error) {
	c.crcs = append(c.crcs, i)
	if i == c.crc {
		return 0xdeadbeef, fmt.Errorf("reading: %w", errCRC)
	}
	return c.memContent.CRC32(i)
}

func (c *failing) ReadEntryAt(i int, p []byte, off int64) error {
	if i == c.data && off+int64(len(p)) > c.dataFrom {
		return fmt.Errorf("reading: %w", errData)
	}
	return c.memContent.ReadEntryAt(i, p, off)
}

func TestContentErrors(t *testing.T) {
	t.Parallel()
	const (
		empty = iota
		link
		text
	)
	whole := layOut(t, Options{}, regular("1 empty", ""), symlink("2 link", "target"), regular("3\ntext", "hello, world"))
	full := readFull(t, whole)
	directory, _ := whole.Directory()
	central := whole.extent(CentralHeader, link).Offset
	for _, test := range []struct {
		name string
		c    failing
		off  int64
		n    int64 // right bytes
		want error
		says string
	}{
		{"CRC in a local header", failing{crc: link, data: -1}, 0, whole.HeaderOffset(link), errCRC, `"2 link": reading: no CRC today`},
		{"CRC at the start", failing{crc: link, data: -1}, whole.HeaderOffset(link), 0, errCRC, `"2 link"`},
		{"CRC in the directory", failing{crc: link, data: -1}, directory, central - directory, errCRC, `"2 link"`},
		{"data", failing{crc: -1, data: text}, 0, whole.DataOffset(text), errData, `"3\ntext": reading: no data today`},
		{"data at the start", failing{crc: -1, data: link}, whole.DataOffset(link), 0, errData, `"2 link"`},
		{"data within", failing{crc: -1, data: text}, whole.DataOffset(text) + 3, 0, errData, `"3\ntext"`},
		{"data from the header on", failing{crc: -1, data: text}, whole.DataOffset(text) - 17, 17, errData, `"3\ntext"`},
		{"nothing of an empty file", failing{crc: empty, data: empty}, 0, whole.Size(), nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.c.memContent = whole.content.(memContent)
			got := make([]byte, whole.Size()-test.off)
			n, err := whole.NewReader(&test.c).ReadAt(got, test.off)
			if int64(n) != test.n || !errors.Is(err, test.want) {
				t.Fatalf("got %d, %v; want %d, %v", n, err, test.n, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %q, want %s in it", err, test.says)
			}
			if !bytes.Equal(got[:n], full[test.off:test.off+test.n]) {
				t.Errorf("got % x, want % x", got[:n], full[test.off:test.off+test.n])
			}
		})
	}

	t.Run("data before the failing part", func(t *testing.T) {
		t.Parallel()
		c := failing{memContent: whole.content.(memContent), crc: -1, data: text, dataFrom: 5}
		r := whole.NewReader(&c)
		b := make([]byte, 5)
		if n, err := r.ReadAt(b, whole.DataOffset(text)); n != 5 || err != nil || string(b) != "hello" {
			t.Errorf("got %d, %v, %q", n, err, b)
		}
		if n, err := r.ReadAt(b, whole.DataOffset(text)+1); n != 0 || !errors.Is(err, errData) {
			t.Errorf("got %d, %v; want 0, %v", n, err, errData)
		}
	})

	// What needs no CRC asks for none: data, end records, entries without data.
	t.Run("questions", func(t *testing.T) {
		t.Parallel()
		c := failing{memContent: whole.content.(memContent), crc: -1, data: -1}
		r := whole.NewReader(&c)
		readRange(t, r, 0, whole.HeaderOffset(link))
		readRange(t, r, whole.DataOffset(link), 6)
		readRange(t, r, whole.Size()-22, 22)
		if len(c.crcs) > 0 {
			t.Errorf("CRCs of entries %d asked for without need", c.crcs)
		}
		readFull(t, r)
		if got, want := fmt.Sprint(c.crcs), fmt.Sprint([]int{link, text, link, text}); got != want {
			t.Errorf("CRCs asked for: got %s, want %s", got, want)
		}
	})
}

func TestContentErrorClipsName(t *testing.T) {
	t.Parallel()
	name := "head" + strings.Repeat("-", 65000) + "tail"
	r := layOut(t, Options{}, regular(name, "x"))
	_, err := r.NewReader(&failing{memContent: memContent{"x"}, crc: 0}).ReadAt(make([]byte, 1), 0)
	if !errors.Is(err, errCRC) {
		t.Fatalf("got %v, want %v", err, errCRC)
	}
	if s := err.Error(); len(s) > 500 || !strings.Contains(s, `"head-`) || !strings.Contains(s, `-tail"`) {
		t.Errorf("got %d bytes: %.500s", len(s), s)
	}
}

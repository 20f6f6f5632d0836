package zipgen

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
)

// file is an entry and its data.
type file struct {
	Entry
	data string
}

const (
	mode0644 = TypeFile | 0o644
	mode0755 = TypeDir | 0o755
	modeLink = TypeSymlink | 0o777
)

// leapDay is 2024-02-29 12:34:56 UTC: even, and of two digits in every field.
const leapDay = 1709210096

func regular(name, data string) file {
	return file{Entry{Name: name, Mode: mode0644, Size: int64(len(data)), ModTime: leapDay}, data}
}

func directory(name string) file {
	return file{Entry{Name: name, Mode: mode0755, Size: 0, ModTime: leapDay}, ""}
}

func symlink(name, target string) file {
	return file{Entry{Name: name, Mode: modeLink, Size: int64(len(target)), ModTime: leapDay}, target}
}

// kinds is a small archive with one entry of each kind.
func kinds() []file {
	return []file{
		directory("d/"),
		{Entry{Name: "d/empty", Mode: TypeFile | 0o4755, Size: 0, ModTime: -1}, ""},
		symlink("d/link", "../été"),
		directory("void/"),
		regular("été", "data"),
	}
}

func entriesOf(files []file) []Entry {
	entries := make([]Entry, len(files))
	for i, f := range files {
		entries[i] = f.Entry
	}
	return entries
}

// layOut lays files of any order out, and fails the test if that fails.
func layOut(t testing.TB, o Options, files ...file) *Reader {
	t.Helper()
	a, err := New(entriesOf(files), o)
	if err != nil {
		t.Fatal(err)
	}
	data := make(map[string]string, len(files))
	for _, f := range files {
		data[f.Name] = f.data
	}
	c := make(memContent, a.Len())
	for i := range c {
		c[i] = data[a.Entry(i).Name]
	}
	return a.NewReader(c)
}

// memContent is data in memory. It refuses what a layout must never ask for.
type memContent []string

func (c memContent) CRC32(i int) (uint32, error) {
	if len(c[i]) == 0 {
		return 0, fmt.Errorf("asked for the CRC of entry %d, which has no data", i)
	}
	return crc32.ChecksumIEEE([]byte(c[i])), nil
}

func (c memContent) ReadEntryAt(i int, p []byte, off int64) error {
	if len(p) == 0 || off < 0 || off+int64(len(p)) > int64(len(c[i])) {
		return fmt.Errorf("asked for %d bytes at %d of entry %d, which has %d", len(p), off, i, len(c[i]))
	}
	copy(p, c[i][off:])
	return nil
}

// pattern is data of any length that takes no memory: runs of 4,096 equal
// bytes, none of them zero, because the CRC-32 of 2^32-1 zeros is 0 and one that
// is missing would not show. Its CRC is made up: a layout does not verify it.
type pattern struct{ a *Archive }

func patternByte(i int, off int64) byte { return byte((off>>12)*7+int64(i)*13)<<1 | 1 }

func patternCRC(i int) uint32 { return uint32(i+1)*0x9e3779b1 | 1 }

func (c pattern) CRC32(i int) (uint32, error) {
	if c.a.EntrySize(i) == 0 {
		return 0, fmt.Errorf("asked for the CRC of entry %d, which has no data", i)
	}
	return patternCRC(i), nil
}

func (c pattern) ReadEntryAt(i int, p []byte, off int64) error {
	if size, _ := c.a.EntryCompressedSize(i); len(p) == 0 || off < 0 || off > size-int64(len(p)) {
		return fmt.Errorf("asked for %d bytes at %d of entry %d, which has %d", len(p), off, i, size)
	}
	for k := range p {
		p[k] = patternByte(i, off+int64(k))
	}
	return nil
}

// readFull reads the whole archive at once.
func readFull(t testing.TB, r *Reader) []byte {
	t.Helper()
	return readRange(t, r, 0, r.Size())
}

func readRange(t testing.TB, r *Reader, off, n int64) []byte {
	t.Helper()
	b := make([]byte, n)
	if got, err := r.ReadAt(b, off); int64(got) != n || err != nil {
		t.Fatalf("ReadAt of %d bytes at %d: got %d, %v", n, off, got, err)
	}
	return b
}

// fromHex reads lines of hex digits with // comments.
func fromHex(t testing.TB, text string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "//")
		for _, f := range strings.Fields(line) {
			digits.WriteString(f)
		}
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sameBytes compares bytes and shows both as dumps.
func sameBytes(t testing.TB, got, want []byte) {
	t.Helper()
	if string(got) != string(want) {
		t.Errorf("got\n%swant\n%s", hex.Dump(got), hex.Dump(want))
	}
}

package strictzip

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func parseRaw(t testing.TB, a *raw) *Archive {
	t.Helper()
	s := a.render()
	got, err := Parse(s, s.size)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// fromHex takes hexadecimal digits with // comments.
func fromHex(t testing.TB, text string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "//")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An archive written by hand: the builder may be wrong in the parser's way.
func TestParseBytes(t *testing.T) {
	t.Parallel()
	b := fromHex(t, `
		50 4b 03 04  14 00  00 00  00 00  00 00 21 00     // 0: local, needs 2.0, 1980-01-01
		00 00 00 00  00 00 00 00  00 00 00 00  02 00  09 00
		64 2f  55 54 05 00  01 00 00 00 00                // "d/", 1970-01-01
		50 4b 03 04  0a 00  00 00  00 00  5c 64 5d 58     // 41: local, needs 1.0, 2024-02-29 12:34:56
		43 be b7 e8  01 00 00 00  01 00 00 00  03 00  18 00
		64 2f 61  55 54 05 00  01 f1 79 e0 65             // "d/a", 12:34:57
		75 78 0b 00  01 04 e8 03 00 00  04 64 00 00 00    // UID 1000, GID 100
		61                                                // 98: data
		50 4b 01 02  1e 03  14 00  00 00  00 00  00 00 21 00
		00 00 00 00  00 00 00 00  00 00 00 00  02 00  09 00
		00 00  00 00  00 00  10 00 ed 41  00 00 00 00
		64 2f  55 54 05 00  01 00 00 00 00
		50 4b 01 02  1e 03  0a 00  00 00  00 00  5c 64 5d 58
		43 be b7 e8  01 00 00 00  01 00 00 00  03 00  18 00
		00 00  00 00  00 00  00 00 a4 81  29 00 00 00
		64 2f 61  55 54 05 00  01 f1 79 e0 65
		75 78 0b 00  01 04 e8 03 00 00  04 64 00 00 00
		50 4b 05 06  00 00  00 00  02 00  02 00  82 00 00 00  63 00 00 00  02 00
		68 69                                             // "hi"`)
	r := bytes.NewReader(b)
	got, err := Parse(r, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	epoch, modified := int64(0), int64(leapDay+1)
	want := &Archive{
		Count: 2, Comment: "hi", DirectoryAt: 99, DirectoryLen: 130, r: r,
		Entries: []Entry{
			{
				Name: "d/", MadeBy: 0x031e, Needed: 20, Date: 0x0021, ExternalAttributes: 0o040755<<16 | 0x10,
				DataAt: 41, CentralAt: 99, ModTime: &epoch,
			},
			{
				Name: "d/a", MadeBy: 0x031e, Needed: 10, Clock: leapClock, Date: leapDate, CRC32: 0xe8b7be43, ExternalAttributes: 0o100644 << 16,
				Size: 1, CompressedSize: 1, HeaderAt: 41, DataAt: 98, CentralAt: 156, ModTime: &modified, Owner: &Owner{1000, 100},
			},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if err := got.CheckData(); err != nil {
		t.Error(err)
	}
}

// sameAsArchiveZip compares with what archive/zip reads.
func sameAsArchiveZip(t testing.TB, a *Archive, r io.ReaderAt, size int64) {
	t.Helper()
	z, err := zip.NewReader(r, size)
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != len(a.Entries) || z.Comment != a.Comment {
		t.Fatalf("%d entries, comment %q; archive/zip: %d, %q", len(a.Entries), a.Comment, len(z.File), z.Comment)
	}
	for i, f := range z.File {
		type fields struct {
			name         string
			size, stored uint64
			crc          uint32
			method       uint16
			at           int64
		}
		at, err := f.DataOffset()
		if err != nil {
			t.Fatal(err)
		}
		e := &a.Entries[i]
		got := fields{e.Name, uint64(e.Size), uint64(e.CompressedSize), e.CRC32, e.Method, e.DataAt}
		if want := (fields{f.Name, f.UncompressedSize64, f.CompressedSize64, f.CRC32, f.Method, at}); got != want {
			t.Fatalf("entry %d: got %+v, archive/zip %+v", i, got, want)
		}
		if unix, ok := e.ModifiedUnix(); ok && f.Modified.Unix() != unix {
			t.Errorf("entry %d: modified %d, archive/zip %d", i, unix, f.Modified.Unix())
		}
	}
}

func TestGood(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		good  func() *raw
		zip64 bool
		local []int // lengths of the ZIP64 fields of the first two entries
		data  bool  // can be read in no time
	}{
		{"empty", empty, false, nil, true},
		{"plain", plain, false, []int{0, 0, 0, 0}, true},
		{"deflated", deflated, false, []int{0, 0, 0, 0}, true},
		{"deflated, 4 GiB less 2 before", func() *raw { return widely(sentinel32-1, 1000) }, false, []int{0, 0, 0, 0}, false},
		{"deflated, 4 GiB less 1 before", func() *raw { return widely(sentinel32, 1000) }, false, []int{16, 16, 16, 16}, false},
		{"deflated, 4 GiB before", func() *raw { return widely(sentinel32+1, 1000) }, false, []int{16, 16, 0, 0}, false},
		{"deflated to 4 GiB less 1", func() *raw { return widely(sentinel32-1000, sentinel32) }, true, []int{16, 16, 16, 24}, false},
		{"deflated to 4 GiB", func() *raw { return widely(sentinel32-1000, sentinel32+1) }, true, []int{16, 16, 0, 8}, false},
		{"no extra fields", without, false, []int{0, 0}, true},
		{"size of 4 GiB less 2", func() *raw { return sized(sentinel32 - 1) }, true, []int{0, 0, 0, 8}, false},
		{"size of 4 GiB less 1", bySize, true, []int{16, 16, 16, 24}, false},
		{"size of 4 GiB", func() *raw { return sized(sentinel32 + 1) }, true, []int{16, 16, 0, 8}, false},
		{"size of 2^60", func() *raw { return sized(1 << 60) }, true, []int{16, 16, 0, 8}, false},
		{"offset of 4 GiB less 2", func() *raw { return sized(sentinel32 - 1 - localLen - 1 - 9) }, true, []int{0, 0, 0, 0}, false},
		{"offset of 4 GiB less 1", byOffset, true, []int{0, 0, 0, 8}, false},
		{"sizes and offset", byBoth, true, []int{16, 16, 16, 24}, false},
		{"directory at 4 GiB less 2", func() *raw { return sized(sentinel32 - 1 - 2*(localLen+1+9) - 5) }, false, []int{0, 0, 0, 0}, false},
		{"directory at 4 GiB less 1", byDirectory, true, []int{0, 0, 0, 0}, false},
		{"directory's offset is an end signature", signed, false, []int{0, 0, 0, 0}, false},
		{"65,534 entries", func() *raw { return counted(65534) }, false, []int{0, 0, 0, 0}, true},
		{"65,535 entries", many, true, []int{0, 0, 0, 0}, true},
		{"70,000 entries", func() *raw { return counted(70000) }, true, []int{0, 0, 0, 0}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			raw := test.good()
			s := raw.render()
			a, err := Parse(s, s.size)
			if err != nil {
				t.Fatal(err)
			}
			if len(a.Entries) != len(raw.entries) || a.Count != int64(len(raw.entries)) || a.ZIP64 != test.zip64 || a.Comment != raw.comment {
				t.Errorf("got %d of %d entries, ZIP64 %v, comment %q", len(a.Entries), len(raw.entries), a.ZIP64, a.Comment)
			}
			var lens []int
			for _, e := range a.Entries[:min(2, len(a.Entries))] {
				lens = append(lens, e.LocalZIP64, e.CentralZIP64)
			}
			if !slices.Equal(lens, test.local) {
				t.Errorf("ZIP64 fields: got %v, want %v", lens, test.local)
			}
			sameAsArchiveZip(t, a, s, s.size)
			if test.data {
				if err := a.CheckData(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// What stands next to a rule, on its good side.
func TestGoodNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 65535)
	a := &raw{comment: "PK\x05"}
	for _, name := range []string{
		"\x01", " ", "-", "...", "..a", ".a/.b", "C:", `\`, "a", "a!", "a!!/b", "a-b", "a.", "a..", "b/", "b/c/d", "b/c0", long, "\xc0", "\xed\xa0\x80",
	} {
		if isDir(name) {
			a.entries = append(a.entries, newDir(name))
		} else {
			a.entries = append(a.entries, newFile(name, "PK\x05\x06"))
		}
	}
	a.layOut()
	for i, e := range parseRaw(t, a).Entries {
		if want := a.entries[i].local.name; e.Name != want {
			t.Errorf("got %q, want %q", clip(e.Name), clip(want))
		}
	}
}

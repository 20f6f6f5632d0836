package zipgen

import (
	"slices"
	"strings"
	"testing"
)

// Whole archives, byte by byte.

func TestEmptyArchive(t *testing.T) {
	t.Parallel()
	want := fromHex(t, `
		50 4b 05 06  // signature
		00 00 00 00  // this disk, directory's disk
		00 00 00 00  // entries on this disk, in total
		00 00 00 00  // directory size
		00 00 00 00  // directory offset
		00 00        // comment length`)
	for name, build := range map[string]func() (*Archive, error){
		"New":     func() (*Archive, error) { return New(nil, Options{}) },
		"Builder": func() (*Archive, error) { return new(Builder).Archive() },
	} {
		a, err := build()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if a.Size() != 22 || a.Len() != 0 {
			t.Errorf("%s: got %d bytes, %d entries; want 22, 0", name, a.Size(), a.Len())
		}
		r := a.NewReader(memContent{})
		sameBytes(t, readFull(t, r), want)
		checkFiles(t, r, "")
		if _, ok := a.Find(""); ok {
			t.Errorf("%s: Find found an entry", name)
		}
	}
}

func TestArchiveBytes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		comment string
		align   int64
		files   []file
		want    string
	}{
		{
			name:  "file",
			files: []file{regular("a.txt", "hello\n")},
			want: `
			50 4b 03 04                 // local header
			0a 00                       // version needed 1.0
			00 00                       // flags
			00 00                       // stored
			5c 64 5d 58                 // 12:34:56, 2024-02-29
			20 30 3a 36                 // CRC-32
			06 00 00 00 06 00 00 00     // sizes
			05 00 09 00                 // lengths of name and extra field
			61 2e 74 78 74              // a.txt
			55 54 05 00 01 f0 79 e0 65  // extended timestamp
			68 65 6c 6c 6f 0a           // data

			50 4b 01 02                 // central header
			1e 03                       // made by: Unix, 3.0
			0a 00                       // version needed 1.0
			00 00                       // flags
			00 00                       // stored
			5c 64 5d 58                 // 12:34:56, 2024-02-29
			20 30 3a 36                 // CRC-32
			06 00 00 00 06 00 00 00     // sizes
			05 00 09 00                 // lengths of name and extra field
			00 00                       // comment length
			00 00                       // disk
			00 00                       // internal attributes
			00 00 a4 81                 // external attributes: 0100644 << 16
			00 00 00 00                 // offset of the local header
			61 2e 74 78 74              // a.txt
			55 54 05 00 01 f0 79 e0 65  // extended timestamp

			50 4b 05 06                 // end
			00 00 00 00                 // disks
			01 00 01 00                 // entries
			3c 00 00 00                 // directory size 60
			32 00 00 00                 // directory offset 50
			00 00                       // comment length`,
		},
		{
			name:  "directory",
			files: []file{directory("d/")},
			want: `
			50 4b 03 04  14 00          // version needed 2.0
			00 00  00 00  5c 64 5d 58
			00 00 00 00                 // no CRC-32
			00 00 00 00  00 00 00 00    // no data
			02 00 09 00  64 2f          // d/
			55 54 05 00 01 f0 79 e0 65

			50 4b 01 02  1e 03  14 00   // version needed 2.0
			00 00  00 00  5c 64 5d 58
			00 00 00 00
			00 00 00 00  00 00 00 00
			02 00 09 00
			00 00  00 00  00 00
			10 00 ed 41                 // 0040755 << 16, MS-DOS directory
			00 00 00 00
			64 2f                       // d/
			55 54 05 00 01 f0 79 e0 65

			50 4b 05 06  00 00 00 00  01 00 01 00
			39 00 00 00                 // directory size 57
			29 00 00 00                 // directory offset 41
			00 00`,
		},
		{
			name:  "symbolic link without extended timestamp",
			files: []file{{Entry{Name: "l", Mode: TypeSymlink | 0o700, Size: 4, ModTime: -1}, "../t"}},
			want: `
			50 4b 03 04  0a 00  00 00  00 00
			00 00 21 00                 // 1980-01-01
			b3 e1 0e 16                 // CRC-32 of the target
			04 00 00 00  04 00 00 00
			01 00 00 00  6c             // l, no extra field
			2e 2e 2f 74                 // ../t

			50 4b 01 02  1e 03  0a 00  00 00  00 00
			00 00 21 00
			b3 e1 0e 16
			04 00 00 00  04 00 00 00
			01 00 00 00
			00 00  00 00  00 00
			00 00 ff a1                 // 0120777 << 16 whatever the permissions
			00 00 00 00  6c

			50 4b 05 06  00 00 00 00  01 00 01 00
			2f 00 00 00                 // directory size 47
			23 00 00 00                 // directory offset 35
			00 00`,
		},
		{
			name:    "two entries, one UTF-8 name, comment",
			comment: "hi",
			files:   []file{regular("é", "x"), regular("a", "")},
			want: `
			50 4b 03 04  0a 00  00 00  00 00  5c 64 5d 58
			00 00 00 00  00 00 00 00  00 00 00 00
			01 00 09 00  61             // a
			55 54 05 00 01 f0 79 e0 65

			50 4b 03 04  0a 00
			00 08                       // bit 11: the name is UTF-8
			00 00  5c 64 5d 58
			83 16 dc 8c  01 00 00 00  01 00 00 00
			02 00 09 00  c3 a9          // é
			55 54 05 00 01 f0 79 e0 65
			78                          // x

			50 4b 01 02  1e 03  0a 00  00 00  00 00  5c 64 5d 58
			00 00 00 00  00 00 00 00  00 00 00 00
			01 00 09 00  00 00  00 00  00 00  00 00 a4 81
			00 00 00 00                 // at 0
			61  55 54 05 00 01 f0 79 e0 65

			50 4b 01 02  1e 03  0a 00  00 08  00 00  5c 64 5d 58
			83 16 dc 8c  01 00 00 00  01 00 00 00
			02 00 09 00  00 00  00 00  00 00  00 00 a4 81
			28 00 00 00                 // at 40
			c3 a9  55 54 05 00 01 f0 79 e0 65

			50 4b 05 06  00 00 00 00  02 00 02 00
			71 00 00 00                 // directory size 113
			52 00 00 00                 // directory offset 82
			02 00 68 69                 // hi`,
		},
		{
			name:  "aligned data",
			align: 512,
			files: []file{regular("a", strings.Repeat("x", 512))},
			want: `
			50 4b 03 04  0a 00  00 00  00 00  5c 64 5d 58
			5d 6d 0b 3b  00 02 00 00  00 02 00 00
			01 00 e1 01  61             // 481 bytes of extra fields
			55 54 05 00 01 f0 79 e0 65
			35 d9 d4 01                 // alignment: 468 bytes
			00 02                       // to 512
			` + strings.Repeat("00 ", 466) + `
			` + strings.Repeat("78 ", 512) + `

			50 4b 01 02  1e 03  0a 00  00 00  00 00  5c 64 5d 58
			5d 6d 0b 3b  00 02 00 00  00 02 00 00
			01 00 09 00  00 00  00 00  00 00  00 00 a4 81
			00 00 00 00  61  55 54 05 00 01 f0 79 e0 65

			50 4b 05 06  00 00 00 00  01 00 01 00
			38 00 00 00                 // directory size 56
			00 04 00 00                 // directory offset 1024
			00 00`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := layOut(t, Options{Comment: test.comment, Align: test.align}, test.files...)
			want := fromHex(t, test.want)
			if got := r.Size(); got != int64(len(want)) {
				t.Errorf("Size: got %d, want %d", got, len(want))
			}
			sameBytes(t, readFull(t, r), want)
			checkFiles(t, r, test.comment)
		})
	}
}

func TestComment(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		comment string
		ok      bool
	}{
		{"longest", strings.Repeat("c", 65535), true},
		{"too long", strings.Repeat("c", 65536), false},
		{"not UTF-8", "\xff\x00", true},
		{"other signatures", "PK\x01\x02PK\x06\x06PK\x06\x07PK\x05", true},
		{"signature", "a\nPK\x05\x06", false},
		// The length 0x4b50 is the signature's first half.
		{"signature begun by the length", "\x05\x06" + strings.Repeat("c", 0x4b50-2), false},
		{"that length alone", strings.Repeat("c", 0x4b50), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			entries := entriesOf(kinds())
			_, err := New(entries, Options{Comment: test.comment})
			if (err == nil) != test.ok {
				t.Fatalf("New: got error %v, want one: %v", err, !test.ok)
			}
			if test.ok {
				checkFiles(t, layOut(t, Options{Comment: test.comment}, kinds()...), test.comment)
			}
		})
	}
}

// The directory's offset may read as an end record's signature too. Readers that
// look from the end pass by it only if a comment follows.
func TestCommentAfterOffset(t *testing.T) {
	t.Parallel()
	entries := []Entry{{Name: "a", Mode: mode0644, Size: 0x06054b50 - 40, ModTime: leapDay}}
	a, err := New(entries, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := a.Directory(); at != 0x06054b50 {
		t.Fatalf("directory: got %#x, want 0x06054b50", at)
	}
	check(t, a.NewReader(pattern{a}), entries, patternCRC, "")
	if _, err := New(entries, Options{Comment: "a comment of some length"}); err == nil {
		t.Error("New: got no error, want one")
	}
}

func TestNewLeavesTheSlice(t *testing.T) {
	t.Parallel()
	entries := entriesOf(kinds())
	slices.Reverse(entries)
	before := slices.Clone(entries)
	if _, err := New(entries, Options{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(entries, before) {
		t.Errorf("got %v, want %v", entries, before)
	}
}

package zipgen

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"vzip/internal/strictzip"
)

// parseOne lays one file out and returns what its bytes tell.
func parseOne(t *testing.T, e Entry) strictzip.Entry {
	t.Helper()
	a, err := New([]Entry{e}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := strictzip.Parse(a.NewReader(pattern{a}), a.Size())
	if err != nil {
		t.Fatal(err)
	}
	return got.Entries[0]
}

func TestFields(t *testing.T) {
	t.Parallel()
	const big = 1 << 32
	for _, test := range []struct {
		name                  string
		entry                 Entry
		madeBy, needed, flags uint16
		attrs                 uint32
	}{
		{"file", Entry{Name: "a", Mode: TypeFile | 0o644, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o100644 << 16},
		{"no permissions", Entry{Name: "a", Mode: TypeFile, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o100000 << 16},
		{"set-user-ID", Entry{Name: "a", Mode: TypeFile | 0o4755, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o104755 << 16},
		{"set-group-ID", Entry{Name: "a", Mode: TypeFile | 0o2755, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o102755 << 16},
		{"all permissions", Entry{Name: "a", Mode: TypeFile | 0o7777, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o107777 << 16},
		{"empty file", Entry{Name: "a", Mode: TypeFile | 0o600, Size: 0, ModTime: 0}, 0x031e, 10, 0, 0o100600 << 16},
		{"ZIP64 file", Entry{Name: "a", Mode: TypeFile | 0o644, Size: big, ModTime: 0}, 0x032d, 45, 0, 0o100644 << 16},
		{"directory", Entry{Name: "a/", Mode: TypeDir | 0o755, Size: 0, ModTime: 0}, 0x031e, 20, 0, 0o040755<<16 | 0x10},
		{"sticky directory", Entry{Name: "a/", Mode: TypeDir | 0o1777, Size: 0, ModTime: 0}, 0x031e, 20, 0, 0o041777<<16 | 0x10},
		{"link", Entry{Name: "a", Mode: TypeSymlink | 0o777, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0xa1ff0000},
		{"link with other permissions", Entry{Name: "a", Mode: TypeSymlink | 0o4640, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0xa1ff0000},
		{"ASCII", Entry{Name: "!~\x7f\\\x01 ", Mode: TypeFile, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o100000 << 16},
		{"UTF-8", Entry{Name: "é", Mode: TypeFile, Size: 1, ModTime: 0}, 0x031e, 10, 0x800, 0o100000 << 16},
		{"UTF-8, four bytes", Entry{Name: "a/b/😀", Mode: TypeFile, Size: 1, ModTime: 0}, 0x031e, 10, 0x800, 0o100000 << 16},
		{"UTF-8, replacement character", Entry{Name: "\ufffd", Mode: TypeFile, Size: 1, ModTime: 0}, 0x031e, 10, 0x800, 0o100000 << 16},
		{"UTF-8 directory", Entry{Name: "é/", Mode: TypeDir, Size: 0, ModTime: 0}, 0x031e, 20, 0x800, 0o040000<<16 | 0x10},
		{"UTF-8 ZIP64", Entry{Name: "é", Mode: TypeFile, Size: big, ModTime: 0}, 0x032d, 45, 0x800, 0o100000 << 16},
		{"Latin-1", Entry{Name: "\xe9", Mode: TypeFile, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o100000 << 16},
		{"UTF-8, then not", Entry{Name: "é\xe9", Mode: TypeFile, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o100000 << 16},
		{"cut UTF-8", Entry{Name: "a\xc3", Mode: TypeFile, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o100000 << 16},
		{"surrogate", Entry{Name: "\xed\xa0\x80", Mode: TypeFile, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o100000 << 16},
		{"overlong", Entry{Name: "\xc0\xaf", Mode: TypeFile, Size: 1, ModTime: 0}, 0x031e, 10, 0, 0o100000 << 16},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := parseOne(t, test.entry)
			if p.MadeBy != test.madeBy || p.Needed != test.needed || p.Flags != test.flags || p.ExternalAttributes != test.attrs {
				t.Errorf("got made by %#x, needed %d, flags %#x, attributes %#x; want %#x, %d, %#x, %#x",
					p.MadeBy, p.Needed, p.Flags, p.ExternalAttributes, test.madeBy, test.needed, test.flags, test.attrs)
			}
			wantCRC := patternCRC(0)
			if test.entry.Size == 0 {
				wantCRC = 0
			}
			if p.CRC32 != wantCRC {
				t.Errorf("CRC-32: got %08x, want %08x", p.CRC32, wantCRC)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	const none = ""
	for _, test := range []struct {
		name        string
		unix        int64
		clock, date uint16
		extended    string
	}{
		{"least", math.MinInt64, 0, 0x0021, none},
		{"1901-12-13 20:45:52", math.MinInt32, 0, 0x0021, none},
		{"1969-12-31 23:59:59", -1, 0, 0x0021, none},
		{"1970-01-01 00:00:00", 0, 0, 0x0021, "00000000"},
		{"1970-01-01 00:00:01", 1, 0, 0x0021, "01000000"},
		{"1979-12-31 23:59:58", 315532798, 0, 0x0021, "fea5ce12"},
		{"1979-12-31 23:59:59", 315532799, 0, 0x0021, "ffa5ce12"},
		{"1980-01-01 00:00:00", 315532800, 0, 0x0021, "00a6ce12"},
		{"1980-01-01 00:00:01", 315532801, 0, 0x0021, "01a6ce12"},
		{"1980-01-01 00:00:02", 315532802, 1, 0x0021, "02a6ce12"},
		{"1980-01-01 00:00:03", 315532803, 1, 0x0021, "03a6ce12"},
		{"2024-02-29 12:34:56", leapDay, 12<<11 | 34<<5 | 28, 44<<9 | 2<<5 | 29, "f079e065"},
		{"2024-02-29 12:34:57", leapDay + 1, 12<<11 | 34<<5 | 28, 44<<9 | 2<<5 | 29, "f179e065"},
		{"2038-01-19 03:14:06", math.MaxInt32 - 1, 3<<11 | 14<<5 | 3, 58<<9 | 1<<5 | 19, "feffff7f"},
		{"2038-01-19 03:14:07", math.MaxInt32, 3<<11 | 14<<5 | 3, 58<<9 | 1<<5 | 19, "ffffff7f"},
		{"2038-01-19 03:14:08", math.MaxInt32 + 1, 3<<11 | 14<<5 | 4, 58<<9 | 1<<5 | 19, none},
		{"2106-02-07 06:28:16", 1 << 32, 6<<11 | 28<<5 | 8, 126<<9 | 2<<5 | 7, none},
		{"2107-12-31 23:59:57", 4354819197, 0xbf7c, 0xff9f, none},
		{"2107-12-31 23:59:58", 4354819198, 0xbf7d, 0xff9f, none},
		{"2107-12-31 23:59:59", 4354819199, 0xbf7d, 0xff9f, none},
		{"2108-01-01 00:00:00", 4354819200, 0xbf7d, 0xff9f, none},
		{"greatest", math.MaxInt64, 0xbf7d, 0xff9f, none},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			// strictzip holds local and central header to the same fields.
			e := Entry{Name: "a", Mode: mode0644, Size: 1, ModTime: test.unix}
			p := parseOne(t, e)
			if p.Clock != test.clock || p.Date != test.date {
				t.Errorf("DOS: got %#04x %#04x, want %#04x %#04x", p.Clock, p.Date, test.clock, test.date)
			}
			got := none
			if p.ModTime != nil {
				got = hex.EncodeToString(binary.LittleEndian.AppendUint32(nil, uint32(*p.ModTime)))
			}
			if got != test.extended {
				t.Errorf("extended timestamp: got %q, want %q", got, test.extended)
			}
			a, err := New([]Entry{e}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			check(t, a.NewReader(pattern{a}), []Entry{e}, patternCRC, "")
		})
	}
}

func TestNameLengths(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 255, 256, 4096, 65534, 65535} {
		files := []file{
			directory(strings.Repeat("d", n-1) + "/"),
			regular(strings.Repeat("f", n), "data"),
			symlink(strings.Repeat("l", n), "target"),
			{Entry{Name: strings.Repeat("o", n), Mode: mode0644, Size: 0, ModTime: -1}, ""},
		}
		if n == 1 {
			files = files[1:] // "/" is no name
		}
		checkFiles(t, layOut(t, Options{}, files...), "")
	}
}

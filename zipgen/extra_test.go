package zipgen

import (
	"archive/zip"
	"bytes"
	"testing"
)

// extras returns the extra fields of entry 0's two headers.
func extras(t *testing.T, o Options, e Entry) (local, central []byte) {
	t.Helper()
	a, err := New([]Entry{e}, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Entry(0); o.Owners && got != e {
		t.Errorf("Entry: got %+v, want %+v", got, e)
	}
	r := a.NewReader(pattern{a})
	x, y := r.extent(LocalHeader, 0), r.extent(CentralHeader, 0)
	local = readRange(t, r, x.Offset, x.Len)[localHeaderLen+len(e.Name):]
	central = readRange(t, r, y.Offset, y.Len)[centralHeaderLen+len(e.Name):]
	if _, err := zip.NewReader(r, r.Size()); err != nil {
		t.Errorf("archive/zip: %v", err)
	}
	return local, central
}

func TestExtraFields(t *testing.T) {
	t.Parallel()
	const (
		timestamp = "55 54 05 00 01 f0 79 e0 65"
		owner     = "75 78 0b 00  01  04 e8 03 00 00  04 ff ff ff ff"
		zip64     = "01 00 10 00  00 00 00 00 01 00 00 00  00 00 00 00 01 00 00 00"
		y1601     = "0a 00 20 00  00 00 00 00  01 00 18 00  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00"
		y1601s    = "0a 00 20 00  00 00 00 00  01 00 18 00  80 96 98 00 00 00 00 00  80 96 98 00 00 00 00 00  80 96 98 00 00 00 00 00"
	)
	both := Options{Owners: true, NTFSTimes: true}
	file := func(size, modTime int64) Entry {
		return Entry{Name: "a", Mode: mode0644, Size: size, ModTime: modTime, UID: 1000, GID: 0xffffffff}
	}
	for _, test := range []struct {
		name    string
		options Options
		entry   Entry
		want    string
	}{
		{"none", Options{}, file(1, leapDay), timestamp},
		{"none for a time before 1970", Options{}, file(1, -1), ""},
		{"owner", Options{Owners: true}, file(1, leapDay), timestamp + owner},
		{"no NTFS times without need", both, file(1, leapDay), timestamp + owner},
		{"at 1970", both, file(1, 0), "55 54 05 00 01 00 00 00 00" + owner},
		{"at 2038", both, file(1, 1<<31-1), "55 54 05 00 01 ff ff ff 7f" + owner},
		{"1601", Options{NTFSTimes: true}, file(1, -11644473600), y1601},
		{"a second after", both, file(1, -11644473599), y1601s + owner},
		{"before 1601", both, file(1, -11644473601), owner},
		{"past NTFS", both, file(1, 1<<40), owner},
		{"ZIP64 first", both, file(1<<32, -11644473600), zip64 + y1601 + owner},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			local, central := extras(t, test.options, test.entry)
			sameBytes(t, local, fromHex(t, test.want))
			sameBytes(t, central, fromHex(t, test.want))
		})
	}
}

// NTFS times of known dates, and the last one that they can tell.
func TestNTFSTime(t *testing.T) {
	t.Parallel()
	for unix, want := range map[int64]uint64{
		0:            116444736000000000,
		-2177452800:  94670208000000000,  // 1901-01-01
		1 << 31:      137919572480000000, // 2038-01-19 03:14:08
		7258118400:   189025920000000000, // 2200-01-01
		910692730085: 9223372036850000000,
	} {
		if got := ntfsTime(unix); got != want || !fitsNTFSTime(unix) {
			t.Errorf("%d: got %d (fits: %v), want %d", unix, got, fitsNTFSTime(unix), want)
		}
	}
	if fitsNTFSTime(910692730086) {
		t.Error("a time of more than 63 bits fits")
	}
}

// archive/zip takes NTFS times as they are meant.
func TestNTFSTimeReadBack(t *testing.T) {
	t.Parallel()
	for _, unix := range []int64{-2177452800, -1, 1 << 31, 7258118400} {
		r := layOut(t, Options{NTFSTimes: true}, file{Entry{Name: "a", Mode: mode0644, Size: 1, ModTime: unix}, "x"})
		z, err := zip.NewReader(bytes.NewReader(readFull(t, r)), r.Size())
		if err != nil {
			t.Fatal(err)
		}
		if got := z.File[0].Modified.Unix(); got != unix {
			t.Errorf("got %d, want %d", got, unix)
		}
	}
}

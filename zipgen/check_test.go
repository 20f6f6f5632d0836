package zipgen

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"vzip/internal/strictzip"
)

// check reads an archive in two ways, with strictzip and with archive/zip, and
// compares what both find with the entries, which come in the archive's order.
func check(t testing.TB, r *Reader, want []Entry, crc func(i int) uint32, comment string) {
	t.Helper()
	if r.Len() != len(want) {
		t.Fatalf("Len: got %d, want %d", r.Len(), len(want))
	}
	src := source(t, r)
	checkParsed(t, r, src, want, crc, comment)
	checkArchiveZip(t, r, src, want, crc, comment)
}

// source is r, or its bytes if they are few: then one read saves thousands.
func source(t testing.TB, r *Reader) io.ReaderAt {
	t.Helper()
	if r.Size() > 16<<20 {
		return r
	}
	return bytes.NewReader(readFull(t, r))
}

func checkParsed(t testing.TB, r *Reader, src io.ReaderAt, want []Entry, crc func(i int) uint32, comment string) {
	t.Helper()
	got, err := strictzip.Parse(src, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	directoryAt, directory := r.Directory()
	if len(got.Entries) != len(want) || got.Comment != comment || got.DirectoryAt != directoryAt || got.DirectoryLen != directory {
		t.Fatalf("got %d entries, %d bytes of directory at %d, comment %q; want %d, %d at %d, %q",
			len(got.Entries), got.DirectoryLen, got.DirectoryAt, got.Comment, len(want), directory, directoryAt, comment)
	}
	for i, p := range got.Entries {
		e := want[i]
		if r.Entry(i) != e || p.Name != e.Name || p.Size != e.Size || r.EntrySize(i) != e.Size {
			t.Fatalf("entry %d: got %q with %d bytes, want %q with %d", i, p.Name, p.Size, e.Name, e.Size)
		}
		wantMethod, wantSize := inArchive(e)
		size, isDeflated := r.EntryCompressedSize(i)
		if p.Method != wantMethod || p.CompressedSize != wantSize || size != wantSize || isDeflated != (wantMethod == zip.Deflate) {
			t.Fatalf("%q: got method %d, %d bytes in the archive; the layout says %d, deflated: %v; want %d, %d", p.Name, p.Method, p.CompressedSize, size, isDeflated, wantMethod, wantSize)
		}
		if h, d := r.HeaderOffset(i), r.DataOffset(i); p.HeaderAt != h || p.DataAt != d {
			t.Errorf("%q: header at %d, data at %d; the layout says %d, %d", p.Name, p.HeaderAt, p.DataAt, h, d)
		}
		checkFields(t, p, e, crc, i)
	}
}

// inArchive returns the method and the size that an entry's data has in the archive.
func inArchive(e Entry) (method uint16, size int64) {
	if e.CompressedSize > 0 {
		return zip.Deflate, e.CompressedSize
	}
	return zip.Store, e.Size
}

// checkFields compares what both headers tell with the entry.
func checkFields(t testing.TB, p strictzip.Entry, e Entry, crc func(i int) uint32, i int) {
	t.Helper()
	type fields struct {
		madeBy, needed, flags uint16
		crc, attrs            uint32
		dosTime               int64
		hasModTime            bool
	}
	want := fields{madeBy: 0x031e, needed: 10, attrs: e.Mode << 16, dosTime: dosRange(e.ModTime), hasModTime: e.ModTime>>31 == 0}
	switch {
	case p.CentralZIP64 > 0:
		want.madeBy, want.needed = 0x032d, 45
	case strings.HasSuffix(e.Name, "/"), e.CompressedSize > 0:
		want.needed = 20
	}
	switch e.Mode & TypeMask {
	case TypeDir:
		want.attrs |= 0x10
	case TypeSymlink:
		want.attrs = 0xa1ff0000
	}
	if utf8.ValidString(e.Name) && len([]rune(e.Name)) < len(e.Name) {
		want.flags = 0x800
	}
	if e.Size > 0 {
		want.crc = crc(i)
	}
	date, clock := int(p.Date), int(p.Clock)
	dos := time.Date(1980+date>>9, time.Month(date>>5&15), date&31, clock>>11, clock>>5&63, clock&31*2, 0, time.UTC)
	if got := (fields{p.MadeBy, p.Needed, p.Flags, p.CRC32, p.ExternalAttributes, dos.Unix(), p.ModTime != nil}); got != want {
		t.Errorf("%q: got %+v, want %+v", p.Name, got, want)
	}
	if unix, ok := p.ModifiedUnix(); ok && unix != e.ModTime {
		t.Errorf("%q: extra fields say %d, modification time %d", p.Name, unix, e.ModTime)
	}
	if o := p.Owner; o != nil && (o.UID != e.UID || o.GID != e.GID) {
		t.Errorf("%q: got owner %+v, want %d, %d", p.Name, *o, e.UID, e.GID)
	}
}

func checkArchiveZip(t testing.TB, r *Reader, src io.ReaderAt, want []Entry, crc func(i int) uint32, comment string) {
	t.Helper()
	z, err := zip.NewReader(src, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != len(want) || z.Comment != comment {
		t.Fatalf("archive/zip: %d entries, comment %q; want %d, %q", len(z.File), z.Comment, len(want), comment)
	}
	for i, f := range z.File {
		e := want[i]
		method, size := inArchive(e)
		if f.Name != e.Name || f.UncompressedSize64 != uint64(e.Size) || f.CompressedSize64 != uint64(size) || f.Method != method {
			t.Fatalf("archive/zip: entry %d: got %+v, want %+v", i, f.FileHeader, e)
		}
		wantCRC := uint32(0)
		if e.Size > 0 {
			wantCRC = crc(i)
		}
		if f.CRC32 != wantCRC {
			t.Errorf("archive/zip: %q: CRC-32: got %08x, want %08x", e.Name, f.CRC32, wantCRC)
		}
		if got, want := f.Mode(), fileMode(e.Mode); got != want {
			t.Errorf("archive/zip: %q: mode: got %v, want %v", e.Name, got, want)
		}
		want := storedTime(e.ModTime)
		if rec := r.record(i); rec.mode&hasNTFSTime != 0 {
			want = e.ModTime
		}
		if got := f.Modified.Unix(); got != want {
			t.Errorf("archive/zip: %q: modified: got %d, want %d", e.Name, got, want)
		}
		if got, err := f.DataOffset(); err != nil || got != r.DataOffset(i) {
			t.Errorf("archive/zip: %q: data at %d, %v; the layout says %d", e.Name, got, err, r.DataOffset(i))
		}
	}
}

// checkData compares the data as archive/zip reads and sums it.
func checkData(t testing.TB, r *Reader) {
	t.Helper()
	z, err := zip.NewReader(r, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range r.content.(memContent) {
		f, err := z.File[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v; want %q", z.File[i].Name, got, err, want)
		}
		f.Close()
	}
}

// checkFiles checks an archive of files in memory: headers and data.
func checkFiles(t testing.TB, r *Reader, comment string) {
	t.Helper()
	c := r.content.(memContent)
	entries := make([]Entry, r.Len())
	for i := range entries {
		entries[i] = r.Entry(i)
	}
	check(t, r, entries, func(i int) uint32 { crc, _ := c.CRC32(i); return crc }, comment)
	checkData(t, r)
}

func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for bit, to := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&bit != 0 {
			m |= to
		}
	}
	switch mode & TypeMask {
	case TypeDir:
		return m | fs.ModeDir
	case TypeSymlink:
		return fs.ModeSymlink | 0o777
	}
	return m
}

// storedTime is the time that a reader finds: the exact one of the extended
// timestamp, else that of the DOS fields.
func storedTime(unix int64) int64 {
	if 0 <= unix && unix < 1<<31 {
		return unix
	}
	return dosRange(unix)
}

// dosRange is what DOS fields can tell of a time: even, in 1980..2107.
func dosRange(unix int64) int64 { return min(max(unix, 315532800), 4354819198) &^ 1 }

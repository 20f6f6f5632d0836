package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"vzip/zipgen"
)

func archive(t testing.TB, entries ...zipgen.Entry) *zipgen.Archive {
	t.Helper()
	b := zipgen.NewBuilder(zipgen.Options{})
	for _, e := range entries {
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	a, err := b.Archive()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// odd are names that JSON writes in a way of its own, in bytewise order.
var odd = []string{"\x1b[31m", " ", `"quoted"`, "&<b>", "a/b", `a\b`, "caf\xe9", "gr\u00fc\u00dfe", "line\u2028end", "\x7f", "\U0001F600", "\xff\xfe"}

// The text is what encoding/json makes of the same values.
func TestWrite(t *testing.T) {
	t.Parallel()
	entries := []zipgen.Entry{{Name: "d/", Mode: zipgen.TypeDir | 0o755}, {Name: "e", Mode: zipgen.TypeSymlink | 0o777, Size: 3}, {Name: "f", Mode: 0o100644}}
	for _, name := range odd {
		entries = append(entries, zipgen.Entry{Name: "x" + name, Mode: 0o100644, Size: 1 << 33})
	}
	a := archive(t, entries...)
	var got bytes.Buffer
	if err := Write(&got, "a&b.zip", a, true, func(i int) (uint32, bool) { return uint32(i), i != 5 }); err != nil {
		t.Fatal(err)
	}
	type object struct {
		Name       string `json:"name"`
		NameBytes  []byte `json:"name_base64,omitempty"`
		Type       string `json:"type"`
		Size       int64  `json:"size"`
		CRC32      string `json:"crc32,omitempty"`
		Header     int64  `json:"header_offset"`
		DataOffset int64  `json:"data_offset"`
	}
	want := fmt.Sprintf("{\"name\": \"a\\u0026b.zip\", \"size\": %d, \"entries\": [", a.Size())
	for i, e := range entries {
		o := object{Name: e.Name, Type: "file", Size: e.Size, CRC32: fmt.Sprintf("%08x", i), Header: a.HeaderOffset(i), DataOffset: a.DataOffset(i)}
		switch i {
		case 0:
			o.Type = "directory"
		case 1:
			o.Type = "symlink"
		case 5:
			o.CRC32 = ""
		}
		if name := e.Name; name == "xcaf\xe9" || name == "x\xff\xfe" {
			o.NameBytes = []byte(name)
		}
		line, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			want += ","
		}
		want += "\n  " + string(line)
	}
	want += "\n]}\n"
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &got, want)
	}
}

// Read at any offset, in parts of any size, the text is the same, and only the CRCs that
// stand there are asked for.
func TestReadAt(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, count := range []int{0, 1, 2, indexStep - 1, indexStep, indexStep + 1, 3*indexStep + 7} {
		var entries []zipgen.Entry
		for i := range count {
			entries = append(entries, zipgen.Entry{Name: fmt.Sprintf("f%06d%s", i, odd[i%len(odd)]), Mode: 0o100644, Size: int64(i % 3 * 1000)})
		}
		a := archive(t, entries...)
		m := New("d/a.zip", a)
		sum := func(i int) uint32 {
			if i%3 == 0 {
				return 0 // it is empty
			}
			return uint32(i) * 0x9E3779B9
		}
		var whole bytes.Buffer
		if err := Write(&whole, "d/a.zip", a, true, func(i int) (uint32, bool) { return sum(i), true }); err != nil {
			t.Fatal(err)
		}
		want := whole.Bytes()
		if m.Size() != int64(len(want)) || !json.Valid(want) {
			t.Fatalf("%d entries: got size %d, want %d", count, m.Size(), len(want))
		}
		for range 60 {
			off := rnd.IntN(len(want) + 1)
			p := make([]byte, rnd.IntN(min(len(want)-off, 1<<rnd.IntN(18))+1))
			asked := 0
			err := m.ReadAt(p, int64(off), func(i int) (uint32, error) {
				asked++
				if i%3 == 0 {
					t.Errorf("the CRC of entry %d is asked for, which is empty", i)
				}
				return sum(i), nil
			})
			if err != nil || !bytes.Equal(p, want[off:off+len(p)]) {
				t.Fatalf("%d entries, %d bytes at %d: got %q and %v, want %q", count, len(p), off, p, err, want[off:off+len(p)])
			}
			if most := len(p)/80 + 2; asked > most {
				t.Errorf("%d bytes: %d CRCs are asked for, want %d at most", len(p), asked, most)
			}
		}
	}
}

// An archive with entries that are deflated has two fields more, here and at any offset;
// before it is known what they are deflated to nothing is told that will be another.
func TestDeflated(t *testing.T) {
	t.Parallel()
	plain := archive(t, zipgen.Entry{Name: "a", Mode: 0o100644, Size: 1000}, zipgen.Entry{Name: "b", Mode: 0o100644, Size: 9})
	a, err := plain.Deflated(func(i int) int64 { return []int64{300, 0}[i] })
	if err != nil {
		t.Fatal(err)
	}
	sum := func(i int) (uint32, bool) { return uint32(i), true }
	text := func(a *zipgen.Archive, placed bool) string {
		var b bytes.Buffer
		if err := Write(&b, "a.zip", a, placed, sum); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	want := fmt.Sprintf(`{"name": "a.zip", "size": %d, "entries": [
  {"name":"a","type":"file","size":1000,"crc32":"00000000","method":"deflate","compressed_size":300,"header_offset":0,"data_offset":%d},
  {"name":"b","type":"file","size":9,"crc32":"00000001","method":"store","compressed_size":9,"header_offset":%d,"data_offset":%d}
]}
`, a.Size(), a.DataOffset(0), a.HeaderOffset(1), a.DataOffset(1))
	if got := text(a, true); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	m := New("a.zip", a)
	p := make([]byte, m.Size())
	if err := m.ReadAt(p, 0, func(i int) (uint32, error) { return uint32(i), nil }); err != nil || string(p) != want {
		t.Errorf("ReadAt: got %v and:\n%s\nwant:\n%s", err, p, want)
	}
	want = `{"name": "a.zip", "size": null, "entries": [
  {"name":"a","type":"file","size":1000,"crc32":"00000000","method":null,"compressed_size":null,"header_offset":null,"data_offset":null},
  {"name":"b","type":"file","size":9,"crc32":"00000001","method":null,"compressed_size":null,"header_offset":null,"data_offset":null}
]}
`
	if got := text(plain, false); got != want {
		t.Errorf("not placed: got:\n%s\nwant:\n%s", got, want)
	}
	stored, err := plain.Deflated(func(int) int64 { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := text(stored, true), text(plain, true); got != want {
		t.Errorf("all stored: got:\n%s\nwant:\n%s", got, want)
	}
}

var errNone = errors.New("not known")

func TestReadAtFails(t *testing.T) {
	t.Parallel()
	a := archive(t, zipgen.Entry{Name: "a", Mode: 0o100644}, zipgen.Entry{Name: "b", Mode: 0o100644, Size: 1})
	m := New("a.zip", a)
	none := func(int) (uint32, error) { return 0, errNone }
	p := make([]byte, m.Size())
	if err := m.ReadAt(p, 0, none); err != errNone {
		t.Errorf("got error %v, want %v", err, errNone)
	}
	for _, part := range []struct{ from, to int64 }{{0, 60}, {m.Size() - 4, m.Size()}} {
		if err := m.ReadAt(p[part.from:part.to], part.from, none); err != nil {
			t.Errorf("bytes %d to %d: got error %v, though no CRC stands there", part.from, part.to, err)
		}
	}
}

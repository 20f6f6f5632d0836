// Package manifest tells in JSON what is in an archive: name and size of the archive, and
// of each entry its name, type, size, CRC-32 and place; in an archive with entries that are
// deflated also each one's method and compressed size. It is what "vzip list --json"
// prints, and what the manifest sidecar holds.
//
// In scope: that text, as a stream or at any offset. Out of scope: where CRCs come from.
package manifest

import (
	"encoding/json"
	"io"
	"sort"
	"strconv"
	"unicode/utf8"

	"vzip/zipgen"
)

// Manifest is the text about one archive, with every CRC-32. It keeps no more of it than
// where each indexStep-th entry stands, and is safe for any number of goroutines.
type Manifest struct {
	text
	head  string
	index []int64 // where the text of each run of indexStep entries starts
	size  int64
}

// text is what is told of an archive.
type text struct {
	archive *zipgen.Archive
	methods bool // and compressed sizes
	placed  bool // these, and where entries stand, are known
}

// indexStep is how many entries are rendered for nothing at most, to get at one.
const indexStep = 512

// New returns the manifest of an archive with this name. All entries are looked at once.
func New(name string, a *zipgen.Archive) *Manifest {
	m := &Manifest{text: text{a, a.HasDeflated(), true}}
	m.head = m.text.head(name)
	m.size = int64(len(m.head))
	var b []byte
	for i := range a.Len() {
		if i%indexStep == 0 {
			m.index = append(m.index, m.size)
		}
		b, _ = m.appendEntry(b[:0], i, true)
		m.size += int64(len(b))
	}
	m.size += int64(len(tail))
	return m
}

// Size returns the length of the text in bytes. It depends on no CRC-32.
func (m *Manifest) Size() int64 { return m.size }

// ReadAt fills p with the text from off on, which must have so many bytes there. It asks
// crc for the CRC-32s of those entries that p has something of, in order; those of entries
// without data are 0, and not asked for.
func (m *Manifest) ReadAt(p []byte, off int64, crc func(i int) (uint32, error)) error {
	put := func(text []byte, at int64) {
		if from := off - at; from < int64(len(text)) && at < off+int64(len(p)) {
			copy(p[max(0, -from):], text[max(0, from):])
		}
	}
	put([]byte(m.head), 0)
	put([]byte(tail), m.size-int64(len(tail)))
	run := max(0, sort.Search(len(m.index), func(i int) bool { return m.index[i] > off })-1)
	if run >= len(m.index) {
		return nil
	}
	at := m.index[run]
	var b []byte
	for i := run * indexStep; i < m.archive.Len() && at < off+int64(len(p)); i++ {
		var crcAt int
		b, crcAt = m.appendEntry(b[:0], i, true)
		if end := at + int64(len(b)); end > off && m.archive.EntrySize(i) > 0 {
			sum, err := crc(i)
			if err != nil {
				return err
			}
			putHex(b[crcAt:], sum)
		}
		put(b, at)
		at += int64(len(b))
	}
	return nil
}

// Write writes the text entry by entry, without the CRC-32s that crc does not know. Where
// it is not known yet which entries are deflated, and so nothing is placed, null stands for
// all that depends on it.
func Write(w io.Writer, name string, a *zipgen.Archive, placed bool, crc func(i int) (crc uint32, ok bool)) error {
	t := text{a, !placed || a.HasDeflated(), placed}
	if _, err := io.WriteString(w, t.head(name)); err != nil {
		return err
	}
	var b []byte
	for i := range a.Len() {
		sum, ok := crc(i)
		var crcAt int
		if b, crcAt = t.appendEntry(b[:0], i, ok); ok {
			putHex(b[crcAt:], sum)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, tail)
	return err
}

func (t *text) head(name string) string {
	b := append(appendString([]byte(`{"name": `), name), `, "size": `...)
	return string(append(t.appendPlace(b, t.archive.Size()), `, "entries": [`...))
}

// appendPlace appends a number that depends on what is deflated.
func (t *text) appendPlace(b []byte, n int64) []byte {
	if !t.placed {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, n, 10)
}

const tail = "\n]}\n"

// appendEntry appends the object of entry i, and what parts it from the one before. A
// CRC-32 of zero stands at crcAt if there is to be one.
func (t *text) appendEntry(b []byte, i int, crc bool) (_ []byte, crcAt int) {
	if i > 0 {
		b = append(b, ',')
	}
	a := t.archive
	e := a.Entry(i)
	b = appendString(append(b, "\n  {\"name\":"...), e.Name)
	if !utf8.ValidString(e.Name) {
		bytes, _ := json.Marshal([]byte(e.Name)) // can't fail
		b = append(append(b, `,"name_base64":`...), bytes...)
	}
	kind := "file"
	switch e.Mode & zipgen.TypeMask {
	case zipgen.TypeDir:
		kind = "directory"
	case zipgen.TypeSymlink:
		kind = "symlink"
	}
	b = append(append(append(b, `,"type":"`...), kind...), `","size":`...)
	b = strconv.AppendInt(b, e.Size, 10)
	if crc {
		b = append(b, `,"crc32":"00000000"`...)
		crcAt = len(b) - len(`00000000"`)
	}
	if t.methods {
		compressed, isDeflated := a.EntryCompressedSize(i)
		method := `"store"`
		switch {
		case !t.placed:
			method = "null"
		case isDeflated:
			method = `"deflate"`
		}
		b = append(append(b, `,"method":`...), method...)
		b = t.appendPlace(append(b, `,"compressed_size":`...), compressed)
	}
	b = t.appendPlace(append(b, `,"header_offset":`...), a.HeaderOffset(i))
	b = t.appendPlace(append(b, `,"data_offset":`...), a.DataOffset(i))
	return append(b, '}'), crcAt
}

// putHex puts a CRC-32 in 8 hex digits at the start of b.
func putHex(b []byte, crc uint32) {
	for i := range 8 {
		b[i] = "0123456789abcdef"[crc>>(28-4*i)&15]
	}
}

// appendString appends s as json.Marshal writes it.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(s) // can't fail
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

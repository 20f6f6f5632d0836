package strictzip

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Archives that are good. Broken ones are made of them by one change.

// 2024-02-29 12:34:56 UTC
const (
	leapDay   = 1709210096
	leapClock = 12<<11 | 34<<5 | 28
	leapDate  = 44<<9 | 2<<5 | 29
)

func le16(v ...uint16) (b []byte) {
	for _, v := range v {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

func le32(v ...uint32) (b []byte) {
	for _, v := range v {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func le64(v ...uint64) (b []byte) {
	for _, v := range v {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

func extended(unix uint32) field { return field{idExtended, append([]byte{1}, le32(unix)...)} }

func owner(uid, gid uint32) field {
	return field{idOwner, slices.Concat([]byte{1, 4}, le32(uid), []byte{4}, le32(gid))}
}

func ntfs(ticks uint64) field {
	return field{idNTFS, slices.Concat(le32(0), le16(1, 24), le64(ticks, ticks, ticks))}
}

// both sets both headers' fields.
func (e *rawEntry) both(set func(h *rawHeader)) {
	set(&e.local)
	set(&e.central)
}

func (e *rawEntry) setExtra(fields ...field) {
	e.both(func(h *rawHeader) {
		h.extra = nil
		for _, f := range fields {
			h.extra = append(h.extra, field{f.id, slices.Clone(f.data)})
		}
	})
}

func (e *rawEntry) setName(name string) { e.both(func(h *rawHeader) { h.name = name }) }

func newEntry(name string, attributes uint32, needed uint16, data string) *rawEntry {
	e := &rawEntry{madeBy: 0x031e, attributes: attributes, data: []byte(data), size: int64(len(data))}
	e.both(func(h *rawHeader) {
		h.needed, h.clock, h.date = needed, leapClock, leapDate
		h.crc, h.compressed, h.size = sum(data), uint32(len(data)), uint32(len(data))
	})
	e.setName(name)
	e.setExtra(extended(leapDay))
	return e
}

func newFile(name, data string) *rawEntry { return newEntry(name, 0o100644<<16, 10, data) }
func newDir(name string) *rawEntry        { return newEntry(name, 0o040755<<16|0x10, 20, "") }
func newLink(name, target string) *rawEntry {
	return newEntry(name, linkAttributes, 10, target)
}

// indices into plain's entries
const (
	inDir = iota
	inFile
	inLink
	inEmpty
	inOwned
	inOld
	inUTF8
)

// plain has every kind of entry, below all limits.
func plain() *raw {
	a := &raw{comment: "comment", entries: []*rawEntry{
		inDir:   newDir("d/"),
		inFile:  newFile("d/file", "some data"),
		inLink:  newLink("d/link", "file"),
		inEmpty: newFile("e", ""),
		inOwned: newFile("f", "owned"),
		inOld:   newFile("g", "of 1601"),
		inUTF8:  newFile("\u00e9", "name"),
	}}
	a.entries[inOwned].setExtra(extended(leapDay), owner(1000, 0xfffffffe))
	old := a.entries[inOld]
	old.setExtra(ntfs(1), owner(0, 0))
	old.both(func(h *rawHeader) { h.clock, h.date = 0, 0x0021 })
	a.entries[inUTF8].both(func(h *rawHeader) { h.flags = 0x800 })
	a.layOut()
	return a
}

// blocks deflates data as vzip does: block by block, each on its own, with a flush
// between them; those that would grow are stored.
func blocks(data string) (out []byte) {
	for {
		block := data[:min(len(data), blockLen)]
		data = data[len(block):]
		var made bytes.Buffer
		w, _ := flate.NewWriter(&made, 6)
		_, _ = io.WriteString(w, block) // a buffer takes all
		if data == "" {
			_ = w.Close()
		} else {
			_ = w.Flush()
		}
		if stored := storedBlocks(block, data == ""); block != "" && len(stored) <= made.Len() {
			out = append(out, stored...)
		} else {
			out = append(out, made.Bytes()...)
		}
		if data == "" {
			return out
		}
	}
}

// storedBlocks makes deflate's stored blocks of data, as blocks that would grow are made.
func storedBlocks(data string, last bool) (b []byte) {
	for data != "" {
		n := min(len(data), 65535)
		final := byte(0)
		if last && n == len(data) {
			final = 1
		}
		b = append(append(b, final), le16(uint16(n), ^uint16(n))...)
		b = append(b, data[:n]...)
		data = data[n:]
	}
	return b
}

// newDeflated is a file whose data is what stands for its content.
func newDeflated(name, content string, data []byte) *rawEntry {
	e := newFile(name, content)
	e.data, e.size = data, int64(len(data))
	e.both(func(h *rawHeader) { h.method, h.needed, h.compressed = 8, 20, uint32(len(data)) })
	return e
}

// deflated has small files, with a stored one between them.
func deflated() *raw {
	a := &raw{}
	for i, content := range []string{"x", strings.Repeat("some text ", 100), "stored"} {
		name := string(rune('a' + i))
		if content == "stored" {
			a.entries = append(a.entries, newFile(name, content))
		} else {
			a.entries = append(a.entries, newDeflated(name, content, blocks(content)))
		}
	}
	a.entries = append(a.entries, newDeflated("d", "last", blocks("last")))
	a.layOut()
	return a
}

// widely has a deflated entry whose sizes are given, of no data that could be
// inflated, and one behind it.
func widely(size, compressed int64) *raw {
	e := newDeflated("a", "x", nil)
	e.size = compressed
	wide := func(e *rawEntry, size, compressed int64, offset bool) {
		e.setZIP64(true, offset)
		e.local.extra[0].data = le64(uint64(size), uint64(compressed))
		e.central.extra[0].data = slices.Clone(e.local.extra[0].data)
		if offset {
			e.central.extra[0].data = append(e.central.extra[0].data, le64(0)...) // layOut knows it
		}
	}
	e.both(func(h *rawHeader) { h.size, h.compressed = uint32(size), uint32(compressed) })
	if max(size, compressed) >= sentinel32 {
		wide(e, size, compressed, false)
	}
	f := newDeflated("b", "after", blocks("after"))
	late := compressed+int64(len(e.localBytes())) >= sentinel32
	switch {
	case size == sentinel32 || compressed == sentinel32:
		wide(f, 5, f.size, late)
		if !late {
			f.central.extra[0].data = f.central.extra[0].data[:16]
		}
	case late:
		f.setZIP64(false, true)
	}
	a := &raw{entries: []*rawEntry{e, f}}
	if compressed+int64(len(e.localBytes())+len(f.localBytes()))+f.size >= sentinel32 {
		a.end64 = new(rawEnd64)
	}
	a.layOut()
	return a
}

// aligned has a file whose data starts at 512 and one at 2048.
func aligned() *raw {
	a := &raw{entries: []*rawEntry{newFile("a", strings.Repeat("x", 1000)), newFile("b", strings.Repeat("y", 512))}}
	a.entries[0].local.extra = append(a.entries[0].local.extra, alignment(512, 512-localLen-1-9-6))
	a.entries[1].local.extra = append(a.entries[1].local.extra, alignment(512, 2048-512-1000-localLen-1-9-6))
	a.layOut()
	return a
}

func alignment(to uint16, zeros int) field {
	return field{idAlign, append(le16(to), make([]byte, zeros)...)}
}

func empty() *raw {
	a := new(raw)
	a.layOut()
	return a
}

// setZIP64 saturates the sizes of an entry, and its offset if it comes late.
func (e *rawEntry) setZIP64(sizes, offset bool) {
	var central []byte
	if sizes {
		e.both(func(h *rawHeader) { h.compressed, h.size = sentinel32, sentinel32 })
		central = le64(uint64(e.size), uint64(e.size))
		e.local.extra = slices.Insert(e.local.extra, 0, field{idZIP64, slices.Clone(central)})
	}
	if offset {
		e.offset = sentinel32
		central = append(central, le64(0)...) // layOut knows it
	}
	e.central.extra = slices.Insert(e.central.extra, 0, field{idZIP64, central})
	e.both(func(h *rawHeader) { h.needed = 45 })
	e.madeBy = 0x032d
}

// sized has two entries; the first has size bytes of data, all zero but the first.
func sized(size int64) *raw {
	e := newFile("a", "x")
	e.size = size
	e.both(func(h *rawHeader) { h.compressed, h.size = uint32(size), uint32(size) })
	if size >= sentinel32 {
		e.setZIP64(true, false)
	}
	f := newFile("b", "after")
	next := size + int64(len(e.localBytes()))
	if next >= sentinel32 {
		f.setZIP64(size == sentinel32, true)
	}
	a := &raw{entries: []*rawEntry{e, f}}
	if next+int64(len(f.localBytes())+5) >= sentinel32 {
		a.end64 = new(rawEnd64)
	}
	a.layOut()
	return a
}

// bySize: the sizes need ZIP64, and then the second offset does.
func bySize() *raw { return sized(sentinel32) }

// byOffset: the second offset alone needs ZIP64.
func byOffset() *raw { return sized(sentinel32 - localLen - 1 - 9) }

// byBoth: both sizes and the offset of the last entry do.
func byBoth() *raw {
	a := sized(sentinel32 + 1)
	e := a.entries[1]
	e.size = sentinel32 + 2
	e.offset = 0
	e.local.extra, e.central.extra = []field{extended(leapDay)}, []field{extended(leapDay)}
	e.setZIP64(true, true)
	a.layOut()
	return a
}

// byDirectory: the directory's offset alone needs ZIP64.
func byDirectory() *raw { return sized(sentinel32 - 2*(localLen+1+9) - 5) }

// counted has n entries without data.
func counted(n int) *raw {
	a := new(raw)
	for i := range n {
		a.entries = append(a.entries, newFile(fmt.Sprintf("%05d", i), ""))
	}
	if n >= sentinel16 {
		a.end64 = new(rawEnd64)
	}
	a.layOut()
	return a
}

// signed has the bytes of an end signature in the end record's offset.
func signed() *raw { return sized(0x06054b50 - 2*(localLen+1+9) - 5) }

package strictzip

import (
	"slices"
	"strings"
)

// inBoth sets a field of an entry of plain in both headers.
func inBoth(i int, set func(h *rawHeader)) func(a *raw) {
	return func(a *raw) { a.entries[i].both(set) }
}

// inLocal sets one in the local header alone.
func inLocal(i int, set func(h *rawHeader)) func(a *raw) {
	return func(a *raw) { set(&a.entries[i].local) }
}

func named(name string) func(a *raw) {
	return func(a *raw) { a.entries[inEmpty].setName(name) }
}

func attributes(i int, v uint32) func(a *raw) {
	return func(a *raw) { a.entries[i].attributes = v }
}

var brokenHeader = []broken{
	{name: "file needs 20", good: plain, set: inBoth(inFile, func(h *rawHeader) { h.needed = 20 }), want: ErrVersion},
	{name: "file needs 45", good: plain, set: inBoth(inFile, func(h *rawHeader) { h.needed = 45 }), want: ErrVersion},
	{name: "link needs 20", good: plain, set: inBoth(inLink, func(h *rawHeader) { h.needed = 20 }), want: ErrVersion},
	{name: "directory needs 10", good: plain, set: inBoth(inDir, func(h *rawHeader) { h.needed = 10 }), want: ErrVersion},
	{name: "made by MS-DOS", good: plain, set: func(a *raw) { a.entries[inFile].madeBy = 0x001e }, want: ErrVersion},
	{name: "made by 4.5 without ZIP64", good: plain, set: func(a *raw) { a.entries[inFile].madeBy = 0x032d }, want: ErrVersion},

	{name: "encrypted", good: plain, set: inBoth(inFile, func(h *rawHeader) { h.flags = 1 << 0 }), want: ErrFlags},
	{name: "data descriptor", good: plain, set: inBoth(inFile, func(h *rawHeader) { h.flags = 1 << 3 }), want: ErrFlags},
	{name: "bit 13", good: plain, set: inBoth(inFile, func(h *rawHeader) { h.flags = 1 << 13 }), want: ErrFlags},
	{name: "bit 11 on an ASCII name", good: plain, set: inBoth(inFile, func(h *rawHeader) { h.flags = 1 << 11 }), want: ErrFlags},
	{name: "no bit 11 on a UTF-8 name", good: plain, set: inBoth(inUTF8, func(h *rawHeader) { h.flags = 0 }), want: ErrFlags},
	{name: "bit 11 on a Latin-1 name", good: plain, set: inBoth(inUTF8, func(h *rawHeader) { h.name = "\xe9\xe9" }), want: ErrFlags},
	{name: "deflated, needs 10", good: plain, set: inBoth(inFile, func(h *rawHeader) { h.method = 8 }), want: ErrVersion},
	{name: "deflate64", good: deflated, set: inBoth(0, func(h *rawHeader) { h.method = 9 }), want: ErrMethod},
	{name: "deflated link", good: plain, set: inBoth(inLink, func(h *rawHeader) { h.method, h.needed = 8, 20 }), want: ErrMethod},
	{name: "deflated directory", good: plain, set: inBoth(inDir, func(h *rawHeader) { h.method = 8 }), want: ErrSize},
	{name: "deflated directory with data", good: deflated, shape: func(a *raw) {
		a.entries[3].setName("d/")
		a.entries[3].attributes = 0o040755<<16 | 0x10
	}, want: ErrSize},
	{name: "deflated, empty", good: plain, shape: func(a *raw) { a.entries[inEmpty] = newDeflated("e", "", blocks("")) }, want: ErrSize},
	{name: "deflated, of no bytes", good: deflated, shape: func(a *raw) { a.entries[0] = newDeflated("a", "x", nil) }, want: ErrSize},
	{name: "deflated, uncompressed size of 0", good: deflated, set: inBoth(1, func(h *rawHeader) { h.size = 0 }), want: ErrSize},
	{name: "deflated to far more", good: deflated, shape: func(a *raw) { a.entries[0] = newDeflated("a", "x", make([]byte, 1000)) }, want: ErrSize},
	{name: "deflated, flags of a level", good: deflated, set: inBoth(0, func(h *rawHeader) { h.flags = 1 << 1 }), want: ErrFlags},
	{name: "deflated, data descriptor", good: deflated, set: inBoth(0, func(h *rawHeader) { h.flags = 1 << 3 }), want: ErrFlags},
	{name: "stored, needs 20", good: deflated, set: inBoth(2, func(h *rawHeader) { h.needed = 20 }), want: ErrVersion},
	{name: "deflated, compressed size too big", good: deflated, set: inBoth(1, func(h *rawHeader) { h.compressed++ }), want: ErrOverlap},
	{name: "deflated, compressed size too small", good: deflated, set: inBoth(0, func(h *rawHeader) { h.compressed-- }), want: ErrGap},
	{name: "compressed size differs", good: plain, set: inBoth(inFile, func(h *rawHeader) { h.compressed-- }), want: ErrSize},
	{name: "uncompressed size differs", good: plain, set: inBoth(inFile, func(h *rawHeader) { h.size++ }), want: ErrSize},
	{name: "directory with data", good: plain, shape: func(a *raw) {
		e := a.entries[inDir]
		e.data, e.size = []byte("x"), 1
		e.both(func(h *rawHeader) { h.compressed, h.size, h.crc = 1, 1, sum("x") })
	}, want: ErrSize},
	{name: "CRC-32 of an empty file", good: plain, set: inBoth(inEmpty, func(h *rawHeader) { h.crc = 1 }), want: ErrCRC},
	{name: "CRC-32 of a directory", good: plain, set: inBoth(inDir, func(h *rawHeader) { h.crc = 1 }), want: ErrCRC},

	{name: "entry comment", good: plain, shape: func(a *raw) { a.entries[inFile].comment = "c" }, want: ErrComment},
	{name: "disk number", good: plain, set: func(a *raw) { a.entries[inFile].disk = 1 }, want: ErrDisk},
	{name: "saturated disk number", good: plain, set: func(a *raw) { a.entries[inFile].disk = sentinel16 }, want: ErrDisk},
	{name: "internal attributes", good: plain, set: func(a *raw) { a.entries[inFile].internal = 1 }, want: ErrAttributes},
	{name: "file without type", good: plain, set: attributes(inFile, 0o644<<16), want: ErrAttributes},
	{name: "file without mode", good: plain, set: attributes(inFile, 0), want: ErrAttributes},
	{name: "file with an archive bit", good: plain, set: attributes(inFile, 0o100644<<16|0x20), want: ErrAttributes},
	{name: "file with the directory bit", good: plain, set: attributes(inFile, 0o100644<<16|0x10), want: ErrAttributes},
	{name: "file with a bit between", good: plain, set: attributes(inFile, 0o100644<<16|0x8000), want: ErrAttributes},
	{name: "socket", good: plain, set: attributes(inFile, 0o140644<<16), want: ErrAttributes},
	{name: "named pipe", good: plain, set: attributes(inFile, 0o010644<<16), want: ErrAttributes},
	{name: "block device", good: plain, set: attributes(inFile, 0o060644<<16), want: ErrAttributes},
	{name: "link with other permissions", good: plain, set: attributes(inLink, 0o120755<<16), want: ErrAttributes},
	{name: "link with a lower bit", good: plain, set: attributes(inLink, linkAttributes|0x20), want: ErrAttributes},
	{name: "directory without its bit", good: plain, set: attributes(inDir, 0o040755<<16), want: ErrAttributes},
	{name: "directory with another bit", good: plain, set: attributes(inDir, 0o040755<<16|0x11), want: ErrAttributes},
	{name: "slash behind a file", good: plain, set: attributes(inDir, 0o100755<<16), want: ErrName},
	{name: "slash behind a link", good: plain, set: attributes(inDir, linkAttributes), want: ErrName},
	{name: "no slash behind a directory", good: plain, set: attributes(inEmpty, 0o040755<<16|0x10), want: ErrName},
}

// What differs in the local header alone.
var brokenMismatch = []broken{
	{name: "local: version needed", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.needed = 20 }), want: ErrMismatch},
	{name: "local: data descriptor", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.flags = 1 << 3 }), want: ErrMismatch},
	{name: "local: no bit 11", good: plain, set: inLocal(inUTF8, func(h *rawHeader) { h.flags = 0 }), want: ErrMismatch},
	{name: "local: method", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.method = 8 }), want: ErrMismatch},
	{name: "local: deflated, size", good: deflated, set: inLocal(1, func(h *rawHeader) { h.size++ }), want: ErrMismatch},
	{name: "local: deflated, compressed size", good: deflated, set: inLocal(1, func(h *rawHeader) { h.compressed++ }), want: ErrMismatch},
	{name: "local: time", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.clock++ }), want: ErrMismatch},
	{name: "local: date", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.date++ }), want: ErrMismatch},
	{name: "local: CRC-32", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.crc++ }), want: ErrMismatch},
	{name: "local: CRC-32 of 0", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.crc = 0 }), want: ErrMismatch},
	{name: "local: compressed size", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.compressed-- }), want: ErrSize},
	{name: "local: sizes", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.compressed--; h.size-- }), want: ErrMismatch},
	{name: "local: sizes of 0", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.compressed, h.size = 0, 0 }), want: ErrMismatch},
	{name: "local: name", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.name = "d/fil_" }), want: ErrMismatch},
	{name: "local: longer name", good: plain, shape: inLocal(inFile, func(h *rawHeader) { h.name = "d/file2" }), want: ErrMismatch},
	{name: "local: name length", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.nameLen++; h.extraLen-- }), want: ErrMismatch},
	{name: "local: another extended timestamp", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.extra[0] = extended(leapDay + 1) }), want: ErrMismatch},
	{name: "local: no extended timestamp", good: plain, shape: inLocal(inFile, func(h *rawHeader) { h.extra = nil }), want: ErrMismatch},
	{name: "local: other NTFS times", good: plain, set: inLocal(inOld, func(h *rawHeader) { h.extra[0] = ntfs(2) }), want: ErrMismatch},
	{name: "local: no NTFS times", good: plain, shape: inLocal(inOld, func(h *rawHeader) { h.extra = h.extra[1:] }), want: ErrMismatch},
	{name: "local: another owner", good: plain, set: inLocal(inOwned, func(h *rawHeader) { h.extra[1] = owner(1001, 0xfffffffe) }), want: ErrMismatch},
	{name: "local: another group", good: plain, set: inLocal(inOwned, func(h *rawHeader) { h.extra[1] = owner(1000, 0) }), want: ErrMismatch},
	{name: "local: no owner", good: plain, shape: inLocal(inOwned, func(h *rawHeader) { h.extra = h.extra[:1] }), want: ErrMismatch},
	{name: "central: no owner", good: plain, shape: func(a *raw) {
		h := &a.entries[inOwned].central
		h.extra = h.extra[:1]
	}, want: ErrMismatch},
}

var brokenName = []broken{
	{name: "empty name", good: func() *raw { return counted(1) }, shape: func(a *raw) { a.entries[0].setName("") }, want: ErrName},
	{name: "root", good: func() *raw { a := &raw{entries: []*rawEntry{newDir("a/")}}; a.layOut(); return a }, set: func(a *raw) {
		a.entries[0].setName("/")
		a.layOut()
	}, want: ErrName},
	{name: "absolute name", good: plain, shape: named("/e"), want: ErrName},
	{name: "two slashes", good: plain, shape: named("e//e"), want: ErrName},
	{name: "two slashes at the end", good: plain, shape: func(a *raw) { a.entries[inDir].setName("d//") }, want: ErrName},
	{name: "dot", good: plain, shape: named("."), want: ErrName},
	{name: "dots", good: plain, shape: named(".."), want: ErrName},
	{name: "dot first", good: plain, shape: named("./e"), want: ErrName},
	{name: "dots first", good: plain, shape: named("../e"), want: ErrName},
	{name: "dot within", good: plain, shape: named("e/./e"), want: ErrName},
	{name: "dots within", good: plain, shape: named("e/../e"), want: ErrName},
	{name: "dots last", good: plain, shape: named("e/.."), want: ErrName},
	{name: "directory of dots", good: plain, shape: func(a *raw) { a.entries[inDir].setName("../") }, want: ErrName},
	{name: "NUL", good: plain, shape: named("e\x00"), want: ErrName},
	{name: "file with a slash", good: plain, shape: named("e/"), want: ErrName},
	{name: "name twice", good: plain, shape: named("d/link"), want: ErrDuplicate},
	{name: "name before the one before", good: plain, shape: named("d"), want: ErrOrder},
	{name: "whole archive in another order", good: plain, shape: func(a *raw) { slices.Reverse(a.entries) }, want: ErrOrder},
	{name: "file below a file", good: plain, shape: func(a *raw) { a.entries[inOwned].setName("e/f") }, want: ErrDuplicate},
	{name: "file below a file, another between", good: plain, shape: func(a *raw) {
		a.entries[inEmpty].setName("e")
		a.entries[inOwned].setName("e-")
		a.entries[inOld].setName("e/" + strings.Repeat("f/", 9) + "g")
	}, want: ErrDuplicate},
	{name: "directory of a file's name, others between", good: func() *raw {
		a := &raw{entries: []*rawEntry{newFile("a", ""), newFile("a!", ""), newFile("a!!", ""), newFile("a-b", ""), newDir("b/")}}
		a.layOut()
		return a
	}, shape: func(a *raw) { a.entries[4].setName("a/") }, want: ErrDuplicate},
}

package strictzip

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// broken is one change to a good archive. Of its functions one is set: shape
// works before lengths and offsets are worked out again, set after that, edit on
// the bytes.
type broken struct {
	name  string
	good  func() *raw
	shape func(a *raw)
	set   func(a *raw)
	edit  func(b []byte) []byte
	want  error
}

// TestBroken also proves, for each case, that without the change the archive is good.
func TestBroken(t *testing.T) {
	t.Parallel()
	for _, cases := range [][]broken{brokenEnd, brokenPlace, brokenZIP64, brokenHeader, brokenMismatch, brokenName, brokenExtra, brokenTime} {
		for _, test := range cases {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				good := test.good()
				before := good.render()
				if _, err := Parse(before, before.size); err != nil {
					t.Fatalf("before the change: %v", err)
				}
				var after *sparse
				switch {
				case test.shape != nil:
					test.shape(good)
					good.layOut()
					after = good.render()
				case test.set != nil:
					test.set(good)
					after = good.render()
				default:
					after = new(sparse)
					after.add(test.edit(before.bytes()))
				}
				a, err := Parse(after, after.size)
				if !errors.Is(err, test.want) {
					t.Fatalf("got error %v, want %v", err, test.want)
				}
				if a != nil {
					t.Errorf("got an archive with an error: %+v", a)
				}
				t.Log(err)
			})
		}
	}
}

var brokenEnd = []broken{
	{name: "no bytes", good: empty, edit: func([]byte) []byte { return nil }, want: ErrTruncated},
	{name: "21 bytes", good: empty, edit: func(b []byte) []byte { return b[:21] }, want: ErrTruncated},
	{name: "last byte missing", good: plain, edit: func(b []byte) []byte { return b[:len(b)-1] }, want: ErrTruncated},
	{name: "end record missing", good: plain, edit: func(b []byte) []byte { return b[:len(b)-22-len("comment")] }, want: ErrEnd},
	{name: "end record cut", good: plain, edit: func(b []byte) []byte { return b[:len(b)-5-len("comment")] }, want: ErrTruncated},
	{name: "trailing byte", good: plain, set: func(a *raw) { a.after = []byte{0} }, want: ErrGap},
	{name: "70,000 trailing bytes", good: plain, set: func(a *raw) { a.after = make([]byte, 70000) }, want: ErrEnd},
	{name: "comment length too big", good: plain, set: func(a *raw) { a.end.commentLen++ }, want: ErrTruncated},
	{name: "comment length too small", good: plain, set: func(a *raw) { a.end.commentLen-- }, want: ErrGap},
	{name: "comment is an end signature", good: plain, shape: func(a *raw) { a.comment = endSignature }, want: ErrEnd},
	{name: "comment holds an end signature", good: plain, shape: func(a *raw) { a.comment = "a" + endSignature + "a comment of more than 18 bytes" }, want: ErrEnd},
	{name: "comment holds an end record", good: plain, shape: func(a *raw) { a.comment = string(empty().render().bytes()) }, want: ErrEnd},
	{name: "comment behind an offset that is an end signature", good: signed, shape: func(a *raw) { a.comment = "c" }, want: ErrEnd},
	{name: "comment and its length are an end signature", good: empty, shape: func(a *raw) { a.comment = "\x05\x06" + strings.Repeat("c", 0x4b50-2) }, want: ErrEnd},
	{name: "end signature", good: empty, edit: func(b []byte) []byte { b[0]++; return b }, want: ErrEnd},
	{name: "end: disk", good: plain, set: func(a *raw) { a.end.disk = 1 }, want: ErrDisk},
	{name: "end: directory's disk", good: plain, set: func(a *raw) { a.end.directoryDisk = 1 }, want: ErrDisk},
	{name: "end: entries on this disk", good: plain, set: func(a *raw) { a.end.here-- }, want: ErrEnd},
	{name: "end: entries in total", good: plain, set: func(a *raw) { a.end.total++ }, want: ErrEnd},
	{name: "end: too many entries", good: plain, set: func(a *raw) { a.end.total++; a.end.here++ }, want: ErrEnd},
	{name: "end: too few entries", good: plain, set: func(a *raw) { a.end.total--; a.end.here-- }, want: ErrEnd},
	{name: "end: no entries", good: plain, set: func(a *raw) { a.end.total, a.end.here = 0, 0 }, want: ErrEnd},
	{name: "end: entries in an empty archive", good: empty, set: func(a *raw) { a.end.total, a.end.here = 1, 1 }, want: ErrEnd},
}

var brokenPlace = []broken{
	{name: "prefix, offsets know it", good: plain, shape: func(a *raw) { a.entries[0].before = []byte("#!") }, want: ErrGap},
	{name: "prefix, offsets don't", good: plain, edit: func(b []byte) []byte { return append([]byte("#!"), b...) }, want: ErrGap},
	{name: "prefix of an empty archive", good: empty, edit: func(b []byte) []byte { return append([]byte{0}, b...) }, want: ErrGap},
	{name: "gap before a local header", good: plain, shape: func(a *raw) { a.entries[inLink].before = []byte{0} }, want: ErrGap},
	{name: "gap before data", good: plain, shape: func(a *raw) { a.entries[inFile].between = []byte{0} }, want: ErrGap},
	{name: "gap after data", good: plain, shape: func(a *raw) { a.entries[inFile].size++ }, want: ErrGap},
	{name: "gap before the directory", good: plain, shape: func(a *raw) { a.entries[inUTF8].size++ }, want: ErrGap},
	{name: "gap before the first central header", good: plain, shape: func(a *raw) { a.entries[0].after = []byte{0} }, want: ErrSignature},
	{name: "gap between central headers", good: plain, shape: func(a *raw) { a.entries[inFile].after = []byte("PK") }, want: ErrSignature},
	{name: "gap at the directory's end", good: plain, shape: func(a *raw) { a.before = []byte{0} }, want: ErrGap},
	{name: "gap after the directory", good: plain, set: func(a *raw) { a.before = []byte{0} }, want: ErrGap},
	{name: "digital signature after the directory", good: plain, shape: func(a *raw) { a.before = []byte("PK\x05\x05\x00\x00") }, want: ErrGap},
	{name: "data reaches into the next entry", good: plain, set: func(a *raw) {
		a.entries[inFile].both(func(h *rawHeader) { h.size++; h.compressed++ })
	}, want: ErrOverlap},
	{name: "data reaches into the directory", good: plain, set: func(a *raw) {
		a.entries[inUTF8].both(func(h *rawHeader) { h.size++; h.compressed++ })
	}, want: ErrOverlap},
	{name: "two entries on one local header", good: plain, set: func(a *raw) { a.entries[1].offset = 0 }, want: ErrOverlap},
	{name: "local header one byte late", good: plain, set: func(a *raw) { a.entries[inLink].offset++ }, want: ErrGap},
	{name: "local header one byte early", good: plain, set: func(a *raw) { a.entries[inLink].offset-- }, want: ErrOverlap},
	{name: "directory one byte late", good: plain, set: func(a *raw) { a.end.offset++ }, want: ErrOverlap},
	{name: "directory one byte early", good: plain, set: func(a *raw) { a.end.offset-- }, want: ErrGap},
	{name: "directory one byte longer", good: plain, set: func(a *raw) { a.end.length++ }, want: ErrOverlap},
	{name: "directory one byte shorter", good: plain, set: func(a *raw) { a.end.length-- }, want: ErrGap},
	{name: "directory starts in the data", good: plain, set: func(a *raw) { a.end.offset--; a.end.length++ }, want: ErrSignature},
	{name: "local header in the directory", good: func() *raw { return counted(1) }, set: func(a *raw) {
		a.end.offset, a.end.length = 0, a.end.offset+a.end.length
	}, want: ErrSignature},
	{name: "local header missing", good: func() *raw { return counted(1) }, edit: func(b []byte) []byte {
		local := localLen + 5 + 9
		b = b[local:]
		clear(b[len(b)-6 : len(b)-2]) // the directory is at 0 now
		return b
	}, want: ErrOverlap},
	{name: "directory in another order", good: plain, set: func(a *raw) { a.order = []int{0, 2, 1, 3, 4, 5, 6} }, want: ErrGap},
	{name: "data in another order", good: plain, shape: func(a *raw) {
		slices.Reverse(a.entries)
		a.order = []int{6, 5, 4, 3, 2, 1, 0}
	}, want: ErrGap},
	{name: "local signature", good: plain, edit: func(b []byte) []byte { b[3]++; return b }, want: ErrSignature},
	{name: "central signature", good: func() *raw { return counted(1) }, edit: func(b []byte) []byte { b[localLen+5+9]++; return b }, want: ErrSignature},
	{name: "bytes for a directory of no entries", good: empty, shape: func(a *raw) { a.before = make([]byte, 46) }, want: ErrGap},
}

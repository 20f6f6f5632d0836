package strictzip

import "slices"

func many() *raw { return counted(sentinel16) }

// setField sets the data of an entry's ZIP64 field in one header.
func setField(h *rawHeader, data []byte) { h.extra[0].data = data }

var brokenZIP64 = []broken{
	// End records.
	{name: "ZIP64 end records without need", good: plain, shape: func(a *raw) { a.end64 = new(rawEnd64) }, want: ErrZIP64},
	{name: "ZIP64 end records, nothing saturated", good: plain, set: func(a *raw) {
		end := a.end
		a.end64 = new(rawEnd64)
		a.layOut()
		a.end = end
	}, want: ErrZIP64},
	{name: "65,535 entries without ZIP64", good: many, shape: func(a *raw) { a.end64 = nil }, want: ErrZIP64},
	{name: "directory past 4 GiB without ZIP64", good: byDirectory, shape: func(a *raw) { a.end64 = nil }, want: ErrZIP64},
	{name: "end: count not saturated", good: byDirectory, set: func(a *raw) { a.end.here, a.end.total = 2, 2 }, want: ErrZIP64},
	{name: "end: length not saturated", good: byDirectory, set: func(a *raw) { a.end.length = 112 }, want: ErrZIP64},
	{name: "end: offset not saturated", good: byDirectory, set: func(a *raw) { a.end.offset = 0xfffffffe }, want: ErrZIP64},
	{name: "end: all saturated in an empty archive", good: empty, set: func(a *raw) {
		a.end.here, a.end.total, a.end.length, a.end.offset = sentinel16, sentinel16, sentinel32, sentinel32
	}, want: ErrZIP64},
	{name: "no locator", good: byDirectory, set: func(a *raw) { a.end64.withoutLocator = true }, want: ErrZIP64},
	{name: "no ZIP64 end record", good: byDirectory, set: func(a *raw) { a.end64.withoutRecord = true }, want: ErrSignature},
	{name: "gap before the ZIP64 end record", good: byDirectory, set: func(a *raw) {
		a.end64.before = []byte{0}
		a.end64.locatorOffset++
	}, want: ErrGap},
	{name: "gap before the locator", good: byDirectory, set: func(a *raw) { a.end64.between = []byte{0} }, want: ErrGap},
	{name: "gap after the locator", good: byDirectory, set: func(a *raw) { a.end64.after = []byte{0} }, want: ErrZIP64},
	{name: "locator: offset", good: byDirectory, set: func(a *raw) { a.end64.locatorOffset++ }, want: ErrZIP64},
	{name: "locator: disk", good: byDirectory, set: func(a *raw) { a.end64.locatorDisk = 1 }, want: ErrDisk},
	{name: "locator: no disks", good: byDirectory, set: func(a *raw) { a.end64.locatorDisks = 0 }, want: ErrDisk},
	{name: "locator: two disks", good: byDirectory, set: func(a *raw) { a.end64.locatorDisks = 2 }, want: ErrDisk},
	{name: "ZIP64 end: size of the rest", good: byDirectory, set: func(a *raw) { a.end64.rest = 56 }, want: ErrZIP64},
	{name: "ZIP64 end: extensible data", good: byDirectory, set: func(a *raw) {
		a.end64.rest = 48
		a.end64.between = []byte("data")
	}, want: ErrGap},
	{name: "ZIP64 end: made by", good: byDirectory, set: func(a *raw) { a.end64.madeBy = 0x031e }, want: ErrVersion},
	{name: "ZIP64 end: needed", good: byDirectory, set: func(a *raw) { a.end64.needed = 62 }, want: ErrVersion},
	{name: "ZIP64 end: disk", good: byDirectory, set: func(a *raw) { a.end64.disk = 1 }, want: ErrDisk},
	{name: "ZIP64 end: directory's disk", good: byDirectory, set: func(a *raw) { a.end64.directoryDisk = 1 }, want: ErrDisk},
	{name: "ZIP64 end: entries on this disk", good: byDirectory, set: func(a *raw) { a.end64.here++ }, want: ErrEnd},
	{name: "ZIP64 end: too many entries", good: byDirectory, set: func(a *raw) { a.end64.here++; a.end64.total++ }, want: ErrEnd},
	{name: "ZIP64 end: 2^63 entries", good: byDirectory, set: func(a *raw) { a.end64.here, a.end64.total = 1<<63, 1<<63 }, want: ErrEnd},
	{name: "ZIP64 end: length", good: byDirectory, set: func(a *raw) { a.end64.length++ }, want: ErrOverlap},
	{name: "ZIP64 end: greatest length", good: byDirectory, set: func(a *raw) { a.end64.length = 1<<64 - 1 }, want: ErrOverlap},
	{name: "ZIP64 end: greatest offset", good: byDirectory, set: func(a *raw) { a.end64.offset = 1<<64 - 1 }, want: ErrOverlap},
	{name: "ZIP64 end: offset", good: byDirectory, set: func(a *raw) { a.end64.offset-- }, want: ErrZIP64},
	{name: "ZIP64 end: greater offset", good: byDirectory, set: func(a *raw) { a.end64.offset++ }, want: ErrOverlap},

	// Sizes.
	{name: "central: compressed size alone saturated", good: bySize, set: func(a *raw) { a.entries[0].central.size = 0xfffffffe }, want: ErrZIP64},
	{name: "central: uncompressed size alone saturated", good: plain, set: func(a *raw) { a.entries[inFile].central.size = sentinel32 }, want: ErrZIP64},
	{name: "local: compressed size alone saturated", good: bySize, set: func(a *raw) { a.entries[0].local.size = 0xfffffffe }, want: ErrZIP64},
	{name: "local: uncompressed size alone saturated", good: plain, set: func(a *raw) { a.entries[inFile].local.size = sentinel32 }, want: ErrZIP64},
	{name: "central: saturated without a field", good: plain, set: func(a *raw) {
		h := &a.entries[inFile].central
		h.size, h.compressed = sentinel32, sentinel32
	}, want: ErrZIP64},
	{name: "local: saturated without a field", good: plain, set: func(a *raw) {
		h := &a.entries[inFile].local
		h.size, h.compressed = sentinel32, sentinel32
	}, want: ErrZIP64},
	{name: "central: field for nothing", good: plain, shape: func(a *raw) {
		h := &a.entries[inFile].central
		h.extra = slices.Insert(h.extra, 0, field{idZIP64, le64(9, 9)})
	}, want: ErrZIP64},
	{name: "local: field for nothing", good: plain, shape: func(a *raw) {
		h := &a.entries[inFile].local
		h.extra = slices.Insert(h.extra, 0, field{idZIP64, le64(9, 9)})
	}, want: ErrZIP64},
	{name: "local: sizes in the field for an offset's sake", good: byOffset, shape: func(a *raw) {
		h := &a.entries[1].local
		h.extra = slices.Insert(h.extra, 0, field{idZIP64, le64(5, 5)})
	}, want: ErrZIP64},
	{name: "central: empty field", good: plain, shape: func(a *raw) {
		h := &a.entries[inFile].central
		h.extra = slices.Insert(h.extra, 0, field{idZIP64, nil})
	}, want: ErrZIP64},
	{name: "sizes in the field would fit", good: plain, shape: func(a *raw) { a.entries[inFile].setZIP64(true, false) }, want: ErrZIP64},
	{name: "local: sizes in the field would fit", good: bySize, set: func(a *raw) { setField(&a.entries[0].local, le64(5, 5)) }, want: ErrZIP64},
	{name: "central: sizes in the field differ", good: bySize, set: func(a *raw) { setField(&a.entries[0].central, le64(sentinel32, sentinel32+1)) }, want: ErrSize},
	{name: "local: sizes in the field differ", good: bySize, set: func(a *raw) { setField(&a.entries[0].local, le64(sentinel32+1, sentinel32)) }, want: ErrSize},
	{name: "local: another size in the field", good: bySize, set: func(a *raw) { setField(&a.entries[0].local, le64(sentinel32+1, sentinel32+1)) }, want: ErrMismatch},
	{name: "negative size in the field", good: bySize, set: func(a *raw) { setField(&a.entries[0].central, le64(1<<63, 1<<63)) }, want: ErrSize},
	{name: "greatest size in the fields", good: bySize, set: func(a *raw) {
		a.entries[0].both(func(h *rawHeader) { setField(h, le64(1<<63-1, 1<<63-1)) })
	}, want: ErrOverlap},
	{name: "central: field of one size", good: bySize, shape: func(a *raw) { setField(&a.entries[0].central, le64(sentinel32)) }, want: ErrZIP64},
	{name: "local: field of one size", good: bySize, shape: func(a *raw) { setField(&a.entries[0].local, le64(sentinel32)) }, want: ErrZIP64},
	{name: "central: offset in the field, not saturated", good: bySize, shape: func(a *raw) { setField(&a.entries[0].central, le64(sentinel32, sentinel32, 0)) }, want: ErrZIP64},
	{name: "local: field of three numbers", good: bySize, shape: func(a *raw) { setField(&a.entries[0].local, le64(sentinel32, sentinel32, 0)) }, want: ErrZIP64},
	{name: "central: field with a disk number", good: bySize, shape: func(a *raw) {
		setField(&a.entries[0].central, append(le64(sentinel32, sentinel32), le32(0)...))
	}, want: ErrZIP64},
	{name: "central: sizes before an offset, not saturated", good: byOffset, shape: func(a *raw) {
		setField(&a.entries[1].central, le64(5, 5, 0))
	}, want: ErrZIP64},
	{name: "sizes not in the field behind 4 GiB less 1", good: bySize, shape: func(a *raw) {
		a.entries[1] = newFile("b", "after")
		a.entries[1].setZIP64(false, true)
	}, want: ErrZIP64},
	{name: "local: sizes not in the field behind 4 GiB less 1", good: bySize, shape: func(a *raw) {
		h := &a.entries[1].local
		h.size, h.compressed, h.extra = 5, 5, h.extra[1:]
	}, want: ErrZIP64},
	{name: "sizes in the field behind 4 GiB", good: func() *raw { return sized(sentinel32 + 1) }, shape: func(a *raw) {
		a.entries[1] = newFile("b", "after")
		a.entries[1].setZIP64(true, true)
	}, want: ErrZIP64},
	{name: "deflated: sizes not in the field behind 4 GiB less 1", good: func() *raw { return widely(sentinel32, 1000) }, shape: func(a *raw) {
		a.entries[1] = newDeflated("b", "after", blocks("after"))
	}, want: ErrZIP64},
	{name: "deflated: sizes not in the field behind 4 GiB less 1, compressed", good: func() *raw { return widely(sentinel32-1000, sentinel32) }, shape: func(a *raw) {
		a.entries[1] = newDeflated("b", "after", blocks("after"))
		a.entries[1].setZIP64(false, true)
	}, want: ErrZIP64},
	{name: "deflated: sizes in the field behind 4 GiB", good: func() *raw { return widely(sentinel32+1, 1000) }, shape: func(a *raw) {
		a.entries[1] = widely(sentinel32, 1000).entries[1]
	}, want: ErrZIP64},
	{name: "deflated: sizes in the field would fit", good: deflated, shape: func(a *raw) { a.entries[1].setZIP64(true, false) }, want: ErrZIP64},
	{name: "deflated: compressed size not saturated", good: func() *raw { return widely(sentinel32, 1000) }, set: func(a *raw) {
		a.entries[0].both(func(h *rawHeader) { h.compressed = 1000 })
	}, want: ErrZIP64},
	{name: "deflated: needs 20 with ZIP64", good: func() *raw { return widely(sentinel32, 1000) }, set: func(a *raw) {
		a.entries[0].both(func(h *rawHeader) { h.needed = 20 })
	}, want: ErrVersion},
	{name: "deflated: sizes in the field differ in the local header", good: func() *raw { return widely(sentinel32, 1000) }, set: func(a *raw) {
		setField(&a.entries[0].local, le64(sentinel32, 1001))
	}, want: ErrMismatch},
	{name: "ZIP64 field is not first", good: bySize, set: func(a *raw) { slices.Reverse(a.entries[0].central.extra) }, want: ErrExtra},
	{name: "local: ZIP64 field is not first", good: bySize, set: func(a *raw) { slices.Reverse(a.entries[0].local.extra) }, want: ErrExtra},

	// Offsets.
	{name: "saturated offset without a field", good: plain, set: func(a *raw) { a.entries[inFile].offset = sentinel32 }, want: ErrZIP64},
	{name: "offset in the field would fit", good: plain, shape: func(a *raw) { a.entries[inFile].setZIP64(false, true) }, want: ErrZIP64},
	{name: "negative offset in the field", good: byOffset, set: func(a *raw) { setField(&a.entries[1].central, le64(1<<63)) }, want: ErrZIP64},
	{name: "greatest offset in the field", good: byOffset, set: func(a *raw) { setField(&a.entries[1].central, le64(1<<63-1)) }, want: ErrGap},
	{name: "offset in the field is one too far", good: byOffset, set: func(a *raw) { setField(&a.entries[1].central, le64(sentinel32+1)) }, want: ErrGap},
	{name: "field cut in the offset", good: byOffset, shape: func(a *raw) { setField(&a.entries[1].central, le32(0)) }, want: ErrZIP64},
	{name: "both sizes and an offset, field lacks it", good: byBoth, set: func(a *raw) {
		h := &a.entries[1].central
		setField(h, h.extra[0].data[:16])
		h.extraLen -= 8
		a.end64.length -= 8
		a.end64.locatorOffset -= 8
	}, want: ErrZIP64},

	// Versions.
	{name: "ZIP64 entry needs 10", good: bySize, set: func(a *raw) { a.entries[0].both(func(h *rawHeader) { h.needed = 10 }) }, want: ErrVersion},
	{name: "ZIP64 entry by its offset needs 10", good: byOffset, set: func(a *raw) { a.entries[1].both(func(h *rawHeader) { h.needed = 10 }) }, want: ErrVersion},
	{name: "ZIP64 entry made by 3.0", good: byOffset, set: func(a *raw) { a.entries[1].madeBy = 0x031e }, want: ErrVersion},
}

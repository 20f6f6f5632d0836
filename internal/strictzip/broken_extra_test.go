package strictzip

import "slices"

// fields sets the extra fields of an entry of plain in both headers.
func fields(i int, f ...field) func(a *raw) {
	return func(a *raw) { a.entries[i].setExtra(f...) }
}

// dos sets an entry's MS-DOS fields in both headers.
func dos(i int, clock, date uint16) func(a *raw) {
	return inBoth(i, func(h *rawHeader) { h.clock, h.date = clock, date })
}

// without has one entry whose time no extra field tells: DOS 1980-01-01 0:00.
func without() *raw {
	e := newFile("a", "")
	e.setExtra()
	e.both(func(h *rawHeader) { h.clock, h.date = 0, 0x0021 })
	a := &raw{entries: []*rawEntry{e}}
	a.layOut()
	return a
}

func changed(f field, at int, b byte) field {
	f.data = slices.Clone(f.data)
	f.data[at] = b
	return f
}

var brokenExtra = []broken{
	{name: "unknown field", good: plain, shape: fields(inFile, extended(leapDay), field{0x5855, make([]byte, 8)}), want: ErrExtra},
	{name: "unknown field without data", good: plain, shape: fields(inFile, extended(leapDay), field{0xcafe, nil}), want: ErrExtra},
	{name: "owner before timestamp", good: plain, shape: fields(inOwned, owner(1000, 1), extended(leapDay)), want: ErrExtra},
	{name: "owner before NTFS", good: plain, shape: fields(inOld, owner(0, 0), ntfs(1)), want: ErrExtra},
	{name: "timestamp twice", good: plain, shape: fields(inFile, extended(leapDay), extended(leapDay)), want: ErrExtra},
	{name: "owner twice", good: plain, shape: fields(inOwned, extended(leapDay), owner(1, 1), owner(1, 1)), want: ErrExtra},
	{name: "a byte behind the last field", good: plain, shape: inBoth(inFile, func(h *rawHeader) { h.junk = []byte{0} }), want: ErrExtra},
	{name: "local: a byte behind the last field", good: plain, shape: inLocal(inFile, func(h *rawHeader) { h.junk = []byte{0} }), want: ErrExtra},
	{name: "field is cut", good: plain, shape: inBoth(inFile, func(h *rawHeader) { h.junk = []byte{0x75, 0x78, 11, 0} }), want: ErrExtra},
	{name: "padding", good: plain, shape: inBoth(inFile, func(h *rawHeader) { h.junk = make([]byte, 4096) }), want: ErrExtra},
	{name: "local: padding", good: plain, shape: inLocal(inFile, func(h *rawHeader) { h.junk = make([]byte, 4096) }), want: ErrExtra},
	{name: "local: extra length of 65,535", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.extraLen = 0xffff }), want: ErrOverlap},
	{name: "local: extra length of one more", good: plain, set: inLocal(inFile, func(h *rawHeader) { h.extraLen++ }), want: ErrExtra},

	{name: "timestamp with access time", good: plain, shape: fields(inFile, field{idExtended, append([]byte{3}, le32(leapDay, leapDay)...)}), want: ErrExtra},
	{name: "timestamp flags promise an access time", good: plain, shape: fields(inFile, changed(extended(leapDay), 0, 3)), want: ErrExtra},
	{name: "timestamp without flags", good: plain, shape: fields(inFile, changed(extended(leapDay), 0, 0)), want: ErrExtra},
	{name: "timestamp without time", good: plain, shape: fields(inFile, field{idExtended, []byte{1}}), want: ErrExtra},
	{name: "owner version", good: plain, shape: fields(inOwned, extended(leapDay), changed(owner(1, 1), 0, 2)), want: ErrExtra},
	{name: "owner UID length", good: plain, shape: fields(inOwned, extended(leapDay), changed(owner(1, 1), 1, 2)), want: ErrExtra},
	{name: "owner GID length", good: plain, shape: fields(inOwned, extended(leapDay), changed(owner(1, 1), 6, 2)), want: ErrExtra},
	{name: "owner with 16-bit numbers", good: plain, shape: fields(inOwned, extended(leapDay), field{idOwner, []byte{1, 2, 1, 0, 2, 1, 0}}), want: ErrExtra},
	{name: "owner with a byte more", good: plain, shape: fields(inOwned, extended(leapDay), field{idOwner, append(owner(1, 1).data, 0)}), want: ErrExtra},
	{name: "NTFS reserved", good: plain, shape: fields(inOld, changed(ntfs(1), 3, 1)), want: ErrExtra},
	{name: "NTFS tag", good: plain, shape: fields(inOld, changed(ntfs(1), 4, 2)), want: ErrExtra},
	{name: "NTFS tag size", good: plain, shape: fields(inOld, changed(ntfs(1), 6, 8)), want: ErrExtra},
	{name: "NTFS with two times", good: plain, shape: fields(inOld, field{idNTFS, ntfs(1).data[:24]}), want: ErrExtra},
	{name: "NTFS with another tag", good: plain, shape: fields(inOld, field{idNTFS, append(ntfs(1).data, 2, 0, 0, 0)}), want: ErrExtra},

	{name: "alignment in both headers", good: aligned, shape: func(a *raw) { a.entries[0].central.extra = a.entries[0].local.extra }, want: ErrExtra},
	{name: "alignment without a number", good: aligned, shape: localField(0, field{idAlign, []byte{0}}), want: ErrExtra},
	{name: "alignment that the data lacks", good: aligned, shape: localField(0, alignment(512, 512-localLen-1-9-7)), want: ErrExtra},
	{name: "alignment by a block too much", good: aligned, shape: localField(0, alignment(512, 1024-localLen-1-9-6)), want: ErrExtra},
	{name: "alignment to 3", good: aligned, shape: localField(0, alignment(3, 512-localLen-1-9-6)), want: ErrExtra},
	{name: "alignment to 256", good: aligned, shape: localField(0, alignment(256, 256-localLen-1-9-6)), want: ErrExtra},
	{name: "alignment of a file that is smaller", good: aligned, shape: localField(0, alignment(1024, 1024-localLen-1-9-6)), want: ErrExtra},
	{name: "alignment by other bytes than zeros", good: aligned, shape: localField(0, changed(alignment(512, 512-localLen-1-9-6), 2, 1)), want: ErrExtra},
	{name: "alignment of deflated data", good: aligned, set: func(a *raw) {
		a.entries[0].both(func(h *rawHeader) { h.method, h.needed = 8, 20 })
	}, want: ErrExtra},
	{name: "alignment before the timestamp", good: aligned, shape: inLocal(0, func(h *rawHeader) { slices.Reverse(h.extra) }), want: ErrExtra},
}

// localField sets the last extra field of an entry's local header.
func localField(i int, f field) func(a *raw) {
	return inLocal(i, func(h *rawHeader) { h.extra[len(h.extra)-1] = f })
}

var brokenTime = []broken{
	{name: "month 0", good: without, set: dos(0, 0, 0x0001), want: ErrTime},
	{name: "month 13", good: without, set: dos(0, 0, 13<<5|1), want: ErrTime},
	{name: "day 0", good: without, set: dos(0, 0, 1<<5), want: ErrTime},
	{name: "February 29 of 2101", good: without, set: dos(0, 0, 121<<9|2<<5|29), want: ErrTime},
	{name: "April 31", good: without, set: dos(0, 0, 121<<9|4<<5|31), want: ErrTime},
	{name: "hour 24", good: without, set: dos(0, 24<<11, 121<<9|4<<5|30), want: ErrTime},
	{name: "minute 60", good: without, set: dos(0, 60<<5, 121<<9|4<<5|30), want: ErrTime},
	{name: "second 60", good: without, set: dos(0, 30, 121<<9|4<<5|30), want: ErrTime},
	{name: "time and date of 0", good: without, set: dos(0, 0, 0), want: ErrTime},

	{name: "negative timestamp", good: plain, set: fields(inFile, extended(1<<31)), want: ErrTime},
	{name: "timestamp of another day", good: plain, set: fields(inFile, extended(leapDay+86400)), want: ErrTime},
	{name: "timestamp of an hour later", good: plain, set: fields(inFile, extended(leapDay+3600)), want: ErrTime},
	{name: "timestamp of two seconds later", good: plain, set: fields(inFile, extended(leapDay+2)), want: ErrTime},
	{name: "timestamp of a second before: rounded up", good: plain, set: fields(inFile, extended(leapDay-1)), want: ErrTime},
	{name: "timestamp before 1980, DOS not clamped", good: plain, set: fields(inFile, extended(0)), want: ErrTime},
	{name: "no timestamp, though it could tell", good: plain, shape: fields(inFile), want: ErrTime},
	{name: "no timestamp for 2038-01-19 03:14:06", good: without, set: dos(0, 3<<11|14<<5|3, 58<<9|1<<5|19), want: ErrTime},

	{name: "NTFS beside a timestamp", good: plain, shape: fields(inFile, ntfs((leapDay+epochTicks)*ticksPerSecond), extended(leapDay)), want: ErrTime},
	{name: "NTFS instead of a timestamp", good: plain, shape: fields(inFile, ntfs((leapDay+epochTicks)*ticksPerSecond)), want: ErrTime},
	{name: "NTFS access time", good: plain, shape: fields(inOld, changed(ntfs(1), 16, 2)), want: ErrTime},
	{name: "NTFS creation time", good: plain, shape: fields(inOld, changed(ntfs(1), 24, 2)), want: ErrTime},
	{name: "NTFS past 2107, DOS not clamped", good: plain, shape: fields(inOld, ntfs((1<<33+epochTicks)*ticksPerSecond)), want: ErrTime},
	{name: "NTFS disagrees", good: plain, shape: fields(inOld, ntfs((1<<31+epochTicks)*ticksPerSecond)), want: ErrTime},
	{name: "NTFS of 2^63", good: plain, shape: func(a *raw) {
		fields(inOld, ntfs(1<<63))(a)
		dos(inOld, 23<<11|59<<5|29, 127<<9|12<<5|31)(a)
	}, want: ErrTime},
}

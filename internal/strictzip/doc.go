// Package strictzip reads the ZIP archives that vzip makes, and refuses all
// others. Tests hold archives against it; the program itself has no use for it.
//
// It is written from PKWARE's APPNOTE.TXT 6.3.10, whose section numbers stand in
// comments, and from what vzip promises beyond it. It shares nothing with the
// package that lays archives out: a mistake would have to be made twice. What it
// holds an archive to, where APPNOTE leaves a choice:
//
//   - Records follow each other without a gap, the directory in the data's
//     order, both in bytewise order of the names.
//   - Entries are stored or deflated, have no data descriptor, and say the same in
//     both headers. Only files are deflated, never empty ones, and a stream can be
//     entered at every MiB of what it holds.
//   - ZIP64 stands where a value needs it and nowhere else, but for the sizes of
//     the entry behind one of exactly 0xFFFFFFFF bytes, compressed or not: some
//     readers take that size for the sentinel, and want sizes in the next field.
//   - Names are safe to extract and differ; no file is also a directory.
//   - Extra fields are ZIP64 (0x0001), NTFS times (0x000a), the extended
//     timestamp (0x5455) and owners (0x7875), in that order, and in local headers
//     the padding that aligns data (0xd935). The MS-DOS fields tell the same time
//     as they do, in UTC.
//   - Versions, attributes and flags are the ones that the entry's kind calls for.
//
// [Parse] reads headers only. [Scan] does so without keeping entries, for
// directories larger than memory. Data is read by [Archive.CheckData] and
// [Entry.CheckData], a buffer at a time.
//
// Out of scope: directories without an entry of their own, what a link's target
// is, names that are legal but hard on some readers. Those are layout's rules.
package strictzip

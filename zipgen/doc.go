// Package zipgen lays out ZIP archives that nobody writes: from a sorted list
// of entries it works out every offset and the exact size of a ZIP64 file,
// and gives its bytes at any offset on demand.
//
// The layout depends on names, sizes, modes and times only, never on a CRC-32
// or on data, so an archive's size is known before a single source is read: but for
// entries that somebody deflates, whose compressed sizes are a part of it.
// CRCs and data come from a [Content] when a header or data is asked for.
//
// The format is that of PKWARE's APPNOTE.TXT 6.3.10; section numbers in comments
// are its. What this package decides, and why:
//
//   - Method 0 (stored), or 8 (deflated), no data descriptors: sizes and CRC stand in the local
//     header (4.3.7), as streaming readers need.
//   - ZIP64 records and fields only where a value does not fit (4.5.3): an
//     archive under the limits is plain ZIP and opens everywhere.
//   - Owners, and NTFS times for what an extended timestamp can't tell, only if
//     [Options] ask for them.
//   - Entries and central directory are in bytewise order of the name, so a
//     directory comes before what it holds.
//   - Times are UTC. The same entries give the same bytes everywhere.
//
// Out of scope: reading ZIP files, compression, encryption, files, clocks and
// goroutines. The package imports nothing but the standard library's pure parts.
package zipgen

package zipgen

import (
	"encoding/binary"
	"unicode/utf8"
)

const (
	localHeaderSignature          = 0x04034b50 // 4.3.7
	centralHeaderSignature        = 0x02014b50 // 4.3.12
	zip64EndSignature             = 0x06064b50 // 4.3.14
	zip64LocatorSignature         = 0x07064b50 // 4.3.15
	endSignature                  = 0x06054b50 // 4.3.16
	localHeaderLen                = 30         // + file name + extra field
	centralHeaderLen              = 46         // + file name + extra field
	zip64EndLen                   = 56
	zip64LocatorLen               = 20
	endLen                        = 22 // + comment
	uint16max                     = 1<<16 - 1
	uint32max                     = 1<<32 - 1
	flagUTF8                      = 1 << 11 // 4.4.4
	hostUnix                      = 3 << 8  // 4.4.2.2
	madeBy                        = hostUnix | 30
	madeByZIP64                   = hostUnix | 45
	methodStore                   = 0 // 4.4.5
	methodDeflate                 = 8
	neededDeflate                 = 20
	neededFile                    = 10 // 4.4.3.2
	neededDir                     = 20
	neededZIP64                   = 45
	externalDirectory             = 0x10 // MS-DOS directory attribute
	externalSymlink        uint32 = 0xA1FF0000
)

// record is what an archive keeps of an entry beside its name and owner.
type record struct {
	offset  uint64 // of the local header from the archive's start
	size    uint64 // of the data
	packed  uint64 // of the data in the archive: the compressed size (4.4.8)
	modTime int64
	mode    uint32 // with the bits below
}

// Bits of record.mode above an st_mode's 16.
const (
	hasOwner    = 1 << 16 // has the extra field
	hasNTFSTime = 1 << 17 // has the extra field
	// wideSizes puts sizes that would fit their 32-bit slots into the ZIP64 field, in
	// both headers. The entry behind one with a size of exactly 0xFFFFFFFF bytes has it:
	// Info-ZIP's unzip takes that size, which it still remembers, for the sentinel, and
	// looks for sizes in a field that tells the offset alone.
	wideSizes = 1 << 18
	utf8Name  = 1 << 19 // bit 11 of the flags (4.4.4): the name needs it and may have it
	// In these bits stands the base-2 logarithm of what the data is aligned to, or 0.
	alignAt   = 20
	alignMask = 1<<5 - 1
	deflated  = 1 << 25 // method 8
)

func (r *record) isDir() bool { return r.mode&TypeMask == TypeDir }

// needsZIP64 tells whether either header of the entry has a ZIP64 extra field.
// The sentinel itself does not fit the field that it marks.
func (r *record) needsZIP64() bool { return r.zip64Sizes() || r.offset >= uint32max }

// zip64Sizes tells whether the sizes stand in the ZIP64 field.
func (r *record) zip64Sizes() bool {
	return r.size >= uint32max || r.packed >= uint32max || r.mode&wideSizes != 0
}

// sizeSlots are what the headers' 32-bit fields say of the sizes.
func (r *record) sizeSlots() (packed, size uint32) {
	if r.zip64Sizes() {
		return uint32max, uint32max
	}
	return uint32(r.packed), uint32(r.size)
}

// method is the compression method (4.4.5).
func (r *record) method() uint16 {
	if r.mode&deflated != 0 {
		return methodDeflate
	}
	return methodStore
}

// versionNeeded is the same in both headers: some readers refuse a difference.
func (r *record) versionNeeded() uint16 {
	switch {
	case r.needsZIP64():
		return neededZIP64
	case r.isDir():
		return neededDir
	case r.mode&deflated != 0:
		return neededDeflate
	}
	return neededFile
}

func (r *record) flags() uint16 {
	if r.mode&utf8Name != 0 {
		return flagUTF8
	}
	return 0
}

// needsUTF8 tells whether a name is UTF-8 and not ASCII.
func needsUTF8(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return utf8.ValidString(name)
		}
	}
	return false
}

// externalAttributes holds the st_mode in its upper half (4.4.15).
func (r *record) externalAttributes() uint32 {
	switch r.mode & TypeMask {
	case TypeSymlink:
		return externalSymlink
	case TypeDir:
		return r.mode<<16 | externalDirectory // what is above an st_mode is shifted out
	}
	return r.mode << 16
}

func saturate32(v uint64) uint32 { return uint32(min(v, uint32max)) }

// appendLocalHeader appends the fixed part of the local file header (4.3.7).
// File name and extra field follow it.
//
//	offset  size  field                       value
//	     0     4  signature                   0x04034b50
//	     4     2  version needed to extract   10; 20 directory, deflated; 45 ZIP64
//	     6     2  general purpose bit flag    bit 11 if the name needs UTF-8; bit 3 never
//	     8     2  compression method          0: stored, 8: deflated
//	    10     4  last mod file time, date    UTC
//	    14     4  crc-32
//	    18     4  compressed size             0xFFFFFFFF: in the ZIP64 field
//	    22     4  uncompressed size           the same
//	    26     2  file name length
//	    28     2  extra field length
func (r *record) appendLocalHeader(b []byte, nameLen int, crc uint32, extraLen int) []byte {
	clock, date := dosTime(r.modTime)
	packed, size := r.sizeSlots()
	b = binary.LittleEndian.AppendUint32(b, localHeaderSignature)
	b = binary.LittleEndian.AppendUint16(b, r.versionNeeded())
	b = binary.LittleEndian.AppendUint16(b, r.flags())
	b = binary.LittleEndian.AppendUint16(b, r.method())
	b = binary.LittleEndian.AppendUint16(b, clock)
	b = binary.LittleEndian.AppendUint16(b, date)
	b = binary.LittleEndian.AppendUint32(b, crc)
	b = binary.LittleEndian.AppendUint32(b, packed)
	b = binary.LittleEndian.AppendUint32(b, size)
	b = binary.LittleEndian.AppendUint16(b, uint16(nameLen))
	return binary.LittleEndian.AppendUint16(b, uint16(extraLen))
}

// appendCentralHeader appends the fixed part of the central directory's file
// header (4.3.12). File name and extra field follow it; there is no comment.
//
//	offset  size  field                       value
//	     0     4  signature                   0x02014b50
//	     4     2  version made by             3: Unix; 3.0, 4.5 with ZIP64
//	     6    10  version needed .. date      as in the local header
//	    16     4  crc-32
//	    20     4  compressed size             0xFFFFFFFF: in the ZIP64 field
//	    24     4  uncompressed size           the same
//	    28     2  file name length
//	    30     2  extra field length
//	    32     2  file comment length         0
//	    34     2  disk number start           0
//	    36     2  internal file attributes    0
//	    38     4  external file attributes    st_mode << 16
//	    42     4  offset of local header      0xFFFFFFFF: in the ZIP64 field
func (r *record) appendCentralHeader(b []byte, nameLen int, crc uint32, extraLen int) []byte {
	made := uint16(madeBy)
	if r.needsZIP64() {
		made = madeByZIP64
	}
	clock, date := dosTime(r.modTime)
	packed, size := r.sizeSlots()
	b = binary.LittleEndian.AppendUint32(b, centralHeaderSignature)
	b = binary.LittleEndian.AppendUint16(b, made)
	b = binary.LittleEndian.AppendUint16(b, r.versionNeeded())
	b = binary.LittleEndian.AppendUint16(b, r.flags())
	b = binary.LittleEndian.AppendUint16(b, r.method())
	b = binary.LittleEndian.AppendUint16(b, clock)
	b = binary.LittleEndian.AppendUint16(b, date)
	b = binary.LittleEndian.AppendUint32(b, crc)
	b = binary.LittleEndian.AppendUint32(b, packed)
	b = binary.LittleEndian.AppendUint32(b, size)
	b = binary.LittleEndian.AppendUint16(b, uint16(nameLen))
	b = binary.LittleEndian.AppendUint16(b, uint16(extraLen))
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, r.externalAttributes())
	return binary.LittleEndian.AppendUint32(b, saturate32(r.offset))
}

// end holds what the records after the central directory tell.
type end struct {
	count       uint64
	directory   uint64 // length in bytes
	directoryAt uint64 // offset from the archive's start
	comment     string
}

func (e *end) needsZIP64() bool {
	return e.count >= uint16max || e.directory >= uint32max || e.directoryAt >= uint32max
}

// append appends the ZIP64 end record and its locator where needed, and the end
// of central directory record with the archive comment. With ZIP64 the classic
// record's count, size and offset are saturated together: some readers test
// only one of them.
//
// ZIP64 end of central directory record (4.3.14):
//
//	offset  size  field                            value
//	     0     4  signature                        0x06064b50
//	     4     8  size of the rest                 44
//	    12     2  version made by                  3: Unix; 4.5
//	    14     2  version needed to extract        45
//	    16     4  number of this disk              0
//	    20     4  disk of the directory's start    0
//	    24     8  entries on this disk
//	    32     8  entries in total
//	    40     8  size of the directory
//	    48     8  offset of the directory
//
// ZIP64 end of central directory locator (4.3.15):
//
//	 0     4  signature                        0x07064b50
//	 4     4  disk of the ZIP64 end record     0
//	 8     8  offset of the ZIP64 end record
//	16     4  total number of disks            1
//
// End of central directory record (4.3.16):
//
//	 0     4  signature                        0x06054b50
//	 4     2  number of this disk              0
//	 6     2  disk of the directory's start    0
//	 8     2  entries on this disk             0xFFFF: in the ZIP64 record
//	10     2  entries in total                 the same
//	12     4  size of the directory            0xFFFFFFFF: in the ZIP64 record
//	16     4  offset of the directory          the same
//	20     2  comment length
func (e *end) append(b []byte) []byte {
	count, size, offset := uint16(e.count), uint32(e.directory), uint32(e.directoryAt)
	if e.needsZIP64() {
		b = binary.LittleEndian.AppendUint32(b, zip64EndSignature)
		b = binary.LittleEndian.AppendUint64(b, zip64EndLen-12)
		b = binary.LittleEndian.AppendUint16(b, madeByZIP64)
		b = binary.LittleEndian.AppendUint16(b, neededZIP64)
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint64(b, e.count)
		b = binary.LittleEndian.AppendUint64(b, e.count)
		b = binary.LittleEndian.AppendUint64(b, e.directory)
		b = binary.LittleEndian.AppendUint64(b, e.directoryAt)

		b = binary.LittleEndian.AppendUint32(b, zip64LocatorSignature)
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint64(b, e.directoryAt+e.directory)
		b = binary.LittleEndian.AppendUint32(b, 1)

		count, size, offset = uint16max, uint32max, uint32max
	}
	b = binary.LittleEndian.AppendUint32(b, endSignature)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, count)
	b = binary.LittleEndian.AppendUint16(b, count)
	b = binary.LittleEndian.AppendUint32(b, size)
	b = binary.LittleEndian.AppendUint32(b, offset)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(e.comment)))
	return append(b, e.comment...)
}

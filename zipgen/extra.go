package zipgen

import "encoding/binary"

// Header IDs of extra fields (4.5.2, 4.6.1).
const (
	zip64ExtraID        = 0x0001 // 4.5.3
	ntfsID              = 0x000a // 4.5.5
	extendedTimestampID = 0x5455
	ownerID             = 0x7875
	alignmentID         = 0xd935 // Android's zipalign
)

// Lengths of the fields with their headers.
const (
	zip64FieldLen     = 4 // + 16 for the sizes + 8 for the offset
	ntfsFieldLen      = 4 + 32
	timestampFieldLen = 4 + 5
	ownerFieldLen     = 4 + 11
	alignmentFieldLen = 4 + 2 // + padding
	maxExtraLen       = zip64FieldLen + 16 + 8 + ntfsFieldLen + timestampFieldLen + ownerFieldLen + alignmentFieldLen
)

// localExtraLen and centralExtraLen are the lengths of what is appended below. That of
// a local header depends on where the header and so the data would be.
func (r *record) localExtraLen(nameLen int) int {
	n := r.commonExtraLen()
	if r.zip64Sizes() {
		n += zip64FieldLen + 16
	}
	field, _ := r.alignment(nameLen, n)
	return n + field
}

// alignment returns the length of the field that aligns the data of a record with
// other extra fields of so many bytes, 0 for none, and what the data is aligned to.
func (r *record) alignment(nameLen, extraLen int) (field int, align uint64) {
	log := r.mode >> alignAt & alignMask
	if log == 0 || r.mode&deflated != 0 { // nobody maps what is deflated
		return 0, 0
	}
	data := r.offset + uint64(localHeaderLen+nameLen+extraLen)
	for align = 1 << log; ; align /= 2 {
		field := -data & (align - 1)
		if 0 < field && field < alignmentFieldLen {
			field += align
		}
		if uint64(extraLen)+field <= uint16max {
			return int(field), align
		}
	}
}

func (r *record) centralExtraLen() int {
	n := r.commonExtraLen()
	if r.needsZIP64() {
		n += zip64FieldLen
		if r.zip64Sizes() {
			n += 16
		}
		if r.offset >= uint32max {
			n += 8
		}
	}
	return n
}

func (r *record) commonExtraLen() int {
	n := 0
	if r.mode&hasNTFSTime != 0 {
		n += ntfsFieldLen
	}
	if fitsExtendedTimestamp(r.modTime) {
		n += timestampFieldLen
	}
	if r.mode&hasOwner != 0 {
		n += ownerFieldLen
	}
	return n
}

// appendLocalExtra appends the extra field of the local header. ZIP64 comes
// first, with both sizes or not at all (4.5.3). Its last zeros bytes are not appended.
func (r *record) appendLocalExtra(b []byte, o owner, nameLen int) (_ []byte, zeros int) {
	start := len(b)
	if r.zip64Sizes() {
		b = appendField(b, zip64ExtraID, 16)
		b = binary.LittleEndian.AppendUint64(b, r.size)
		b = binary.LittleEndian.AppendUint64(b, r.packed)
	}
	b = r.appendCommonExtra(b, o)
	if field, align := r.alignment(nameLen, len(b)-start); field > 0 {
		return appendAlignment(b, field, align), field - alignmentFieldLen
	}
	return b, 0
}

// appendCentralExtra appends the extra field of the central header. ZIP64 holds
// exactly the fields whose 32-bit slot is saturated, in this order (4.5.3).
func (r *record) appendCentralExtra(b []byte, o owner) []byte {
	if r.needsZIP64() {
		at := len(b)
		b = appendField(b, zip64ExtraID, 0)
		if r.zip64Sizes() {
			b = binary.LittleEndian.AppendUint64(b, r.size)
			b = binary.LittleEndian.AppendUint64(b, r.packed)
		}
		if r.offset >= uint32max {
			b = binary.LittleEndian.AppendUint64(b, r.offset)
		}
		binary.LittleEndian.PutUint16(b[at+2:], uint16(len(b)-at-4))
	}
	return r.appendCommonExtra(b, o)
}

// appendCommonExtra appends the fields that are the same in both headers, by
// ascending ID.
func (r *record) appendCommonExtra(b []byte, o owner) []byte {
	if r.mode&hasNTFSTime != 0 {
		b = appendNTFSTimes(b, r.modTime)
	}
	if fitsExtendedTimestamp(r.modTime) {
		b = appendExtendedTimestamp(b, r.modTime)
	}
	if r.mode&hasOwner != 0 {
		b = appendOwner(b, o)
	}
	return b
}

// appendAlignment appends the field of size bytes, but for its padding, that aligns data
// as Android's zipalign does. Its number has no room for more than 32 KiB.
//
//	offset  size  field
//	     0     2  header ID       0xd935
//	     2     2  data size       2, and the padding
//	     4     2  alignment       the data starts at a multiple
//	     6        padding         zeros
func appendAlignment(b []byte, size int, align uint64) []byte {
	b = appendField(b, alignmentID, uint16(size-4))
	return binary.LittleEndian.AppendUint16(b, uint16(min(align, 32<<10)))
}

// appendField appends the start of a field whose data takes size bytes.
func appendField(b []byte, id, size uint16) []byte {
	b = binary.LittleEndian.AppendUint16(b, id)
	return binary.LittleEndian.AppendUint16(b, size)
}

// appendNTFSTimes appends a file's three NTFS times (4.5.5), all of them the
// modification time: readers take a zero for 1601.
//
//	offset  size  field
//	     0     2  header ID             0x000a
//	     2     2  data size             32
//	     4     4  reserved              0
//	     8     2  attribute tag         1: times
//	    10     2  attribute size        24
//	    12     8  modification time     100 ns since 1601-01-01 UTC
//	    20     8  access time           the same
//	    28     8  creation time         the same
func appendNTFSTimes(b []byte, unix int64) []byte {
	b = appendField(b, ntfsID, 32)
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = appendField(b, 1, 24)
	for range 3 {
		b = binary.LittleEndian.AppendUint64(b, ntfsTime(unix))
	}
	return b
}

// appendExtendedTimestamp appends Info-ZIP's extended timestamp, with the
// modification time alone. By its definition the central header's says no more.
//
//	offset  size  field
//	     0     2  header ID             0x5455
//	     2     2  data size             5
//	     4     1  flags                 1: modification time
//	     5     4  modification time     seconds since 1970-01-01 UTC
func appendExtendedTimestamp(b []byte, unix int64) []byte {
	b = appendField(b, extendedTimestampID, 5)
	b = append(b, 1)
	return binary.LittleEndian.AppendUint32(b, uint32(unix))
}

// appendOwner appends Info-ZIP's new Unix extra field.
//
//	offset  size  field
//	     0     2  header ID       0x7875
//	     2     2  data size       11
//	     4     1  version         1
//	     5     1  size of UID     4
//	     6     4  UID
//	    10     1  size of GID     4
//	    11     4  GID
func appendOwner(b []byte, o owner) []byte {
	b = appendField(b, ownerID, 11)
	b = append(b, 1, 4)
	b = binary.LittleEndian.AppendUint32(b, o.uid)
	b = append(b, 4)
	return binary.LittleEndian.AppendUint32(b, o.gid)
}

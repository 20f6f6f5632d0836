package strictzip

import "errors"

// What an archive can be refused for. Every error of this package wraps one of
// these, unless reading failed or a visit did.
var (
	ErrTruncated  = errors.New("bytes are missing")
	ErrGap        = errors.New("bytes belong to no record")
	ErrOverlap    = errors.New("records overlap")
	ErrSignature  = errors.New("wrong signature")
	ErrMismatch   = errors.New("local and central header differ")
	ErrEnd        = errors.New("wrong end of central directory")
	ErrDisk       = errors.New("more than one disk")
	ErrZIP64      = errors.New("wrong ZIP64")
	ErrVersion    = errors.New("wrong version")
	ErrFlags      = errors.New("wrong general purpose flags")
	ErrMethod     = errors.New("wrong compression method")
	ErrDeflate    = errors.New("wrong deflate stream")
	ErrSize       = errors.New("wrong size")
	ErrCRC        = errors.New("wrong CRC-32")
	ErrName       = errors.New("wrong name")
	ErrOrder      = errors.New("names are not in bytewise order")
	ErrDuplicate  = errors.New("one name twice")
	ErrExtra      = errors.New("wrong extra field")
	ErrTime       = errors.New("wrong time")
	ErrAttributes = errors.New("wrong attributes")
	ErrComment    = errors.New("an entry has a comment")
)

// clip keeps a name of up to 65,535 bytes from filling a message.
func clip(name string) string {
	const most = 100
	if len(name) <= most {
		return name
	}
	return name[:most/2] + "..." + name[len(name)-most/2:]
}

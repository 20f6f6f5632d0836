package zipgen

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// File types of [Entry.Mode], with the values of POSIX <sys/stat.h> on Linux.
const (
	TypeMask    = 0o170000 // S_IFMT
	TypeFile    = 0o100000 // S_IFREG
	TypeDir     = 0o040000 // S_IFDIR
	TypeSymlink = 0o120000 // S_IFLNK
	PermMask    = 0o007777 // permissions, set-user-ID, set-group-ID, sticky
)

// MaxNameLen is the longest name and comment, in bytes, that a record's
// 16-bit length field can tell (4.4.10, 4.4.12).
const MaxNameLen = math.MaxUint16

// Entry is one file, directory or symbolic link to be stored.
type Entry struct {
	// Name is the path inside the archive: relative, components parted by "/",
	// none of them empty, "." or "..". A directory's name ends in "/".
	Name string
	// Mode is a POSIX st_mode: one of TypeFile, TypeDir, TypeSymlink, and
	// permission bits.
	Mode uint32
	// Size is the number of data bytes: a link's target is its data; a
	// directory has none.
	Size int64
	// ModTime is the modification time in seconds since 1970-01-01 UTC.
	ModTime int64
	// CompressedSize is the number of bytes that a file's data has in the archive if it
	// is deflated (4.4.5: method 8). Where it is 0 the data is stored as it is.
	CompressedSize int64
	// UID and GID are the owner's numbers, stored with [Options].Owners alone.
	UID, GID uint32
}

// Errors that [Builder.Add] wraps.
var (
	ErrName  = errors.New("name can't be stored")
	ErrOrder = errors.New("entries are not in bytewise order of their names")
	// ErrDuplicate: two entries have one name, or a file's name is also a directory's.
	ErrDuplicate = errors.New("two entries for one name")
	ErrMode      = errors.New("mode can't be stored")
	ErrSize      = errors.New("size can't be stored")
)

// CheckName says whether a path can stand in an archive at all (4.4.17). What
// is legal but hard on some readers (control characters, a backslash, bytes
// that are not UTF-8) is the caller's to judge. The error wraps [ErrName].
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case len(name) > MaxNameLen:
		return fmt.Errorf("%w: it has %d bytes, at most %d fit", ErrName, len(name), MaxNameLen)
	case name[0] == '/':
		return fmt.Errorf("%w: it is absolute", ErrName)
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("%w: it holds a NUL byte", ErrName)
	}
	rest := strings.TrimSuffix(name, "/")
	for more := true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		switch part {
		case "":
			return fmt.Errorf("%w: it has an empty part", ErrName)
		case ".", "..":
			return fmt.Errorf("%w: it has the part %q", ErrName, part)
		}
	}
	return nil
}

func (e *Entry) check() error {
	if err := CheckName(e.Name); err != nil {
		return fmt.Errorf("%q: %w", clip(e.Name), err)
	}
	isDir := e.Name[len(e.Name)-1] == '/'
	switch {
	case e.Mode&^(TypeMask|PermMask) != 0:
		return fmt.Errorf("%q: %w: unknown bits in %#o", clip(e.Name), ErrMode, e.Mode)
	case isDir != (e.Mode&TypeMask == TypeDir):
		return fmt.Errorf("%q: %w: a directory's name, and no other, ends in a slash", clip(e.Name), ErrMode)
	case !isDir && e.Mode&TypeMask != TypeFile && e.Mode&TypeMask != TypeSymlink:
		return fmt.Errorf("%q: %w: type %#o is no file, directory or symbolic link", clip(e.Name), ErrMode, e.Mode&TypeMask)
	case e.Size < 0:
		return fmt.Errorf("%q: %w: %d is negative", clip(e.Name), ErrSize, e.Size)
	case e.CompressedSize < 0:
		return fmt.Errorf("%q: %w: %d is negative", clip(e.Name), ErrSize, e.CompressedSize)
	case e.CompressedSize > 0 && (e.Size == 0 || e.Mode&TypeMask != TypeFile):
		return fmt.Errorf("%q: %w: only a file that has data is deflated", clip(e.Name), ErrSize)
	case isDir && e.Size != 0:
		return fmt.Errorf("%q: %w: a directory has no data", clip(e.Name), ErrSize)
	}
	return nil
}

// clip keeps a name of up to 65,535 bytes from filling a message.
func clip(name string) string {
	const most = 200
	if len(name) <= most {
		return name
	}
	return name[:most/2] + "..." + name[len(name)-most/2:]
}

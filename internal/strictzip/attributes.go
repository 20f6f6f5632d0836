package strictzip

import "fmt"

// Types of an st_mode, as POSIX systems have them.
const (
	typeMask = 0o170000
	typeFile = 0o100000
	typeDir  = 0o040000

	linkAttributes = 0xa1ff0000 // S_IFLNK, all permissions
	dosDirectory   = 0x10
)

func isDir(name string) bool { return name != "" && name[len(name)-1] == '/' }

// checkAttributes checks the external attributes (4.4.15): an st_mode in the
// upper half. A directory has no data.
func (e *Entry) checkAttributes() error {
	mode, lower := e.ExternalAttributes>>16, e.ExternalAttributes&0xffff
	want := uint32(0)
	switch {
	case mode&typeMask == typeFile, e.ExternalAttributes == linkAttributes:
	case mode&typeMask == typeDir:
		want = dosDirectory
	default:
		return fmt.Errorf("%w: external %#08x", ErrAttributes, e.ExternalAttributes)
	}
	if lower != want {
		return fmt.Errorf("%w: external %#08x, want %#x in the lower half", ErrAttributes, e.ExternalAttributes, want)
	}
	if isDir(e.Name) != (want == dosDirectory) {
		return fmt.Errorf("%w: a slash at its end, and external attributes %#08x", ErrName, e.ExternalAttributes)
	}
	if isDir(e.Name) && e.Size != 0 {
		return fmt.Errorf("%w: a directory with %d bytes of data", ErrSize, e.Size)
	}
	return nil
}

// checkVersions checks version made by (4.4.2), host 3 for Unix, and version
// needed to extract (4.4.3). A local ZIP64 field never comes without a central one.
func (e *Entry) checkVersions() error {
	made, needed := uint16(0x031e), uint16(10)
	switch {
	case e.CentralZIP64 > 0:
		made, needed = 0x032d, 45
	case isDir(e.Name), e.Method == methodDeflate:
		needed = 20
	}
	if e.MadeBy != made || e.Needed != needed {
		return fmt.Errorf("%w: made by %#04x, needs %d; want %#04x, %d", ErrVersion, e.MadeBy, e.Needed, made, needed)
	}
	return nil
}

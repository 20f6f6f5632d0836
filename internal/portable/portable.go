// Package portable tells what of an archive would bother people on other systems
// or with other readers: what Windows can't extract, what old readers can't
// read, what is lost on the way.
//
// In scope: an archive's names, links, times and size. Out of scope: names that
// clash, and sources that are left out, which every scan warns of.
package portable

import (
	"fmt"
	"math"
	"path"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"vzip/layout"
	"vzip/zipgen"
)

// check is one thing that can be wrong with an entry.
type check struct {
	of func(*subject) bool
	// one and many say what is wrong, with the entry's name and their number.
	one, many string
	todo      string
}

// subject is an entry as checks look at it.
type subject struct {
	zipgen.Entry
	index int
	plan  *layout.Plan
	parts []string // of the name
}

// Limits of other systems.
const (
	maxWindowsPath = 259    // UTF-16 units, without the NUL
	maxComponent   = 255    // bytes on Linux and macOS, UTF-16 units on Windows
	maxComment     = 16_000 // bytes: libarchive looks for the end record in the last 16 KiB, and not in all of them
)

var checks = []check{
	{any1(isReserved), "name is reserved", "names are reserved", "by Windows: rename or exclude them"},
	{(*subject).hasDrive, "name starts", "names start", "as paths on a Windows drive do, for which Node's yauzl and others refuse the whole archive: rename or exclude them"},
	{any1(hasReservedRune), "name holds one of", "names hold one of", `< > : " | ? *, which Windows doesn't allow: rename or exclude them`},
	{any1(endsBadly), "name ends in a dot or blank,", "names end in a dot or blank,", "which Windows drops: rename or exclude them"},
	{any1(isLong), "name has a part", "names have a part", "of more than 255 bytes, which Linux can't extract: shorten it"},
	{(*subject).longPath, "path is", "paths are", "longer than 259 characters, which most Windows programs can't extract: shorten them"},
	{(*subject).hardToRead, "name holds", "names hold", "control characters, backslashes, or bytes that are not UTF-8, for which some readers refuse the whole archive: set names: escape"},
	{(*subject).leadsOut, "symbolic link leads", "symbolic links lead", "out of the archive, and 7-Zip refuses to extract them: exclude them"},
	{(*subject).isLink, "entry is a symbolic link,", "entries are symbolic links,", "which Windows programs and Python's zipfile extract as small files: exclude them, or set symlinks: follow for those that lead to files of the source"},
	{(*subject).timeLate, "time is", "times are", "after 2038-01-19, and stored to two seconds, at most 2107: set ntfs_times: true, or mtime"},
	{(*subject).timeEarly, "time is", "times are", "before 1970, which readers see as 1980: set mtime, or ntfs_times: true, with which Java's jar can't extract them"},
	{(*subject).timeNegative, "time is", "times are", "before 1970, and Java's jar stops at such an NTFS time: set mtime"},
}

// Check returns what is wrong with an archive, a message each. Where it is not known yet
// what its files are compressed to it is not sized.
func Check(p *layout.Plan, sized bool) (found []string) {
	counts := make([]int, len(checks))
	first := make([]string, len(checks))
	for i := range p.Len() {
		s := &subject{Entry: p.Entry(i), index: i, plan: p}
		s.parts = strings.Split(strings.TrimSuffix(s.Name, "/"), "/")
		for k := range checks {
			if !checks[k].of(s) {
				continue
			}
			if counts[k]++; counts[k] == 1 {
				first[k] = clip(s.Name)
			}
		}
	}
	for k, c := range checks {
		switch {
		case counts[k] == 1:
			found = append(found, fmt.Sprintf("1 %s %s (%q)", c.one, c.todo, first[k]))
		case counts[k] > 1:
			found = append(found, fmt.Sprintf("%d %s %s (the first is %q)", counts[k], c.many, c.todo, first[k]))
		}
	}
	switch {
	case !p.ZIP64():
	case sized || needsZIP64(p):
		found = append(found, "it needs ZIP64 (4 GiB, or 65,535 entries), which BusyBox and macOS before 10.15 can't read: make several archives")
	default:
		found = append(found, "it needs ZIP64, which BusyBox and macOS before 10.15 can't read, unless compression makes less than 4 GiB of it: vzip hash works that out, and then check knows it, too")
	}
	if p.Len() > 0 && p.EntrySize(0) >= math.MaxUint32 {
		found = append(found, fmt.Sprintf("its first entry (%q) has 4 GiB or more, for which Safari extracts nothing else: give a smaller one a name that comes first", clip(p.EntryName(0))))
	}
	if p.Aligned() {
		found = append(found, "align pads headers of its files, and Node's unzipper can't open such archives with Open: leave align out for those who use that")
	}
	if n := len(p.Comment()); n > maxComment {
		found = append(found, fmt.Sprintf("its comment has %d bytes, and with more than %d bsdtar misses the directory, and so modes and links: shorten it", n, maxComment))
	}
	return found
}

// needsZIP64 tells whether an archive needs ZIP64 whatever its files are compressed to.
func needsZIP64(p *layout.Plan) bool {
	for i := range p.Len() {
		if p.EntrySize(i) >= math.MaxUint32 {
			return true
		}
	}
	return p.Len() >= math.MaxUint16
}

// any1 is a check of each part of a name.
func any1(bad func(part string) bool) func(*subject) bool {
	return func(s *subject) bool {
		for _, part := range s.parts {
			if bad(part) {
				return true
			}
		}
		return false
	}
}

// isReserved tells whether Windows keeps a name, with any extension, for a device.
func isReserved(part string) bool {
	base, _, _ := strings.Cut(part, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	name, ok := strings.CutPrefix(base, "COM")
	if !ok {
		name, ok = strings.CutPrefix(base, "LPT")
	}
	return ok && utf8.RuneCountInString(name) == 1 && strings.Contains("123456789¹²³", name)
}

func (s *subject) hasDrive() bool {
	return len(s.Name) > 1 && s.Name[1] == ':' && ('a' <= s.Name[0]|0x20 && s.Name[0]|0x20 <= 'z')
}

func hasReservedRune(part string) bool { return strings.ContainsAny(part, `<>:"|?*`) }

func endsBadly(part string) bool { return strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") }

func isLong(part string) bool { return len(part) > maxComponent }

func (s *subject) longPath() bool {
	return len(s.Name) > maxWindowsPath && len(utf16.Encode([]rune(strings.TrimSuffix(s.Name, "/")))) > maxWindowsPath
}

func (s *subject) hardToRead() bool {
	return !utf8.ValidString(s.Name) || strings.ContainsFunc(s.Name, func(r rune) bool { return r < 0x20 || r == 0x7F || r == '\\' })
}

func (s *subject) isLink() bool { return s.Mode&zipgen.TypeMask == zipgen.TypeSymlink }

func (s *subject) leadsOut() bool {
	if !s.isLink() {
		return false
	}
	target := s.plan.Link(s.index)
	if path.IsAbs(target) {
		return true
	}
	to := path.Join(path.Dir(s.Name), target)
	return to == ".." || strings.HasPrefix(to, "../")
}

func (s *subject) timeLate() bool { return !s.plan.NTFSTimes() && s.ModTime > math.MaxInt32 }

func (s *subject) timeEarly() bool { return !s.plan.NTFSTimes() && s.ModTime < 0 }

func (s *subject) timeNegative() bool { return s.plan.NTFSTimes() && s.ModTime < 0 }

// clip keeps a name of up to 65,535 bytes from filling a message.
func clip(name string) string {
	const most = 200
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "..."
}

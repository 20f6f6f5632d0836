package main

import (
	"regexp"
	"slices"
	"strings"
)

// limit is what a reader can't do for reasons of its own. The table holds each
// against other programs' archives of the same tree.
type limit struct {
	reader, archive string // patterns for whole names
	kinds           string // the differences that it explains; others are failures
	reason          string
}

var limits = []limit{
	// Archives that are unusual as a whole.
	{"unzip|unzip -t|zipinfo|funzip|zip -T|miniunzip|minizip|QuaZip|zziplib|PhysicsFS|libgsf|PHP PharData|Android libziparchive", "empty", unreadable, "an archive without entries is an error for it"},
	{"Perl IO::Uncompress::Unzip|Rust zip from a stream", "empty", unreadable, "expects an entry at the start of a stream"},
	{"bsdtar|archivemount|unar|lsar", "comment", "modes", "doesn't look for the directory that far from the end, and reads the archive as a stream, without modes"},
	{"busybox unzip|sqlite3.*|advzip.*|miniunzip|minizip|Node (unzipper Open.file|node-stream-zip|@endo/zip)|QuaZip|libgsf|wxWidgets wxZipInputStream|OCaml camlzip|Perl Archive::Zip|Ruby Zip::File|Erlang zip.*", "comment", unreadable, "doesn't look for the end record that far from the archive's end"},
	{"Ruby Zip::File", "nested", unreadable, "takes the ZIP64 end record of the ZIP file inside for the archive's"},

	{"Node unzipper Open.file", "aligned", unreadable, "guesses how long a local header is"},

	{"Node @endo/zip", "deflated|auto", unreadable, "reads stored entries alone"},

	// Names.
	{"bsdtar.*|bsdcpio.*", "unicode", "names", "turns names into NFC"},
	{"unar", "names", unreadable, "extracts a:b as a_b, and others on top of each other"},
	{"lsar", "unicode", unreadable, "prints JSON that is none for some names"},
	{"Node (yauzl.*|node-stream-zip)|PhysicsFS", "names", unreadable, "takes a:b for a path of Windows, and refuses it"},
	{"Node zip.js", "names", unreadable, "refuses names that Windows reserves"},
	{"Node unzip-stream", "names", "names", "takes dots off names"},
	{"PHP PharData", "names", unreadable, "refuses names with a star"},
	{"Tcl vfs::zip", "plain|comment", "names", "takes leading dots off names"},
	{"Tcl vfs::zip", "names", unreadable, "takes a name with ~ for somebody's home"},
	{"miniunzip", "plain|names|long", "entries|names", "drops leading dots, and cuts names at 256 bytes"},
	{"archivemount", "unicode|links|escape|long|deflated|auto", "entries", "leaves names that are not ASCII out"},

	// Modes, links and times.
	{"7z x|unar|KArchive.*", "modes", "modes", "gives the owner of a folder all rights to it (and 7z drops set-user-ID and the like)"},
	{"Java jdk.zipfs", "modes", "modes", "has no set-user-ID, set-group-ID and sticky bits"},
	{"7z x", "links", "links", "moves absolute targets below the folder that it extracts into"},
	{"PhysicsFS", "links", unreadable, "follows links as it lists them"},
	{"PhysicsFS", "owners|deflated|auto", "reader", "doesn't tell where links lead"},
	{"avfs", "links|owners|deflated|auto", unreadable, "can't read symbolic links of stored entries"},
	{"unzip", "times", "times", "takes 2100 for a leap year in MS-DOS times"},
	{"jar xf", "times", unreadable, "can't set a time before 1970"},
	{"sqlite3.*|PHP PharData|KArchive.*", "times", "times", "counts times in 32 bits"},
	{"Ruby Archive::Zip", "times", unreadable, "has no years after 2099"},
	{"Mono SharpZipLib.*", "times", "times", "packs extended timestamps into MS-DOS fields, which turns 1970 into 2098"},

	// Many and large entries.
	{"zipdetails|archivemount", "count", slow, "takes minutes for as many entries: its time grows with the square of their number"},
	{"archivemount", "large|edge", slow, "takes minutes for a large file: each read starts at the file's beginning again"},
	{"fuse-zip", "large", unreadable, "ends when a file of 4 GiB is read"},
	{"Mono SharpZipLib ZipFile", "count|large|edge", zip64Kinds, "knows no ZIP64"},
	{"Mono SharpZipLib ZipInputStream", "large|edge", zip64Kinds, "knows no ZIP64 entries"},
	{"Node (fflate unzipSync|jszip|pizzip|adm-zip|@endo/zip|uzip|but-unzip|Yarn's libzip|zip)", "large|edge", unreadable, "wants the whole archive in memory, and Node gives 2 GiB"},
	{"Node Yarn's JsZipImpl", "count|large|edge", zip64Kinds, "knows no ZIP64"},
	{"Node (@endo/zip|uzip|but-unzip|zip)", "count", zip64Kinds, "knows no ZIP64"},
	{"Python zipimport|PHP (PharData|PclZip)|Ruby Archive::Zip|Tcl .*|Erlang .*|zziplib|Zipios.*|KArchive.*|Android libziparchive|OCaml camlzip|advzip.*|aapt.*|zipalign.*|sqlite3.*|busybox unzip", "count|large|edge", zip64Kinds, "knows no ZIP64, or not all of it"},
	{"PhysicsFS|avfs", "large", zip64Kinds, "knows no ZIP64, or not all of it"},
	{"minizip|miniunzip|D std.zip|unar|lsar", "large|edge", zip64Kinds, "knows no ZIP64, or not all of it"},
}

// zip64Kinds are what readers without ZIP64 do: some refuse the archive, some lose
// entries of it or take the marks for sizes.
const zip64Kinds = unreadable + "|entries|sizes"

// knownLimit returns what keeps a reader from an archive, nil if nothing should.
func knownLimit(reader, archive string) *limit {
	for i := range limits {
		if l := &limits[i]; matches(l.reader, reader) && matches(l.archive, archive) {
			return l
		}
	}
	return nil
}

// explains tells whether a difference is what the limit is about.
func (l *limit) explains(d *difference) bool {
	return slices.Contains(strings.Split(l.kinds, "|"), d.kind)
}

func matches(pattern, name string) bool {
	return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(name)
}

package main

import "regexp"

// limit is what a reader can't do for reasons of its own. The table holds each
// against other programs' archives of the same tree.
type limit struct {
	reader, archive string // patterns for whole names
	reason          string
}

var limits = []limit{
	// Archives that are unusual as a whole.
	{"unzip|unzip -t|zipinfo|funzip|zip -T|miniunzip|minizip|QuaZip|zziplib|PhysicsFS|libgsf|PHP PharData|Android libziparchive", "empty", "an archive without entries is an error for it"},
	{"Perl IO::Uncompress::Unzip|Rust zip from a stream", "empty", "expects an entry at the start of a stream"},
	{"bsdtar|archivemount|unar|lsar", "comment", "doesn't look for the directory that far from the end, and reads the archive as a stream, without modes"},
	{"busybox unzip|sqlite3.*|advzip.*|miniunzip|minizip|Node (unzipper Open.file|node-stream-zip|@endo/zip)|QuaZip|libgsf|wxWidgets wxZipInputStream|OCaml camlzip|Perl Archive::Zip|Ruby Zip::File|Erlang zip.*", "comment", "doesn't look for the end record that far from the archive's end"},
	{"Ruby Zip::File", "nested", "takes the ZIP64 end record of the ZIP file inside for the archive's"},

	// Names.
	{"bsdtar.*|bsdcpio.*", "unicode", "turns names into NFC"},
	{"unar", "names", "extracts a:b as a_b, and others on top of each other"},
	{"lsar", "unicode", "prints JSON that is none for some names"},
	{"Node (yauzl.*|node-stream-zip)|PhysicsFS", "names", "takes a:b for a path of Windows, and refuses it"},
	{"Node zip.js", "names", "refuses names that Windows reserves"},
	{"Node unzip-stream", "names", "takes dots off names"},
	{"PHP PharData", "names", "refuses names with a star"},
	{"Tcl vfs::zip", "plain|names|comment", "takes leading dots off names, and expands ~"},
	{"miniunzip", "plain|names|long", "drops leading dots, and cuts names at 256 bytes"},
	{"archivemount", "unicode|links|escape|long", "leaves names that are not ASCII out"},

	// Modes, links and times.
	{"7z x|unar|KArchive.*", "modes", "gives the owner of a folder all rights to it (and 7z drops set-user-ID and the like)"},
	{"Java jdk.zipfs", "modes", "has no set-user-ID, set-group-ID and sticky bits"},
	{"Node zip.js", "modes", "takes permissions of 0000 for none"},
	{"7z x", "links", "moves absolute targets below the folder that it extracts into"},
	{"PhysicsFS", "links|owners", "follows links as it lists them, and doesn't tell where they lead"},
	{"avfs", "links|owners", "can't read symbolic links of stored entries"},
	{"unzip", "times", "takes 2100 for a leap year in MS-DOS times"},
	{"jar xf", "times", "can't set a time before 1970"},
	{"sqlite3.*|PHP PharData|KArchive.*", "times", "counts times in 32 bits"},
	{"Ruby Archive::Zip", "times", "has no years after 2099"},
	{"Mono SharpZipLib.*", "times", "packs extended timestamps into MS-DOS fields, which turns 1970 into 2098"},

	{"zipdetails|archivemount", "count", "takes minutes for as many entries: its time grows with the square of their number"},

	// ZIP64.
	{"Mono SharpZipLib ZipFile", "count|large|edge", "knows no ZIP64"},
	{"Mono SharpZipLib ZipInputStream", "large|edge", "knows no ZIP64 entries"},
	{"Node (fflate unzipSync|jszip|pizzip|adm-zip|@endo/zip|uzip|but-unzip|Yarn's libzip|zip)", "large|edge", "wants the whole archive in memory, and Node gives 2 GiB"},
	{"Node Yarn's JsZipImpl", "count|large|edge", "knows no ZIP64"},
	{"Node (@endo/zip|uzip|but-unzip|zip)", "count", "knows no ZIP64"},
	{"Python zipimport|PHP (PharData|PclZip)|Ruby Archive::Zip|Tcl .*|Erlang .*|zziplib|Zipios.*|KArchive.*|Android libziparchive|OCaml camlzip|advzip.*|aapt.*|zipalign.*|sqlite3.*|busybox unzip", "count|large|edge", "knows no ZIP64, or not all of it"},
	{"PhysicsFS|minizip|miniunzip|D std.zip|unar|lsar|avfs", "large|edge", "knows no ZIP64, or not all of it"},
}

// knownLimit returns why a reader can't read an archive, "" if it should.
func knownLimit(reader, archive string) string {
	for _, l := range limits {
		if matches(l.reader, reader) && matches(l.archive, archive) {
			return l.reason
		}
	}
	return ""
}

func matches(pattern, name string) bool {
	return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(name)
}

package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// fields says what a reader tells of an archive's entries.
type fields uint

const (
	size        fields = 1 << iota // of the data, in bytes
	crc                            // the CRC-32 that the archive has
	content                        // the data, as the reader hands it out
	modes                          // permissions
	links                          // which entries are symbolic links, and their targets
	mtime                          // modification time, in seconds since 1970
	dosTime                        // the same from the MS-DOS fields: even seconds, from 1980 on; with mtime, now and then
	owners                         // user and group ID
	onlyOne                        // the first entry's data alone
	unsorted                       // entries come in an order of the reader's own
	noDirs                         // directories are not told
	fewDirs                        // of directories their names alone are told
	noLinkTimes                    // of links times are not told
	lastOnly                       // of the archive no more than that it is right
)

// reader is a row of the table: one program or library that reads archives.
type reader struct {
	name  string
	from  string // the package that it comes in
	tells fields
	read  func(ctx context.Context, w *workplace, archive string) ([]entry, error)
}

// entry is what a reader tells of one entry. Fields that the reader does not tell
// are zero.
type entry struct {
	name     string // directories' end in "/"
	kind     byte   // 'f' file, 'd' directory, 'l' symbolic link
	size     int64
	crc      uint32
	sha      string // SHA-256 of the data in hex; a link's is that of its target
	mode     uint32 // permissions: st_mode & 07777
	mtime    int64
	uid, gid uint32
	told     fields
}

// adapter returns the read function of a program in the folder adapters. $ADAPTERS
// in its words is that folder, $OUT the one that it was built into. It gets the
// archive's path as its last argument, and prints a line an entry:
//
//	name=HEX type=f|d|l size=N crc=HEX sha=HEX mode=OCTAL mtime=N uid=N gid=N
//
// in the library's order. HEX of name is that of its UTF-8 bytes; sha the
// SHA-256 of the entry's data, which is read through the library in full. What a
// library does not tell is left out. Where something fails, the program says so on
// standard error and ends with another exit code than 0.
func adapter(command ...string) func(context.Context, *workplace, string) ([]entry, error) {
	return func(ctx context.Context, w *workplace, archive string) ([]entry, error) {
		var words []string
		for _, word := range command {
			word = strings.ReplaceAll(word, "$ADAPTERS", w.adapters)
			words = append(words, strings.ReplaceAll(word, "$OUT", w.out))
		}
		out, err := w.output(ctx, append(words, archive)...)
		if err != nil {
			return nil, err
		}
		var entries []entry
		for line := range strings.Lines(out) {
			e, err := parseLine(line)
			if err != nil {
				return nil, fmt.Errorf("%.200q: %w", line, err)
			}
			entries = append(entries, e)
		}
		return entries, nil
	}
}

// parseLine reads a line of an adapter.
func parseLine(line string) (e entry, err error) {
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		var n uint64
		switch key {
		case "name":
			var name []byte
			name, err = hex.DecodeString(value)
			e.name = string(name)
		case "type":
			if len(value) != 1 || !strings.Contains("fdl", value) {
				return e, fmt.Errorf("type %q", value)
			}
			e.kind = value[0]
		case "size":
			e.size, err = strconv.ParseInt(value, 10, 64)
			e.told |= size
		case "crc":
			n, err = strconv.ParseUint(value, 16, 32)
			e.crc = uint32(n)
			e.told |= crc
		case "sha":
			e.sha = value
			e.told |= content
		case "mode":
			n, err = strconv.ParseUint(value, 8, 32)
			e.mode = uint32(n) & 0o7777
			e.told |= modes
		case "mtime":
			e.mtime, err = strconv.ParseInt(value, 10, 64)
			e.told |= mtime | dosTime
		case "uid":
			n, err = strconv.ParseUint(value, 10, 32)
			e.uid = uint32(n)
			e.told |= owners
		case "gid":
			n, err = strconv.ParseUint(value, 10, 32)
			e.gid = uint32(n)
		default:
			err = fmt.Errorf("key %q is not known", key)
		}
		if err != nil {
			return e, err
		}
	}
	if e.name == "" || e.kind == 0 {
		return e, fmt.Errorf("no name, or no type")
	}
	return e, nil
}

package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// testCase is a column of the table: a tree, and the options that it is archived
// with.
type testCase struct {
	name    string
	what    string // for the table's legend
	options []string
	comment string
	archive string // its name; "": the case's
	nodes   func() []node
	// heavy cases take minutes with some readers.
	heavy bool
}

// fileName is the archive's name.
func (c *testCase) fileName() string {
	if c.archive != "" {
		return c.archive
	}
	return c.name + ".zip"
}

var testCases = []testCase{
	{name: "plain", what: "folders and empty ones, files of 0 bytes to 1 MB, executables, dot files, hard links", nodes: plainTree},
	{name: "links", what: "symbolic links: relative, absolute, to folders, dangling, looping, out of the source", nodes: linkTree},
	{name: "unicode", what: "names in NFC and NFD, Han, Arabic, Hebrew, emoji", nodes: unicodeTree},
	{name: "names", what: "names with leading dashes, blanks, quotes, wildcards, trailing dots; reserved by Windows; of one letter in both cases", nodes: nameTree},
	{name: "escape", what: "`names: escape`: control characters, newlines, backslashes, bytes that are not UTF-8", options: []string{"names: escape"}, nodes: escapeTree},
	{name: "modes", what: "every permission from 0000 to 0777, set-user-ID, set-group-ID, sticky, on files and folders", nodes: modeTree},
	{name: "times", what: "`ntfs_times: true`: modification times from 1901 to 2200", options: []string{"ntfs_times: true"}, nodes: timeTree},
	{name: "owners", what: "`owners: store`: user and group numbers up to 2³²−2", options: []string{"owners: store"}, nodes: ownerTree},
	{name: "aligned", what: "`align: 4KiB`: padding in local headers of files of 4 KiB and more", options: []string{"align: 4KiB"}, nodes: alignedTree},
	{name: "deflated", what: "`method: deflate`: text, noise, a file of a block and one of a byte more, empty ones and links, which are stored", options: []string{"method: deflate"}, nodes: deflatedTree},
	{name: "auto", what: "`method: auto`: the same files, of which noise is stored", options: []string{"method: auto"}, nodes: deflatedTree},
	{name: "long", what: "names of 255 bytes, 14 folders deep", nodes: longTree},
	{name: "comment", what: "an archive comment of 65,535 bytes", comment: strings.Repeat("All that was built. ", 3276) + "This is the end", nodes: func() []node { return plainTree()[:4] }},
	{name: "empty", what: "no entries: 22 bytes", nodes: func() []node { return nil }},
	{name: "nested", what: "a ZIP file with ZIP64 end records, stored as the last entry", nodes: nestedTree},
	{name: "count", what: "65,600 entries: ZIP64 end records", nodes: countTree, heavy: true},
	{name: "large", what: "a file of 4 GiB and 16 bytes, and entries behind it: ZIP64 sizes and offsets", nodes: largeTree, heavy: true},
	{name: "edge", what: "a file of 4 GiB less 1 byte, a size that is also the mark for \"see the ZIP64 field\", and entries behind it", nodes: edgeTree, heavy: true},
}

// noise is data that no reader can take for text.
func noise(n int, seed uint64) string {
	b := make([]byte, n)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return string(b)
}

// sorted puts nodes into an archive's order.
func sorted(nodes []node) []node {
	slices.SortFunc(nodes, func(a, b node) int { return cmp.Compare(a.storedName(), b.storedName()) })
	return nodes
}

func plainTree() []node {
	return sorted([]node{
		text("a.txt", "Hello, world.\n"),
		dir("b/"), dir("b/c/"), dir("b/c/d/"), dir("b/empty folder/"),
		text("b/c/d/deep.txt", strings.Repeat("deep\n", 1000)),
		text("b/one byte", "1"),
		text("empty file", ""),
		{name: "linked", data: "two names\n"},
		{name: "linked too", hardlink: "linked"},
		text(".hidden", "dot\n"),
		{name: "run.sh", mode: 0o755, data: "#!/bin/sh\nexit 0\n"},
		{name: "secret", mode: 0o600, data: "secret"},
		text("noise", noise(1_000_003, 7)),
		text("looks like a ZIP", "PK\x03\x04PK\x01\x02PK\x05\x06PK\x06\x06PK\x06\x07PK\x07\x08"),
		text("z/last", "z"), dir("z/"),
	})
}

func linkTree() []node {
	return sorted([]node{
		text("file", "data\n"), dir("folder/"), text("folder/inner", "inner\n"),
		link("absolute", "/etc/hostname"),
		link("dangling", "no/such/file"),
		link("folder/up", "../file"),
		link("loop one", "loop two"), link("loop two", "loop one"),
		link("out", "../../somewhere/else"),
		link("relative", "file"),
		link("self", "self"),
		link("to folder", "folder"),
		link("ümlaut", "fólder/ïnner"),
		link("long", strings.Repeat("a/", 1000)+"b"),
	})
}

func unicodeTree() []node {
	return sorted([]node{
		text("nfc-\u00e9t\u00e9", "composed\n"),
		text("nfd-e\u0301te\u0301", "decomposed\n"),
		dir("漢字/"), text("漢字/ひらがな", "kana\n"),
		text("العربية.txt", "right to left\n"),
		text("עברית", "right to left\n"),
		text("🎉👩\u200d👩\u200d👧.txt", "emoji\n"),
		text("€uro", "three bytes\n"), text("ßtraße", "s\n"), text("\u202eevil", "override\n"),
	})
}

func nameTree() []node {
	nodes := []node{dir("con/"), text("con/nul", "reserved\n")}
	for _, name := range []string{
		"-rf", "--help", " leading", "trailing ", "two  blanks", "'single'", `"double"`, "`tick`", "$HOME", "a;b", "a&b", "a|b", "<in>", "star*", "what?", "[set]",
		"{brace}", "a:b", "#hash", "%41", "100%", "~home", "!bang", "(paren)", "a,b", "@at", "=", "AUX", "com1.txt", "dot.", "dots...", "Case", "case", "CASE", "^caret", ".rc", "..."} {
		nodes = append(nodes, text(name, name+"\n"))
	}
	return sorted(nodes)
}

func escapeTree() []node {
	return sorted([]node{
		{name: "new\nline", stored: "new%0Aline", data: "1\n"},
		{name: "tab\t", stored: "tab%09", data: "2\n"},
		{name: "back\\slash", stored: "back%5Cslash", data: "3\n"},
		{name: "latin1-\xe9", stored: "latin1-%E9", data: "4\n"},
		{name: "esc\x1b[31m", stored: "esc%1B[31m", data: "5\n"},
		{name: "del\x7f", stored: "del%7F", data: "6\n"},
		{name: "%0A", stored: "%250A", data: "7\n"},
		{name: "100%", stored: "100%", data: "8\n"},
		{name: "\xff\xfe/", stored: "%FF%FE/"},
		{name: "\xff\xfe/é\x80", stored: "%FF%FE/é%80", data: "9\n"},
		{name: "half-\xe2\x82", stored: "half-%E2%82", data: "10\n"},
		{name: "surrogate-\xed\xa0\x80", stored: "surrogate-%ED%A0%80", data: "11\n"},
	})
}

func modeTree() []node {
	var nodes []node
	add := func(m uint32) {
		n := node{name: fmt.Sprintf("f%04o", m), mode: m, data: "x"}
		if m == 0 {
			n.mode = noMode
		}
		nodes = append(nodes, n)
	}
	for m := range uint32(0o1000) {
		add(m)
	}
	for special := uint32(0o1000); special < 0o10000; special += 0o1000 {
		for _, m := range []uint32{0, 0o644, 0o700, 0o755, 0o777} {
			add(special | m)
		}
	}
	for _, m := range []uint32{0o500, 0o700, 0o711, 0o750, 0o777, 0o1777, 0o2755, 0o4755, 0o7777} {
		name := fmt.Sprintf("d%04o/", m)
		nodes = append(nodes, node{name: name, mode: m}, node{name: name + "file", data: "x"})
	}
	return sorted(nodes)
}

func timeTree() []node {
	nodes := []node{{name: "folder of 1999/", mtime: at("1999-12-31T23:59:59Z")}}
	for _, t := range []string{
		"1901-12-14T00:00:00Z", "1930-06-01T12:00:01Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:01Z", "1970-01-02T00:00:00Z",
		"1979-12-31T23:59:59Z", "1980-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "2000-02-29T11:59:59Z", "2024-02-29T23:59:58Z", "2026-03-29T01:30:00Z", "2038-01-19T03:14:07Z",
		"2038-01-19T03:14:08Z", "2099-12-31T23:59:59Z", "2107-12-31T23:59:58Z", "2107-12-31T23:59:59Z", "2108-01-01T00:00:00Z", "2200-01-01T00:00:00Z",
	} {
		nodes = append(nodes, node{name: strings.ReplaceAll(t, ":", "."), mtime: at(t), data: t + "\n"})
	}
	return sorted(nodes)
}

func at(s string) int64 {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.Unix()
}

func ownerTree() []node {
	return sorted([]node{
		{name: "root", data: "0\n"},
		{name: "user", uid: 1000, gid: 1001, data: "1\n"},
		{name: "folder/", uid: 33, gid: 33}, {name: "folder/file", uid: 65534, gid: 65534, data: "2\n"},
		{name: "large", uid: 1<<32 - 2, gid: 1 << 31, data: "3\n"},
		{name: "link", uid: 5, gid: 6, target: "user"},
	})
}

func alignedTree() []node {
	return sorted([]node{
		text("a", "not padded\n"), text("b", noise(4096, 11)), text("c", noise(4095, 12)), text("d", noise(4097, 13)),
		dir("folder/"), text("folder/empty", ""), text("folder/large", noise(1_000_003, 14)),
		{name: "folder/run.sh", mode: 0o755, data: "#!/bin/sh\n" + strings.Repeat("# a comment\n", 1000)},
		text("more", noise(70_000, 15)), text("z", "not padded\n"),
	})
}

// lines is text of n bytes.
func lines(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d: what stands in line %x\n", i, i*i)
	}
	return b.String()[:n]
}

// deflatedTree has files around a block of 1 MiB. Its first entry is deflated, for
// readers that see no other.
func deflatedTree() []node {
	const block = 1 << 20
	return sorted([]node{
		text("a.txt", lines(5000)),
		text("block", lines(block)), text("block and a byte", lines(block+1)), text("blocks", lines(3*block+4711)),
		text("noise", noise(block+1, 16)), text("noise and text", noise(block, 17)+lines(block)), text("a little noise", noise(1000, 18)),
		text("one byte", "1"), text("empty", ""), text("zeros", strings.Repeat("\x00", 2*block)),
		dir("folder/"), dir("folder/none/"), text("folder/größer", lines(70_000)),
		{name: "folder/run.sh", mode: 0o755, data: "#!/bin/sh\n" + strings.Repeat("# a comment\n", 1000)},
		link("link", "folder/run.sh"),
	})
}

func longTree() []node {
	long := strings.Repeat("long name ", 25) + "12345"
	nodes := []node{text("é"+long[2:], "255 bytes\n")}
	path := ""
	for depth := range 14 {
		path += fmt.Sprintf("%02d", depth) + long[2:] + "/"
		nodes = append(nodes, dir(path))
	}
	return sorted(append(nodes, text(path+"end", "deep\n")))
}

func nestedTree() []node {
	var inner bytes.Buffer
	w := zip.NewWriter(&inner)
	for i := range 65536 {
		f, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%05x", i)})
		if err == nil && i == 0 {
			_, err = f.Write([]byte("inner\n"))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return sorted([]node{
		text("outer.txt", "outer\n"),
		text("y empty.zip", "PK\x05\x06"+strings.Repeat("\x00", 18)),
		text("z inner.zip", inner.String()),
	})
}

func countTree() []node {
	var nodes []node
	for i := range 600 {
		folder := fmt.Sprintf("%03d/", i)
		nodes = append(nodes, dir(folder))
		for j := range 108 {
			nodes = append(nodes, text(fmt.Sprintf("%s%03d", folder, j), fmt.Sprint(i, " ", j)))
		}
	}
	for i := range 200 {
		nodes = append(nodes, text(fmt.Sprintf("x%03d", i), "x"))
	}
	return sorted(nodes)
}

func edgeTree() []node {
	return sorted([]node{{name: "edge", size: 1<<32 - 1, data: "both ends of it"}, text("small", "behind\n"), dir("then/"), text("then/more", "")})
}

func largeTree() []node {
	return sorted([]node{
		{name: "large", size: 1<<32 + 16, data: "both ends of it"},
		dir("past/"), text("past/4 GiB", "behind\n"), link("past/link", "4 GiB"), text("past/empty", ""),
		text("before", "before\n"),
	})
}

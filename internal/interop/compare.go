package main

import (
	"fmt"
	"slices"
	"strings"
)

// difference is how a reader's entries differ from the tree's: of what kind, and
// where.
type difference struct {
	kind string
	text string
}

// Kinds of differences beside those that compare tells.
const (
	unreadable   = "unreadable"    // the reader says itself that it fails
	slow         = "slow"          // it was not finished in time
	notInstalled = "not installed" // it could not be started
)

func (d *difference) Error() string {
	if d.kind == unreadable {
		return d.text
	}
	return d.kind + ": " + d.text
}

func differ(kind, format string, args ...any) *difference {
	return &difference{kind, clip(fmt.Sprintf(format, args...))}
}

// compare holds what a reader tells against the tree, as far as it tells it, and
// returns the first difference of each kind. Other programs' archives may be in
// another order.
func compare(r *reader, got, want []entry, anyOrder bool) (all []*difference) {
	if r.tells&lastOnly != 0 {
		return nil
	}
	want, got = expected(r.tells, want), slices.Clone(got)
	if r.tells&noDirs != 0 {
		got = slices.DeleteFunc(got, func(e entry) bool { return e.kind == 'd' })
	}
	if len(got) != len(want) {
		return []*difference{differ("entries", "%d, want %d%s", len(got), len(want), firstMissing(got, want))}
	}
	add := func(d *difference) {
		if !slices.ContainsFunc(all, func(have *difference) bool { return have.kind == d.kind }) {
			all = append(all, d)
		}
	}
	anyOrder = anyOrder || r.tells&unsorted != 0
	named := map[string]int{}
	for i := range got {
		named[got[i].name] = i
	}
	lost := map[string]int{} // data of entries that have no counterpart by name
	for i := range want {
		at, ok := named[want[i].name]
		switch {
		case r.tells&onlyOne != 0:
			at = i
		case !ok:
			add(differ("names", "%+.60q is missing, and at its place is %+.60q", want[i].name, got[i].name))
			lost[want[i].sha]++
			continue
		case at != i && !anyOrder:
			add(differ("order", "%+.60q is number %d, want %d", want[i].name, at, i))
		}
		for _, d := range compareEntry(r.tells, &got[at], &want[i]) {
			add(d)
		}
		delete(named, want[i].name)
	}
	for name, i := range named {
		if lost[got[i].sha]--; lost[got[i].sha] < 0 && r.tells&content != 0 && r.tells&onlyOne == 0 {
			add(differ("content", "%+.60q has the data of no entry", name))
		}
	}
	return all
}

// expected is the part of a tree that a reader is about.
func expected(tells fields, want []entry) []entry {
	want = slices.Clone(want)
	if tells&noDirs != 0 {
		want = slices.DeleteFunc(want, func(e entry) bool { return e.kind == 'd' })
	}
	if tells&onlyOne != 0 {
		want = want[:min(1, len(want))]
		if len(want) > 0 && want[0].kind == 'd' {
			want[0].kind = 'f'
			_, _, want[0].sha, _ = sums(strings.NewReader(""))
		}
	}
	if tells&links == 0 {
		for i := range want {
			if want[i].kind == 'l' {
				want[i].kind = 'f'
			}
		}
	}
	return want
}

func firstMissing(got, want []entry) string {
	have := map[string]bool{}
	for _, e := range got {
		have[e.name] = true
	}
	for _, e := range want {
		if !have[e.name] {
			return fmt.Sprintf("; %+.60q is missing", e.name)
		}
		delete(have, e.name)
	}
	for name := range have {
		return fmt.Sprintf("; such as %+.60q", name)
	}
	return ""
}

func compareEntry(tells fields, got, want *entry) (all []*difference) {
	check := func(ok bool, kind, format string, args ...any) {
		if !ok {
			all = append(all, differ(kind, "%+.60q "+format, append([]any{want.name}, args...)...))
		}
	}
	of := tells
	if want.kind == 'd' {
		of &^= size | crc | content
		if tells&fewDirs != 0 {
			of = 0
		}
	}
	if want.kind == 'l' {
		of &^= modes // nobody's: the kernel gives links 0777
		if tells&noLinkTimes != 0 {
			of &^= mtime | dosTime
		}
	}
	// Not owners: most archives have none to tell. They are root's, 0, in the trees.
	const told = size | crc | content | modes | mtime | dosTime
	untold := of & told &^ got.told
	dataKind := "content"
	if want.kind == 'l' {
		dataKind = "links"
	}
	check(got.kind == want.kind, "types", "is %c, want %c", got.kind, want.kind)
	check(untold == 0, "reader", "lacks fields %#x", uint(untold))
	of &^= untold
	check(of&size == 0 || got.size == want.size, "sizes", "has %d bytes, want %d", got.size, want.size)
	check(of&crc == 0 || got.crc == want.crc, "CRCs", "has %08x, want %08x", got.crc, want.crc)
	check(of&content == 0 || got.sha == want.sha, dataKind, "has other data")
	check(of&modes == 0 || got.mode == want.mode, "modes", "has %04o, want %04o", got.mode, want.mode)
	check(of&(mtime|dosTime) == 0 || slices.Contains(times(of, want.mtime), got.mtime), "times", "has %d, want %d", got.mtime, times(of, want.mtime)[0])
	check(of&owners == 0 || got.uid == want.uid && got.gid == want.gid, "owners", "has %d:%d, want %d:%d", got.uid, got.gid, want.uid, want.gid)
	return all
}

// times are what a reader may say of a time: the exact one, or that of the MS-DOS
// fields where it knows no other or an extended timestamp can't tell it.
func times(tells fields, unix int64) []int64 {
	switch {
	case tells&mtime == 0:
		return []int64{rounded(unix)}
	case tells&dosTime == 0 && 0 <= unix && unix < 1<<31:
		return []int64{unix}
	}
	return []int64{unix, rounded(unix)}
}

// rounded is what MS-DOS fields can tell of a time.
func rounded(unix int64) int64 { return min(max(unix, 315532800), 4354819198) &^ 1 }

package layout

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"vzip/zipgen"
)

// clashes counts the entries whose name another entry has but for case or
// Unicode normalization, and returns the first pair. File systems of macOS and
// Windows take such names for one.
func clashes(a *zipgen.Archive) (count int, first, second string) {
	type folded struct {
		hash  uint64
		entry int
	}
	names := make([]folded, a.Len())
	for i := range names {
		h := fnv.New64a()
		h.Write([]byte(fold(a.EntryName(i))))
		names[i] = folded{h.Sum64(), i}
	}
	slices.SortFunc(names, func(a, b folded) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.entry, b.entry))
	})
	firstEntry := a.Len()
	for i := 1; i < len(names); i++ {
		was, is := names[i-1], names[i]
		if was.hash != is.hash || fold(a.EntryName(was.entry)) != fold(a.EntryName(is.entry)) {
			continue
		}
		count++
		if was.entry < firstEntry {
			firstEntry = was.entry
			first, second = a.EntryName(was.entry), a.EntryName(is.entry)
		}
	}
	return count, first, second
}

// fold returns what names have in common that differ in case or normalization
// alone.
func fold(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
		}
	}
	return strings.ToLower(name)
}

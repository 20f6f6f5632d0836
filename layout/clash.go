package layout

import (
	"cmp"
	"iter"
	"math/bits"
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
	var names []folded
	for i, h := range suspects(a) {
		names = append(names, folded{h, i})
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

// suspects yields the entries, with a hash of their folded names, that may have one of
// their kind: all that do, and one in some thirty of the others. So little is sorted,
// and 4 bytes an entry are enough.
func suspects(a *zipgen.Archive) iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		size := bits.Len(uint(a.Len())) + 4 // 16 to 32 bits an entry
		shift := 64 - size
		once, twice := make([]uint64, max(1, 1<<size/64)), make([]uint64, max(1, 1<<size/64))
		var name []byte
		for i := range a.Len() {
			name = a.AppendEntryName(name[:0], i)
			bit := foldedHash(name) >> shift
			word, mask := bit/64, uint64(1)<<(bit%64)
			twice[word] |= once[word] & mask
			once[word] |= mask
		}
		for i := range a.Len() {
			name = a.AppendEntryName(name[:0], i)
			h := foldedHash(name)
			if bit := h >> shift; twice[bit/64]>>(bit%64)&1 != 0 && !yield(i, h) {
				return
			}
		}
	}
}

// foldedHash is a hash of what fold returns.
func foldedHash(name []byte) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h := uint64(offset)
	for _, c := range name {
		if c >= utf8.RuneSelf {
			h = offset
			for _, c := range []byte(fold(string(name))) {
				h = (h ^ uint64(c)) * prime
			}
			break
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		h = (h ^ uint64(c)) * prime
	}
	return h * 0x9E3779B97F4A7C15 // the highest bits are what counts
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

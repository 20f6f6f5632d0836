// Package oneline makes text that may hold file names fit for one line of a
// message: a name can hold line ends and terminal sequences, and must not forge
// messages.
package oneline

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s with control characters and bytes that are not UTF-8 written as
// Go escapes, such as \n and \x1b.
func Text(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if bad(r, size) {
			q := strconv.Quote(s[i : i+size])
			b.WriteString(q[1 : len(q)-1])
		} else {
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

// Quoted returns s as it is where it can be printed without doubt, and as a Go
// string literal otherwise.
func Quoted(s string) string {
	if q := strconv.Quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}

func clean(s string) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if bad(r, size) {
			return false
		}
		i += size
	}
	return true
}

func bad(r rune, size int) bool {
	return r == utf8.RuneError && size == 1 || unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

package layout

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// spell gives a name from disk (one path component) the form that it has inside
// an archive.
//
// Bytes that are not UTF-8, control characters (0x00-0x1F and 0x7F) and the
// backslash each make some reader refuse the whole archive. NamesEscape writes
// such a byte as "%" and two upper-case hex digits. A "%" that two upper-case
// hex digits follow becomes "%25", so that decoding every "%XX" gives the name
// back.
func (n Names) spell(name string) (string, error) {
	if n == NamesRaw || !needsEscape(name) && (n == NamesError || !strings.Contains(name, "%")) {
		return name, nil
	}
	if n == NamesError {
		return name, fmt.Errorf("the name %q %s, which some readers refuse: rename it, exclude it, or set names: escape", name, badness(name))
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		c := name[i]
		if r == utf8.RuneError && size == 1 || isBad(c) || c == '%' && i+2 < len(name) && isHex(name[i+1]) && isHex(name[i+2]) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteString(name[i : i+size])
		}
		i += size
	}
	return b.String(), nil
}

func isBad(c byte) bool { return c < 0x20 || c == 0x7F || c == '\\' }

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' }

func needsEscape(name string) bool { return badness(name) != "" }

// badness says what is wrong with a name, or nothing.
func badness(name string) string {
	for i := range len(name) {
		if name[i] == '\\' {
			return "holds a backslash"
		}
		if isBad(name[i]) {
			return "holds a control character"
		}
	}
	if !utf8.ValidString(name) {
		return "is not UTF-8"
	}
	return ""
}

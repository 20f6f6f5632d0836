package web

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// attachment returns a Content-Disposition (RFC 6266) that gives a file its name: in
// ASCII for those that know no other, and in UTF-8 (RFC 8187) where that is not all.
func attachment(name string) string {
	var plain, encoded strings.Builder
	for _, r := range name {
		switch {
		case r == '"' || r == '\\' || r == '%' || r < ' ' || r >= 0x7f:
			plain.WriteByte('_')
		default:
			plain.WriteRune(r)
		}
	}
	text := `attachment; filename="` + plain.String() + `"`
	if plain.String() == name || !utf8.ValidString(name) {
		return text
	}
	const attrChar = "!#$&+-.^_`|~"
	for _, b := range []byte(name) {
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte(attrChar, b) >= 0 {
			encoded.WriteByte(b)
		} else {
			fmt.Fprintf(&encoded, "%%%02X", b)
		}
	}
	return text + "; filename*=UTF-8''" + encoded.String()
}

package layout

import (
	"fmt"
	"strings"
)

// expand replaces ${VAR} by the variable's value and $$ by a dollar sign. Any
// other dollar sign stands for itself.
func expand(s string, env func(string) (string, bool)) (string, error) {
	if !strings.Contains(s, "$") {
		return s, nil
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), nil
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			s = after[1:]
		case strings.HasPrefix(after, "{"):
			name, rest, ok := strings.Cut(after[1:], "}")
			if !ok {
				return "", fmt.Errorf("${ without a closing }: close it, or write $$ for a dollar sign")
			}
			if !isVariable(name) {
				return "", fmt.Errorf("${%s}: %q is no variable's name: use letters, digits and _, or write $$ for a dollar sign", name, name)
			}
			value, ok := env(name)
			if !ok {
				return "", fmt.Errorf("${%s}: the variable is not set: set it, or write $$ for a dollar sign", name)
			}
			b.WriteString(value)
			s = rest
		default:
			b.WriteByte('$')
			s = after
		}
	}
}

func isVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

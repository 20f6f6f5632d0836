package zipgen

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", MaxNameLen)
	for _, test := range []struct {
		name string
		ok   bool
	}{
		{"a", true},
		{"a/", true},
		{"a/b", true},
		{"a/b/c/", true},
		{"...", true},
		{"..a", true},
		{"a..", true},
		{".a/.b", true},
		{" ", true},
		{"-", true},
		{`\`, true},
		{`..\a`, true},
		{"C:", true},
		{"a\n\x01\x7f", true},
		{"é", true},
		{"\xff\xfe", true},
		{long, true},
		{long[1:] + "/", true},

		{"", false},
		{"/", false},
		{"//", false},
		{"/a", false},
		{"a//", false},
		{"a//b", false},
		{".", false},
		{"./", false},
		{"..", false},
		{"../", false},
		{"./a", false},
		{"../a", false},
		{"a/.", false},
		{"a/..", false},
		{"a/./", false},
		{"a/../", false},
		{"a/./b", false},
		{"a/../b", false},
		{"\x00", false},
		{"a\x00b", false},
		{"a\x00", false},
		{long + "n", false},
		{long + "/", false},
	} {
		err := CheckName(test.name)
		if (err == nil) != test.ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("CheckName(%q): got %v, want success: %v", clip(test.name), err, test.ok)
		}
	}
}

package oneline

import "testing"

func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want, quoted string }{
		{"", "", ""},
		{"plain Übersicht 🙂.txt", "plain Übersicht 🙂.txt", "plain Übersicht 🙂.txt"},
		{"a\nvzip: all is well", `a\nvzip: all is well`, `"a\nvzip: all is well"`},
		{"\x1b[31m", `\x1b[31m`, `"\x1b[31m"`},
		{"\xff\x7f", `\xff\x7f`, `"\xff\x7f"`},
		{"\u0085\u2028", `\u0085\u2028`, `"\u0085\u2028"`},
		{`back\slash "quoted"`, `back\slash "quoted"`, `"back\\slash \"quoted\""`},
	} {
		if got := Text(tt.in); got != tt.want {
			t.Errorf("Text(%q): got %s, want %s", tt.in, got, tt.want)
		}
		if got := Quoted(tt.in); got != tt.quoted {
			t.Errorf("Quoted(%q): got %s, want %s", tt.in, got, tt.quoted)
		}
	}
}

package layout

import "testing"

func TestExpand(t *testing.T) {
	t.Parallel()
	env := env("A", "one", "_b2", "two", "EMPTY", "", "DOLLAR", "${A}$")
	for _, tt := range []struct{ text, want, problem string }{
		{"", "", ""},
		{"plain", "plain", ""},
		{"${A}", "one", ""},
		{"<${A}/${_b2}>", "<one/two>", ""},
		{"${EMPTY}", "", ""},
		{"${DOLLAR}", "${A}$", ""},
		{"$", "$", ""},
		{"$A", "$A", ""},
		{"a$ b", "a$ b", ""},
		{"$$", "$", ""},
		{"$$$", "$$", ""},
		{"$$$$", "$$", ""},
		{"$${A}", "${A}", ""},
		{"$$${A}", "$one", ""},
		{"}{${A}}{", "}{one}{", ""},
		{"${", "", "${ without a closing }: close it, or write $$ for a dollar sign"},
		{"${A", "", "${ without a closing }: close it, or write $$ for a dollar sign"},
		{"${}", "", `${}: "" is no variable's name: use letters, digits and _, or write $$ for a dollar sign`},
		{"${2b}", "", `${2b}: "2b" is no variable's name: use letters, digits and _, or write $$ for a dollar sign`},
		{"${A:-x}", "", `${A:-x}: "A:-x" is no variable's name: use letters, digits and _, or write $$ for a dollar sign`},
		{"${é}", "", `${é}: "é" is no variable's name: use letters, digits and _, or write $$ for a dollar sign`},
		{"${A}${NO}", "", "${NO}: the variable is not set: set it, or write $$ for a dollar sign"},
		{"${a}", "", "${a}: the variable is not set: set it, or write $$ for a dollar sign"},
	} {
		got, err := expand(tt.text, env)
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		if got != tt.want || problem != tt.problem {
			t.Errorf("%q: got %q and error %q, want %q and %q", tt.text, got, problem, tt.want, tt.problem)
		}
	}
}

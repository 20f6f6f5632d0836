package layout

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A folder that no pattern can match anything below is never opened: it may be
// unreadable, or huge.
func TestReach(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern, dir string
		want         bool
	}{
		{"a", "a", false}, // matches the folder itself, which covers what is in it
		{"a", "b", false},
		{"a/", "a", false},
		{"a/b", "a", true},
		{"a/b", "b", false},
		{"a/b", "a/b", false},
		{"a/b/c", "a/b", true},
		{"a/b/c", "a/c", false},
		{"a/b/c", "x/b", false},
		{"a/b/c", "a/b/c", false},
		{"a/b/c", "a/b/c/d", false},
		{"a/b/", "a", true},
		{"*/b", "anything", true},
		{"*/b", "any/thing", false},
		{"*", "a", false},
		{"?/b", "a", true},
		{"?/b", "ab", false},
		{"a*/b", "ab", true},
		{"a*/b", "ba", false},
		{"**", "a/b/c", true},
		{"**/x", "a/b/c", true},
		{"a/**", "a", true},
		{"a/**", "a/b/c", true},
		{"a/**", "b", false},
		{"a/**/x", "a/b/c", true},
		{"a/**/x", "b/c", false},
		{"a/b/**/x", "a", true},
		{"a/b/**/x", "a/b", true},
		{"a/b/**/x", "a/c", false},
		{"a/b/**/x", "a/b/c/d", true},
		{"a/b/**/x", "a/c/b/d", false},
		{"*/b/**", "x/b/y", true},
		{"*/b/**", "x/y", false},
		{"**b/c", "xb", true}, // no two stars: a part of its own they are not
		{"**b/c", "x/b", false},
		{"***/c", "x", true},
		{"***/c", "x/y", false},
		// What can't be cut at slashes is taken to match anything.
		{"{a,b/c}/d", "z", true},
		{"[a]/d", "z", true},
		{`\a/d`, "z", true},
	} {
		if got := compile([]string{tt.pattern}).reach(tt.dir); got != tt.want {
			t.Errorf("pattern %q in folder %q: got %v, want %v", tt.pattern, tt.dir, got, tt.want)
		}
		if got := compile([]string{"no/such/thing", tt.pattern}).reach(tt.dir); got != tt.want {
			t.Errorf("pattern %q after another, in folder %q: got %v, want %v", tt.pattern, tt.dir, got, tt.want)
		}
	}
	if compile(nil).reach("a") {
		t.Error("no pattern reaches a folder")
	}
}

// Whatever matches is reached: through every folder above it.
func TestReachRandom(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	join := func(part func() string) string {
		parts := []string{part()}
		for random.IntN(3) > 0 {
			parts = append(parts, part())
		}
		return strings.Join(parts, "/")
	}
	matches, pruned := 0, 0
	for range 100_000 {
		pattern := join(func() string {
			return pick("a", "b", "*", "**", "a*", "?", "*b", "**a", "a**", "***", "[ab]", "{a,b/a}", `\a`)
		}) + pick("", "", "/")
		if err := checkGlob(pattern); err != nil {
			t.Fatal(err)
		}
		path := join(func() string { return pick("a", "b", "ab", "aab", "c") })
		ps := compile([]string{pattern})
		match := ps.match(path, true)
		if match {
			matches++
		}
		for i, c := range path {
			if c != '/' {
				continue
			}
			reach := ps.reach(path[:i])
			if match && !reach {
				t.Fatalf("pattern %q matches %q, but does not reach into %q", pattern, path, path[:i])
			}
			if !reach {
				pruned++
			}
		}
	}
	if matches < 3000 || pruned < 3000 {
		t.Errorf("got %d matches and %d folders left out: the test tests little", matches, pruned)
	}
}

func TestCheckGlob(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "*", "**", "**/", "a/", "a/**/b", ".git", "...", "..a", "[a-z]", "[^a]", "[!a]", `[\]]`, "{a,b}", "{a,{b,c}}", "{}", `\*`, " ", "]", "a,b", "é"} {
		if err := checkGlob(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "/", "//", "/a", "a//b", "a//", ".", "..", "./", "../", "./a", "a/..", "a/./b", "[", "[]", "[^]", "[a", "{", "{a", "}", "a}", `\`, `a/\`, "{a/../b}"} {
		if checkGlob(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

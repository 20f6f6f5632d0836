package web

import (
	"slices"
	"strings"
	"testing"

	"vzip/internal/generation"
)

// TestFind: a path of very many parts costs no more than a look at some of them.
func TestFind(t *testing.T) {
	a, b := &generation.File{Path: "a"}, &generation.File{Path: "x/y/b"}
	s := &shown{paths: map[string]*generation.File{"a": a, "x/y/b": b}, parts: 3}
	long := strings.Split(strings.Repeat("x/", 20000), "/")
	for _, test := range []struct {
		path string
		want *generation.File
		rest []string
	}{
		{"a", a, nil}, {"a/", a, []string{""}}, {"a/p/q", a, []string{"p", "q"}}, {"x/y/b", b, nil}, {"x/y/b/c/d/e", b, []string{"c", "d", "e"}},
		{"x/y", nil, nil}, {"x", nil, nil}, {"y", nil, nil}, {"x/y/c/b", nil, nil}, {"", nil, nil},
	} {
		f, rest := s.find(strings.Split(test.path, "/"))
		if f != test.want || !slices.Equal(rest, test.rest) || (rest == nil) != (test.rest == nil) {
			t.Errorf("%q: got %v, %q", test.path, f, rest)
		}
	}
	if f, _ := (&shown{paths: s.paths, parts: 2}).find([]string{"x", "y", "b"}); f != nil {
		t.Error("it looks at more parts than any archive has")
	}
	if n := testing.AllocsPerRun(10, func() { s.find(long) }); n > 1 {
		t.Errorf("a long path: %v allocations", n)
	}
}

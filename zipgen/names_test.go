package zipgen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// someNames returns names of files and directories that share much, in order.
func someNames(n int) []string {
	rnd := rand.New(rand.NewPCG(5, 6))
	parts := []string{"a", "a-", "a.txt", "aa", "b", "é", "long " + strings.Repeat("x", 300)}
	seen := map[string]bool{}
	for range n {
		name := ""
		for range rnd.IntN(6) {
			name += parts[rnd.IntN(len(parts))] + "/"
		}
		if rnd.IntN(8) > 0 || name == "" {
			name += fmt.Sprintf("%s%d", parts[rnd.IntN(len(parts))], rnd.IntN(n))
		}
		seen[name] = true
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Names come back and are found, whatever they share with their neighbours.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 50, runLen, 3 * runLen} {
		want := someNames(n)
		var b namesBuilder
		for _, name := range want {
			b.add(name, sharedLen(name, b.last))
		}
		s := b.finish()
		for i, name := range want {
			if got := s.at(i); got.String() != name || got.len() != len(name) {
				t.Fatalf("name %d: got %q, want %q", i, got, name)
			}
			for _, other := range []string{name, name + "\x00", name[:len(name)-1], name[:len(name)/2] + "\xff", ""} {
				if got, want := s.at(i).compare(other), strings.Compare(name, other); got != want {
					t.Errorf("%q to %q: got %d, want %d", name, other, got, want)
				}
				at, found := slices.BinarySearch(want, other)
				if i, ok := s.find(other, len(want)); ok != found || i != at {
					t.Errorf("find %q: got %d, %v, want %d, %v", other, i, ok, at, found)
				}
			}
		}
	}
}

// In a run each folder's name stands once, and the names of a folder that goes on
// behind another one inside of it are in the same.
func TestFoldersOnce(t *testing.T) {
	t.Parallel()
	var b namesBuilder
	for _, name := range []string{"a/", "a/b/", "a/b/1", "a/b/2", "a/c", "a/d/1", "a/e", "f"} {
		b.add(name, sharedLen(name, b.last))
	}
	s := b.finish()
	if got, want := string(s.runs[0].folders), "a/a/b/a/d/"; got != want || len(s.runs) != 1 {
		t.Errorf("got folders %q in %d runs, want %q in 1", got, len(s.runs), want)
	}
	if got, want := string(s.runs[0].own), "a/b/12c1ef"; got != want {
		t.Errorf("got own parts %q, want %q", got, want)
	}
}

package zipgen

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
)

// archiveOf returns an archive of empty entries with these names, in order.
func archiveOf(t testing.TB, names []string) *Archive {
	t.Helper()
	var b Builder
	for _, name := range names {
		mode := uint32(TypeFile | 0o644)
		if strings.HasSuffix(name, "/") {
			mode = TypeDir | 0o755
		}
		if err := b.Add(Entry{Name: name, Mode: mode}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := b.Archive()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// childrenOf is what Children has to yield, by looking at all names.
func childrenOf(names []string, folder string) (list []Child) {
	for i, name := range names {
		rest, ok := strings.CutPrefix(name, folder)
		if !ok || rest == "" {
			continue
		}
		own, below, isFolder := strings.Cut(rest, "/")
		if n := len(list) - 1; n >= 0 && isFolder && list[n].Folder && list[n].Name == own {
			list[n].End = i + 1
			continue
		}
		c := Child{Name: own, Folder: isFolder, Entry: i, First: i, End: i + 1}
		if below != "" {
			c.Entry = -1
		}
		list = append(list, c)
	}
	return list
}

// Every folder of a tree lists what a look at all names finds, from any child on, in
// both directions.
func TestChildren(t *testing.T) {
	t.Parallel()
	odd := []string{"a", "a-/x", "a.txt", "b/", "b/c", "b0", "c/d/e/f", "c/d/e/g/", "c/d0", "c0", "\xff/\xfe", "\xff0"}
	slices.Sort(odd)
	random := slices.DeleteFunc(someNames(3*runLen), func(name string) bool { return CheckName(name) != nil })
	files := map[string]bool{}
	random = slices.DeleteFunc(random, func(name string) bool { // no file is a folder, too
		for i := range len(name) {
			if name[i] == '/' && files[name[:i]] {
				return true
			}
		}
		files[name] = !strings.HasSuffix(name, "/")
		return false
	})
	for _, names := range [][]string{nil, odd, random} {
		a := archiveOf(t, names)
		folders := map[string]bool{"": true}
		for _, name := range names {
			for i := range len(name) {
				if name[i] == '/' {
					folders[name[:i+1]] = true
				}
			}
		}
		looked := 0
		for folder := range folders {
			if looked++; looked > 500 {
				break
			}
			want := childrenOf(names, folder)
			if _, _, ok := a.Folder(folder); !ok {
				t.Fatalf("there is no folder %q", folder)
			}
			same(t, folder, a.Children(folder, ""), want)
			back := slices.Clone(want)
			slices.Reverse(back)
			same(t, folder, a.ChildrenBefore(folder, "\xff\xff\xff/"), back)
			for _, at := range []int{0, len(want) / 2, len(want) - 1} {
				if at < 0 || at >= len(want) {
					continue
				}
				same(t, folder, a.Children(folder, want[at].Key()), want[at:])
				same(t, folder, a.Children(folder, want[at].Key()+"below"), wantFrom(want, want[at].Key()+"below"))
				same(t, folder, a.ChildrenBefore(folder, want[at].Key()), back[len(back)-at:])
			}
		}
		for _, folder := range []string{"nothing/", "a/", "b/c/", "c/d/e/f/", "c/d/e/fx/", "\x00/"} {
			if folders[folder] {
				continue
			}
			if first, end, ok := a.Folder(folder); ok || first != end {
				t.Errorf("%q: got %d to %d, %v, want no folder", folder, first, end, ok)
			}
			same(t, folder, a.Children(folder, ""), nil)
			same(t, folder, a.ChildrenBefore(folder, "x"), nil)
		}
	}
}

// wantFrom returns the children from key on; what is behind its slash does not count.
func wantFrom(list []Child, key string) []Child {
	if i := strings.IndexByte(key, '/'); i >= 0 {
		key = key[:i+1]
	}
	for i, c := range list {
		if c.Key() >= key {
			return list[i:]
		}
	}
	return nil
}

func same(t *testing.T, folder string, got iter.Seq[Child], want []Child) {
	t.Helper()
	if got := slices.Collect(got); !slices.Equal(got, want) {
		t.Fatalf("folder %q: got %v, want %v", folder, got, want)
	}
}

// BenchmarkChildren lists 1,000 children somewhere in a folder with a million, each of
// which has two entries below: it takes as long as in a small one.
func BenchmarkChildren(b *testing.B) {
	var names []string
	for i := range 1_000_000 {
		names = append(names, fmt.Sprintf("d/%07d/a", i), fmt.Sprintf("d/%07d/b", i))
	}
	a := archiveOf(b, names)
	for b.Loop() {
		n := 0
		for c := range a.Children("d/", "0500000/") {
			if n++; n == 1000 || c.End-c.First != 2 {
				break
			}
		}
		if n != 1000 {
			b.Fatal(n)
		}
	}
}

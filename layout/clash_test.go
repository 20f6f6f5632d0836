package layout

import (
	"fmt"
	"testing"

	"vzip/zipgen"
)

func TestClashes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		names         []string
		count         int
		first, second string
	}{
		{"none", []string{"a", "b", "c/", "c/a"}, 0, "", ""},
		{"case", []string{"Readme", "readme", "x"}, 1, "Readme", "readme"},
		{"three", []string{"A", "a", "B", "b", "c"}, 2, "A", "a"},
		{"normalization", []string{"U\u0308bersicht", "\u00dcbersicht"}, 1, "U\u0308bersicht", "\u00dcbersicht"},
		{"both", []string{"u\u0308b", "\u00dcB"}, 1, "u\u0308b", "\u00dcB"},
		{"sharp s", []string{"STRASSE", "stra\u00dfe"}, 1, "STRASSE", "stra\u00dfe"},
		{"folders", []string{"D/", "D/a", "d/", "d/a"}, 2, "D/", "d/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var entries []zipgen.Entry
			for _, n := range tt.names {
				mode := uint32(zipgen.TypeFile)
				if n[len(n)-1] == '/' {
					mode = zipgen.TypeDir
				}
				entries = append(entries, zipgen.Entry{Name: n, Mode: mode})
			}
			a, err := zipgen.New(entries, zipgen.Options{})
			if err != nil {
				t.Fatal(err)
			}
			count, first, second := clashes(a)
			if count != tt.count || first != tt.first || second != tt.second {
				t.Errorf("got %d, %q and %q, want %d, %q and %q", count, first, second, tt.count, tt.first, tt.second)
			}
		})
	}
}

// Of many names those that clash are found, wherever they stand.
func TestClashesAmongMany(t *testing.T) {
	t.Parallel()
	const n = 20_000
	var entries []zipgen.Entry
	want := 0
	for i := range n {
		entries = append(entries, zipgen.Entry{Name: fmt.Sprintf("folder/name %05d", i), Mode: zipgen.TypeFile})
		if i%1000 == 17 {
			entries = append(entries, zipgen.Entry{Name: fmt.Sprintf("Folder/Name %05d", i), Mode: zipgen.TypeFile})
			want++
		}
	}
	a, err := zipgen.New(entries, zipgen.Options{})
	if err != nil {
		t.Fatal(err)
	}
	count, first, second := clashes(a)
	if count != want || first != "Folder/Name 00017" || second != "folder/name 00017" {
		t.Errorf("got %d, %q and %q, want %d, the first of 00017", count, first, second, want)
	}
	suspected := 0
	for range suspects(a) {
		suspected++
	}
	if suspected < 2*want || suspected > n/4 {
		t.Errorf("%d of %d names were looked at twice, want few", suspected, n)
	}
}

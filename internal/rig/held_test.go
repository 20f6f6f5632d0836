package rig

import (
	"errors"
	"strings"
	"testing"

	"vzip/internal/require"
)

// A file that somebody could store to through a mapping, with no time stamp to show
// for it, is not hashed: the file system tells of it.
func TestHeldMapping(t *testing.T) {
	require.Needs(t, "fuse")
	for _, k := range Kinds {
		if k.upper {
			continue // it does not tell
		}
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			p := place(t, k)
			s := newSite(t, p.Dir, 15, []int64{10_000, 200_000, 5})
			m, err := NewMutator(s.src, s.files, p.Dir+"/side", 15)
			must(t, err)
			defer m.Release()
			const held = 1
			must(t, m.Do("store to a held mapping", s.files[held]))
			var exit *ExitError
			_, err = vzip.Run(t.Context(), "hash", "--quiet", "--cache", s.cache, s.layout)
			if !errors.As(err, &exit) || exit.Code != 4 || !strings.Contains(exit.Stderr, s.files[held]) {
				t.Fatalf("with a mapping of %s: got %v, want exit code 4", s.files[held], err)
			}
			for i, name := range s.files {
				if i != held && strings.Contains(exit.Stderr, name) {
					t.Errorf("%s is named: %s", name, exit.Stderr)
				}
			}
			m.Release()
			if _, err := vzip.Run(t.Context(), "hash", "--quiet", "--cache", s.cache, s.layout); err != nil {
				t.Errorf("without: %v", err)
			}
		})
	}
}

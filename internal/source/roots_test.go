package source

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Roots opens what Open opens: also where there are more roots than it keeps, and
// where another folder has taken a root's place.
func TestRoots(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var roots Roots
	defer roots.Close()
	for round := range 3 {
		for i := range mostRoots + 3 {
			root := filepath.Join(dir, fmt.Sprint(i))
			if err := os.RemoveAll(root); err != nil && round > 0 {
				t.Fatal(err)
			}
			if err := os.Mkdir(root, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, "f"), []byte(fmt.Sprint(round)), 0o644); err != nil {
				t.Fatal(err)
			}
			ref := Ref{Root: root, Rel: "f"}
			stat, err := ref.Lstat()
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				f, err := roots.Open(ref, stat.Identity)
				if err != nil {
					t.Fatalf("round %d, root %d: %v", round, i, err)
				}
				p := make([]byte, 1)
				if err := f.ReadFull(p, 0); err != nil || string(p) != fmt.Sprint(round) {
					t.Errorf("round %d, root %d: got %q and error %v", round, i, p, err)
				}
				f.Close()
			}
			stat.Mtime++
			if _, err := roots.Open(ref, stat.Identity); err == nil {
				t.Error("a file of another time was opened")
			}
		}
	}
	if len(roots.fds) > mostRoots {
		t.Errorf("%d roots are open", len(roots.fds))
	}
}

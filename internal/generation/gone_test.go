package generation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vzip/internal/checksum"
)

// A source folder that an equal one takes the place of goes on being served.
func TestFolderReplaced(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 3*checksum.BlockLen/16)
	dir := t.TempDir()
	a, reports := served(t, dir, content, nil)
	src := filepath.Join(dir, "src")
	if _, err := readData(a); err != nil {
		t.Fatal(err)
	}
	must(t, os.Rename(src, src+".old"))
	write(t, dir, map[string]string{"src/x": content})
	must(t, os.RemoveAll(src+".old"))
	for range 20 {
		if _, err := readData(a); err != nil {
			t.Fatalf("%v; reports %q", err, reports())
		}
	}
	i, _ := a.Find("src/x")
	eventually(t, "equal", func() bool {
		if _, err := readData(a); err != nil {
			t.Fatalf("%v; reports %q", err, reports())
		}
		s, ok := a.g.stateOf(a.key(i))
		return ok && s == equal
	})
	for range 20 {
		if _, err := readData(a); err != nil {
			t.Fatalf("%v; reports %q", err, reports())
		}
	}
}

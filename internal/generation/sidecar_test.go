package generation

import (
	"context"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// The CRC-32 of an archive is that of its bytes, whatever is in it, and no source is read
// for it.
func TestCRC32Sidecar(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for round := range 20 {
		dir := t.TempDir()
		must(t, os.MkdirAll(filepath.Join(dir, "src/hollow"), 0o755))
		must(t, os.Symlink("some/where", filepath.Join(dir, "src/link")))
		for i := range rnd.IntN(30) {
			size := rnd.IntN(2000)
			if i == 0 {
				size = rnd.IntN(400_000) // of several blocks
			}
			write(t, dir, map[string]string{fmt.Sprintf("src/d%d/f%d", i%3, i): randomText(size)})
		}
		var r read
		g, files := shown(t, dir, "comment: c, sidecars: [crc32]", r.options(t, nil))
		crc := crc32.ChecksumIEEE(readFile(t, files["d/a.zip"], false, 1<<20))
		f := files["d/a.zip.crc32"]
		want := fmt.Sprintf("a.zip %08X\n", crc)
		for _, n := range []int{1, 7, 4096} {
			if got := string(readFile(t, f, false, n)); got != want || f.Size != int64(len(want)) {
				t.Fatalf("round %d: got %q, size %d, want %q", round, got, f.Size, want)
			}
		}
		h, err := f.Open(false)
		must(t, err)
		b, err := h.Read(context.Background(), f.Size+5, 10)
		if must(t, err); b.Len() != 0 {
			t.Errorf("behind the end: got %d bytes", b.Len())
		}
		b.Release()
		h.Close()
		if g.InUse() || InFlight() < 0 {
			t.Error("it is in use after all was closed")
		}
	}
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "src"), 0o755))
	var r read
	_, files := shown(t, dir, "directories: false, sidecars: [crc32]", r.options(t, nil))
	want := fmt.Sprintf("a.zip %08X\n", crc32.ChecksumIEEE(readFile(t, files["d/a.zip"], false, 100)))
	if got := string(readFile(t, files["d/a.zip.crc32"], false, 100)); got != want {
		t.Errorf("the empty archive: got %q, want %q", got, want)
	}
}

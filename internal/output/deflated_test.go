package output

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"vzip/internal/rig"
)

// Deflated data is written as it is read, beside stored data that goes its own way.
func TestWriteDeflated(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k rig.Kind, dir string) {
		noise(t, dir, map[string]int64{"src/empty": 0, "src/one": 1, "src/noise": 3<<20 + 17, "src/whole": wholeLen})
		sparse(t, dir+"/src/sparse")
		line := []byte("all lines of a log are alike\n")
		must(t, os.WriteFile(dir+"/src/text", bytes.Repeat(line, (2<<20+5)/len(line)), 0o644))
		must(t, rig.Age(dir))
		must(t, os.Mkdir(dir+"/out", 0o755))
		for _, options := range []string{"method: deflate", "method: auto, align: 4KiB"} {
			a := archive(t, dir, options)
			want := sumOfArchive(t, a)
			for _, reflink := range []Reflink{Auto, Never} {
				path := fmt.Sprintf("%s/out/%d%s", dir, len(options), reflink)
				r := write(t, a, path, Options{Reflink: reflink, Workers: 2, ReadBack: true})
				if got := sumOfFile(t, path); got != want {
					t.Errorf("%s, --reflink=%s: the file has other bytes than the archive", options, reflink)
				}
				if options == "method: deflate" && r.Cloned+r.Holes != 0 {
					t.Errorf("%s, --reflink=%s: did %+v", options, reflink, r)
				}
			}
		}
	})
}

// A byte of deflated data that is not what was written is found.
func TestReadBackDeflated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noise(t, dir, map[string]int64{"src/noise": 1<<20 + 17})
	sparse(t, dir+"/src/text")
	a := archive(t, dir, "method: deflate")
	for _, name := range []string{"src/noise", "src/text"} {
		i, _ := a.Find(name)
		w := New(a, dir+"/a.zip", Options{Reflink: Auto, Workers: 2})
		must(t, w.t.create(dir+"/a.zip", 0o644))
		must(t, w.prepare())
		must(t, w.write(t.Context()))
		must(t, w.readBack(t.Context()))
		var b [1]byte
		must(t, w.t.readAt(b[:], a.DataOffset(i)+100))
		b[0] ^= 1
		must(t, w.t.writeAt(b[:], a.DataOffset(i)+100))
		if err := w.readBack(t.Context()); err == nil || !strings.Contains(err.Error(), "a.zip: read back: ") {
			t.Errorf("%s: another byte: got error %v", name, err)
		}
		w.t.close()
	}
	nothingIn(t, dir, "src")
}

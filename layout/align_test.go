package layout

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// auto is the block size of the file system that the sources are on.
func TestAlignAuto(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tree(t, dir, "src/large", "src/small", "src/z")
	must(t, os.Truncate(dir+"/src/large", 300_000))
	must(t, os.Truncate(dir+"/src/z", 70_000))
	var s unix.Statfs_t
	must(t, unix.Statfs(dir, &s))
	block := int64(512)
	for block*2 <= min(int64(s.Bsize), 32<<10) { // more is not always reached
		block *= 2
	}
	for _, test := range []struct {
		option string
		align  int64 // 0: none
	}{{"none", 0}, {"512", 512}, {"${SET}", 16 << 10}, {"32 KiB", 32 << 10}, {"auto", block}} {
		l, err := Load(save(t, dir, one("align: "+test.option, "source: src")), env("SET", "16KiB"))
		must(t, err)
		plans, _ := scanAll(t, l)
		p := plans[0]
		for i := range p.Len() {
			if at := p.DataOffset(i); test.align > 0 && p.IsFile(i) && p.EntrySize(i) >= test.align && at%test.align != 0 {
				t.Errorf("align: %s: %q has its data at %d", test.option, p.EntryName(i), at)
			}
		}
		if last := p.DataOffset(p.Len() - 1); test.align == 0 && last%512 == 0 {
			t.Errorf("align: %s: data at %d", test.option, last)
		}
	}
}

package vfs

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// openedAs counts how a content is opened.
type openedAs struct {
	Content
	ahead, plain atomic.Int64
}

func (o *openedAs) Open(ahead bool) (Handle, error) {
	if ahead {
		o.ahead.Add(1)
	} else {
		o.plain.Add(1)
	}
	return o.Content.Open(ahead)
}

// Programs that read from end to end get direct I/O, all others the kernel's cache;
// options say otherwise for all. The bytes are the same.
func TestVFSDirect(t *testing.T) {
	const size = 3<<20 + 777
	for _, tt := range []struct {
		io          IO
		cat, others bool // are direct
	}{
		{IOAuto, true, false},
		{IOCached, false, false},
		{IODirect, true, true},
	} {
		dir := mountDir(t)
		o := &openedAs{Content: static{pattern{size}}}
		m := serve(t, dir, []File{{Path: "f", Size: size, Inode: 2, Mode: 0o444, Content: o}}, Options{IO: tt.io})
		path := filepath.Join(dir, "f")
		check := func(who string, direct bool) {
			t.Helper()
			ahead, plain := o.ahead.Swap(0), o.plain.Swap(0)
			if (ahead > 0) != direct || (plain > 0) == direct {
				t.Errorf("mode %d: %s opened it directly %d times, through the cache %d times", tt.io, who, ahead, plain)
			}
		}
		out, err := exec.Command("cat", path).Output()
		must(t, err)
		want := make([]byte, size)
		_, _ = pattern{size}.ReadAt(want, 0)
		if !bytes.Equal(out, want) {
			t.Errorf("mode %d: cat got %d bytes, want others", tt.io, len(out))
		}
		check("cat", tt.cat)
		wantPattern(t, path, size, part{5, 5}, part{0, size}, part{size - 1, 1})
		check("another program", tt.others)
		must(t, m.Unmount(false))
	}
}

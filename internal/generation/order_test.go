package generation

import (
	"fmt"
	"strings"
	"testing"
)

// What is hashed next, of two archives of 200 files of 1,000 bytes.
func TestOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 200 {
		files[fmt.Sprintf("src/f%03d", i)] = strings.Repeat("x", 1000)
	}
	write(t, dir, files)
	g, _ := early(t, load(t, dir, "version: 1\ndefaults: {directories: false}\narchives: [{name: a.zip, entries: [{source: src}]}, {name: b.zip, entries: [{source: src}]}]\n"), Options{})
	a, b := g.Archives[0], g.Archives[1]
	o := newOrder(g)
	any := func(uint64) bool { return true }
	want := func(want uint64, at uint64, reading bool, free func(uint64) bool) {
		t.Helper()
		if got, ok, far := o.pick(at, reading, free); got != want || !ok || far {
			t.Errorf("got %d, %v, %v, want %d", got, ok, far, want)
		}
	}
	// In the order of the archives.
	want(a.key(0), 0, false, any)
	want(a.key(1), 0, false, any)
	// From a reader on; from another one; and again ahead of the first.
	want(a.key(70), a.key(70), true, any)
	want(a.key(71), a.key(70), true, any)
	want(b.key(5), b.key(5), true, any)
	want(a.key(72), a.key(72), true, any)
	// Past what is known, and what others work at.
	for i := 73; i < 199; i++ {
		a.known.set(i)
	}
	want(b.key(0), a.key(72), true, func(key uint64) bool { return key != a.key(199) })
	// Round to the beginning.
	for i := range 200 {
		b.known.set(i)
	}
	want(a.key(0), b.key(150), true, any)
	// Not too far ahead.
	o.window = 20 * (1000 + 2*30)
	want(a.key(19), a.key(1), true, func(key uint64) bool { return key >= a.key(19) })
	if key, ok, far := o.pick(a.key(1), true, func(key uint64) bool { return key >= a.key(25) }); ok || !far {
		t.Errorf("got %d, %v, %v, want it to be too far", key, ok, far)
	}
	want(a.key(25), a.key(1), false, func(key uint64) bool { return key >= a.key(25) })
	// Nothing is left.
	if key, ok, far := o.pick(0, false, func(uint64) bool { return false }); ok || far {
		t.Errorf("got %d, %v, %v, want nothing", key, ok, far)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 63, 64, 65, 127, 128, 200} {
		f := newFlags(n)
		for i := range n {
			if got := f.clear(0, n); got != i {
				t.Fatalf("%d flags, %d set: the first that is not is %d", n, i, got)
			}
			if f.get(i) {
				t.Fatalf("flag %d is set", i)
			}
			if f.set(i); !f.get(i) {
				t.Fatalf("flag %d is not set", i)
			}
		}
		if got := f.clear(0, n); got != n {
			t.Errorf("%d flags, all set: got %d", n, got)
		}
	}
	f := newFlags(200)
	for i := range 200 {
		if i != 70 && i != 150 {
			f.set(i)
		}
	}
	for from, want := range map[int]int{0: 70, 70: 70, 71: 150, 128: 150, 150: 150, 151: 200, 200: 200} {
		if got := f.clear(from, 200); got != want {
			t.Errorf("from %d: got %d, want %d", from, got, want)
		}
	}
}

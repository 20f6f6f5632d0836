package generation

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// misfit gives an archive another CRC-32 than its bytes have, until mend is called.
func misfit(t *testing.T, a *Archive) (mend func()) {
	t.Helper()
	right, err := a.combine(func() bool { return false })
	must(t, err)
	a.whole.Store(wholeKnown | uint64(right^1))
	return func() { a.whole.Store(wholeKnown | uint64(right)) }
}

func wantMisfit(t *testing.T, f *File) {
	t.Helper()
	if _, err := tryRead(f, false, 100); !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), "other bytes than were hashed") {
		t.Errorf("got error %v, want EIO", err)
	}
}

// wantTries holds what was summed, and what was reported, against so many tries.
func wantTries(t *testing.T, when string, n *atomic.Int64, size int64, tries int64, reports []string) {
	t.Helper()
	if n.Load() != tries*size {
		t.Errorf("%s: %d bytes were summed, want %d times %d", when, n.Load(), tries, size)
	}
	if len(reports) != 1 || !strings.HasPrefix(reports[0], "archive d/a.zip: its bytes have CRC-32 ") {
		t.Errorf("%s: got reports %q, want one", when, reports)
	}
}

// Bytes that are not those of the CRC-32s make no sum, also where blocks are not checked.
// They are not read again for each reader, each reload and each look in the background.
func TestSHA256OfOtherBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(3 << 20)})
	var r read
	o := r.options(t, nil)
	list := o.reports()
	g, files := shown(t, dir, allSidecars, o)
	n := g.summed()
	a, f := g.Archives[0], files["d/a.zip.sha256"]
	size := files["d/a.zip"].Size
	mend := misfit(t, a)
	for range 3 {
		wantMisfit(t, f)
	}
	g.SumUp(nil)
	g.waitIdle(t)
	wantTries(t, "within the pause", n, size, 1, list())

	l := load(t, dir, "version: 1\narchives: [{name: d/a.zip, "+allSidecars+", entries: [{source: src}]}]\n")
	o.Before = g
	next := build(t, l, o)
	must(t, next.Date(g))
	again := next.summed()
	wantMisfit(t, byPath(next)["d/a.zip.sha256"])
	wantTries(t, "after a reload", again, size, 0, list())

	pass := func(by time.Duration) {
		a.digest.mu.Lock()
		defer a.digest.mu.Unlock()
		a.digest.failed.when = a.digest.failed.when.Add(-by)
	}
	pass(resumAfter)
	wantMisfit(t, f)
	wantTries(t, "after the pause", n, size, 2, list())
	pass(resumAfter)
	wantMisfit(t, f)
	wantTries(t, "within the second pause", n, size, 2, list())
	pass(resumAfter)
	mend()
	wantSidecars(t, files)
	wantTries(t, "once it is right", n, size, 3, list())
}

// What failed is tried again at once when a source is known not to be what it was.
func TestSHA256OfOtherBytesAfterChange(t *testing.T) {
	t.Parallel()
	for _, reload := range []bool{false, true} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"src/x": randomText(3 << 20)})
		var r read
		o := r.options(t, nil)
		g, files := shown(t, dir, allSidecars, o)
		mend := misfit(t, g.Archives[0])
		wantMisfit(t, files["d/a.zip.sha256"])
		mend()
		wantMisfit(t, files["d/a.zip.sha256"])
		must(t, os.Link(filepath.Join(dir, "src/x"), filepath.Join(dir, "elsewhere"))) // another ctime
		if reload {
			o.Before = g
			l := load(t, dir, "version: 1\narchives: [{name: d/a.zip, "+allSidecars+", entries: [{source: src}]}]\n")
			next := build(t, l, o)
			must(t, next.Date(g))
			if next.Archives[0].digest != g.Archives[0].digest {
				t.Error("the test itself: other bytes")
			}
			wantSidecars(t, byPath(next))
			continue
		}
		i, _ := g.Archives[0].Find("src/x")
		eventually(t, "it is found equal", func() bool {
			if _, err := readData(g.Archives[0]); err != nil && !errors.Is(err, unix.ESTALE) {
				t.Error(err)
			}
			s, ok := g.stateOf(g.Archives[0].key(i))
			return ok && s == equal
		})
		wantSidecars(t, files)
	}
}

package generation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"vzip/internal/crccache"
)

// A SHA-256 that turns out to be remembered in the middle of the work on it ends the work,
// and who waits has it: it is looked up as soon as all CRCs are known, which may be while
// a reader has the archive summed and hashed at once.
func TestSHA256RecalledAtWork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(8 << 20)})
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	var r read
	g, files := shown(t, dir, allSidecars, r.options(t, cache))
	err, cacheErr := g.Sum(context.Background(), HashOptions{Workers: 1})
	must(t, errors.Join(err, cacheErr))
	want := string(readFile(t, files["d/a.zip.sha256"], false, 100))
	must(t, os.Link(filepath.Join(dir, "src/x"), filepath.Join(dir, "elsewhere"))) // another ctime: its CRC is not remembered

	l := load(t, dir, "version: 1\narchives: [{name: d/a.zip, "+allSidecars+", entries: [{source: src}]}]\n")
	next, start := early(t, l, r.options(t, cache))
	must(t, next.Date(nil))
	gate, reached := make(chan struct{}), make(chan struct{})
	var steps atomic.Int64
	next.sums.progress = func(int64) {
		if steps.Add(1) == 1 {
			close(reached)
			<-gate
		}
	}
	hashed := start()
	result := make(chan error, 1)
	go func() {
		got, err := tryRead(byPath(next)["d/a.zip.sha256"], false, 100)
		if err == nil && string(got) != want {
			err = fmt.Errorf("got %q, want %q", got, want)
		}
		result <- err
	}()
	<-reached
	if failed := <-hashed; failed != 0 {
		t.Fatalf("%d files are not hashed", failed)
	}
	next.recallSums()
	if _, known := next.Archives[0].digest.get(); !known {
		t.Fatal("the test itself: the sum is not remembered")
	}
	close(gate)
	if err := <-result; err != nil {
		t.Errorf("the reader: %v", err)
	}
	if n := steps.Load(); n != 1 {
		t.Errorf("%d steps were summed, want none after the sum was known", n)
	}
}

// A failure of the work is none of those who wait when the sum is known from elsewhere.
func TestSHA256RecalledAtFailure(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(3 << 20)})
	var r read
	g, files := shown(t, dir, allSidecars, r.options(t, nil))
	want := string(readFile(t, files["d/a.zip.sha256"], false, 100))
	sum, _ := g.Archives[0].digest.get()

	other, files := shown(t, dir, allSidecars, r.options(t, nil))
	d := other.Archives[0].digest
	var once atomic.Bool
	other.sums.progress = func(int64) {
		if once.CompareAndSwap(false, true) {
			d.set(sum)
			panic("the work fails")
		}
	}
	if got, err := tryRead(files["d/a.zip.sha256"], false, 100); err != nil || string(got) != want {
		t.Errorf("got %q and error %v, want %q", got, err, want)
	}
}

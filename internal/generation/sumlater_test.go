package generation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An archive whose files could not be hashed is summed in the background once they are,
// without a reload and without a reader of its sidecar.
func TestSHA256OfLateFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what string
		fail func(t *testing.T, dir string) (mend func())
	}{
		{"a folder that is away", func(t *testing.T, dir string) func() {
			must(t, os.Rename(dir+"/late", dir+"/away"))
			return func() { must(t, os.Rename(dir+"/away", dir+"/late")) }
		}},
		{"a busy file", func(t *testing.T, dir string) func() {
			f, err := os.OpenFile(dir+"/late/x", os.O_RDWR, 0)
			must(t, err)
			return func() { must(t, f.Close()) }
		}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"late/x": "12345", "src/y": "1234567"})
			time.Sleep(25 * time.Millisecond) // its times rest
			var r read
			g, start := early(t, load(t, dir, "version: 1\narchives:\n- {name: d/a.zip, "+allSidecars+", entries: [{source: late, as: src}]}\n"+
				"- {name: b.zip, "+allSidecars+", entries: [{source: src}]}\n"), r.options(t, nil))
			must(t, g.Date(nil))
			mend := tt.fail(t, dir)
			if failed := <-start(); failed != 1 {
				t.Fatalf("%d failed, want 1", failed)
			}
			finished := make(chan int, 10)
			g.SumUp(func(archives int) { finished <- archives })
			a, b := g.Archives[0], g.Archives[1]
			wantSummed(t, "at first", finished)
			if _, known := b.digest.get(); !known {
				t.Error("the other archive is not summed")
			}
			mend()
			eventually(t, "it can be read", func() bool {
				l, err := a.Open(false) // looks whether it is back
				if err != nil {
					return false
				}
				l.Close()
				_, err = readData(a)
				return err == nil
			})
			wantSummed(t, "then", finished)
			if _, known := a.digest.get(); !known {
				t.Error("it is not summed")
			}
			g.waitIdle(t)
			g.sums.mu.Lock()
			if g.sums.wanted {
				t.Error("there is more to sum")
			}
			g.sums.mu.Unlock()
			wantSidecars(t, byPath(g))
		})
	}
}

func wantSummed(t *testing.T, when string, finished <-chan int) {
	t.Helper()
	select {
	case n := <-finished:
		if n != 1 {
			t.Errorf("%s: %d archives were summed, want 1", when, n)
		}
	case <-time.After(time.Minute):
		t.Fatalf("%s: nobody sums", when)
	}
}

// An archive's name is told once in what Sum says of it, and in what is reported.
func TestSumErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": randomText(1 << 20)})
	for _, tt := range []struct {
		name, want string
		progress   func(int64)
		fail       func(a *Archive)
	}{
		{"other bytes", "archive d/a.zip: its bytes have CRC-32 ", nil, func(a *Archive) { misfit(t, a) }},
		{"a defect", "archive d/a.zip: a defect in vzip made its SHA-256 fail: ", func(int64) { panic("no") }, func(*Archive) {}},
		{"a source", `archive d/a.zip: "src/x": `, nil, func(*Archive) { must(t, os.Remove(filepath.Join(dir, "src/x"))) }},
	} {
		var r read
		o := r.options(t, nil)
		list := o.reports()
		g, _ := shown(t, dir, allSidecars, o)
		tt.fail(g.Archives[0])
		err, _ := g.Sum(context.Background(), HashOptions{Workers: 1, Progress: tt.progress})
		if !errors.As(err, new(SourceErrors)) || !strings.HasPrefix(err.Error(), tt.want) || strings.Count(err.Error(), "archive ") != 1 {
			t.Errorf("%s: got error %v, want %s…", tt.name, err, tt.want)
		}
		if tt.name == "other bytes" && !errors.Is(err, unix.EIO) {
			t.Errorf("%s: got error %v, want EIO", tt.name, err)
		}
		for _, text := range list() {
			if !strings.HasPrefix(text, "archive d/a.zip") || strings.Count(text, "archive ") != 1 {
				t.Errorf("%s: got report %q", tt.name, text)
			}
		}
	}
}

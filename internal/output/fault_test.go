package output

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/faultfs"
	"vzip/internal/require"
)

// faulty shows a folder's src through a file system with faults, in another folder that it
// returns.
func faulty(t *testing.T, dir string) (bad string, m *faultfs.Mount) {
	t.Helper()
	require.Needs(t, "fuse")
	self, err := os.Executable()
	must(t, err)
	bad = t.TempDir()
	must(t, os.Mkdir(bad+"/src", 0o755))
	m, err = faultfs.Start([]string{self}, dir+"/src", bad+"/src", 0)
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	return bad, m
}

// Where stamps can't be trusted nothing is, holes included: a change that does not show is
// an error, or has not changed what is written.
func TestStaleStamps(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(f *os.File) error{
		"punched": func(f *os.File) error {
			return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 1<<20, 1<<20)
		},
		"written": func(f *os.File) error { _, err := f.WriteAt([]byte("other"), 5<<20); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			noise(t, dir, map[string]int64{"src/a": 4 << 20, "src/b": 300_000})
			must(t, os.Truncate(dir+"/src/a", 20<<20))
			bad, m := faulty(t, dir)
			a := archive(t, bad, "align: 4KiB")
			want := sumOfArchive(t, a)
			for _, reflink := range []Reflink{Auto, Never} {
				if r := write(t, a, bad+"/a.zip", Options{Reflink: reflink, Workers: 2}); r.Holes < 15<<20 {
					t.Errorf("%d bytes in holes", r.Holes)
				}
				if sumOfFile(t, bad+"/a.zip") != want {
					t.Fatal("the file has other bytes than the archive")
				}
			}
			_, err := m.Add(faultfs.Rule{Freeze: true})
			must(t, err)
			f, err := os.OpenFile(dir+"/src/a", os.O_RDWR, 0)
			must(t, err)
			must(t, errors.Join(change(f), f.Close()))
			if _, err := Write(t.Context(), a, bad+"/a.zip", Options{Reflink: Auto, Workers: 2}); err == nil || !strings.Contains(err.Error(), "src/a") {
				t.Errorf("got error %v", err)
			}
			if sumOfFile(t, bad+"/a.zip") != want {
				t.Error("a failed write changed the file that was there")
			}
			nothingIn(t, bad, "a.zip", "src")
		})
	}
}

// A job that hangs in a source can be given up, and never gives its file a name then.
func TestAbandon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noise(t, dir, map[string]int64{"src/a": 1 << 20, "src/b": 300_000})
	bad, m := faulty(t, dir)
	a := archive(t, bad, "align: 4KiB")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	job := New(a, bad+"/a.zip", Options{Reflink: Auto, Workers: 2, Start: func(int64) {
		if _, err := m.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Read, faultfs.Open}, Hang: true}); err != nil {
			t.Error(err)
		}
	}})
	done := make(chan error)
	go func() {
		_, err := job.Run(ctx)
		done <- err
	}()
	for state, err := m.State(); state.Hung == 0; state, err = m.State() {
		must(t, err)
		time.Sleep(10 * time.Millisecond)
	}
	if !job.Abandon() {
		t.Error("it can't be given up")
	}
	must(t, m.Clear())
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
	nothingIn(t, bad, "src")
}

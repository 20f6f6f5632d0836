package source

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Who could write to a file makes it busy: with an open descriptor, or with
// nothing but a mapping.
func TestBusy(t *testing.T) {
	t.Parallel()
	for fs, dir := range testFolders(t) {
		t.Run(fs, func(t *testing.T) {
			r := Ref{Root: dir, Rel: "file"}
			write(t, r.Path(), before)
			f, _, err := OpenNow(r)
			must(t, err)
			defer f.Close()
			busy := func(what string, want bool) {
				t.Helper()
				err := f.Busy()
				if got := errors.As(err, new(*BusyError)); got != want {
					t.Errorf("%s: got error %v", what, err)
				}
			}
			busy("nobody", false)
			reader, err := os.Open(r.Path())
			must(t, err)
			defer reader.Close()
			busy("a reader", false)
			writer, err := os.OpenFile(r.Path(), os.O_RDWR, 0)
			must(t, err)
			busy("a writer", true)
			p, err := unix.Mmap(int(writer.Fd()), 0, len(before), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			must(t, err)
			must(t, writer.Close())
			busy("a mapping", true)
			must(t, unix.Munmap(p))
			busy("nobody any more", false)
			// No lease stays behind: it would hold up the next writer.
			done := make(chan error, 1)
			go func() {
				w, err := os.OpenFile(r.Path(), os.O_WRONLY, 0)
				if err == nil {
					err = w.Close()
				}
				done <- err
			}()
			select {
			case err := <-done:
				must(t, err)
			case <-time.After(10 * time.Second):
				t.Error("a writer waits for a lease")
			}
		})
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	folders := testFolders(t)
	for path, want := range map[string]Kind{folders["memory"] + "/f": Memory, "/proc/version": Unknown} {
		if want == Memory {
			write(t, path, before)
		}
		f, _, err := OpenNow(Ref{Root: "/", Rel: path[1:]})
		must(t, err)
		if got := f.Kind(); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
		f.Close()
	}
	fine, whole := Identity{Ctime: 1e18 + 1}, Identity{Ctime: 1e18}
	if fine.Tick(Local) != tick || fine.Tick(Unknown) != coarseTick || whole.Tick(Local) != coarseTick {
		t.Error("a coarse stamp is taken for a fine one, or the other way round")
	}
}

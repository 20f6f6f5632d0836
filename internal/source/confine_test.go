package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tree makes a root with links of every kind, and a canary beside it.
func tree(t *testing.T) (root, canary string) {
	t.Helper()
	top := t.TempDir()
	root, canary = filepath.Join(top, "root"), filepath.Join(top, "outside", "in.txt")
	write(t, filepath.Join(root, "dir", "in.txt"), "inside!")
	write(t, canary, "CANARY!")
	for name, target := range map[string]string{
		"inner":       "dir/in.txt",
		"dirlink":     "dir",
		"dir/back":    "../dir/in.txt",
		"absolute":    canary,
		"absolute-in": filepath.Join(root, "dir", "in.txt"),
		"up":          "../outside/in.txt",
		"through":     "dir/../../outside/in.txt",
		"dir-up":      "../outside",
		"out-and-in":  "../root/dir/in.txt",
		"loop":        "loop",
		"dangling":    "nothing",
	} {
		must(t, os.Symlink(target, filepath.Join(root, name)))
	}
	return root, canary
}

func TestConfined(t *testing.T) {
	t.Parallel()
	root, canary := tree(t)
	const isLink = unix.Errno(0xfff)
	tests := []struct {
		rel           string
		plain, follow unix.Errno // of Lstat; 0 is dir/in.txt, isLink a link
	}{
		{"dir/in.txt", 0, 0},
		{"inner", isLink, 0},
		{"dir/back", isLink, 0},
		{"dirlink/in.txt", unix.ELOOP, 0},
		{"dirlink/back", unix.ELOOP, 0},
		{"absolute", isLink, unix.EXDEV},
		{"absolute-in", isLink, unix.EXDEV},
		{"up", isLink, unix.EXDEV},
		{"through", isLink, unix.EXDEV},
		{"dir-up/in.txt", unix.ELOOP, unix.EXDEV},
		{"out-and-in", isLink, unix.EXDEV},
		{"loop", isLink, unix.ELOOP},
		{"dangling", isLink, unix.ENOENT},
		{"nothing", unix.ENOENT, unix.ENOENT},
		{"dir/in.txt/x", unix.ENOTDIR, unix.ENOTDIR},
		{"../outside/in.txt", unix.EXDEV, unix.EXDEV},
		{"dir/../../outside/in.txt", unix.EXDEV, unix.EXDEV},
		{canary, unix.EXDEV, unix.EXDEV},
	}
	inside := lstat(t, Ref{Root: root, Rel: "dir/in.txt"}).Identity
	outside := lstat(t, Ref{Root: filepath.Dir(canary), Rel: "in.txt"}).Identity
	for _, tt := range tests {
		for follow, want := range map[bool]unix.Errno{false: tt.plain, true: tt.follow} {
			t.Run(fmt.Sprintf("%s follow=%v", filepath.Base(tt.rel), follow), func(t *testing.T) {
				t.Parallel()
				r := Ref{Root: root, Rel: tt.rel, Follow: follow}
				s, err := r.Lstat()
				switch {
				case want == isLink:
					if err != nil || !s.IsSymlink() {
						t.Errorf("Lstat: got mode %o and error %v, want a link", s.Mode, err)
					}
				case want == 0:
					if err != nil || s.Identity != inside {
						t.Errorf("Lstat: got %+v and error %v, want %+v", s.Identity, err, inside)
					}
				case !errors.Is(err, want):
					t.Errorf("Lstat: got error %v, want %v", err, want)
				}
				if got, err := content(r, outside); err == nil {
					t.Errorf("Open of the canary: got %q", got)
				} else if want != 0 {
					wantChanged(t, err, r, "it can't be opened")
				}
				if want != 0 {
					return
				}
				if got, err := content(r, inside); got != "inside!" || err != nil {
					t.Errorf("Open: got %q and error %v, want %q", got, err, "inside!")
				}
			})
		}
	}
}

func TestMagicLinks(t *testing.T) {
	t.Parallel()
	f, err := os.Open("/etc/passwd")
	must(t, err)
	defer f.Close()
	for _, rel := range []string{"cwd", "exe", "root/etc/passwd", fmt.Sprintf("fd/%d", f.Fd()), "task/../fd/0"} {
		r := Ref{Root: "/proc/self", Rel: rel, Follow: true}
		if _, err := r.Lstat(); !errors.Is(err, unix.ELOOP) {
			t.Errorf("Lstat of %s: got error %v, want %v", rel, err, unix.ELOOP)
		}
		if _, _, err := r.ReadDir(false); !errors.Is(err, unix.ELOOP) {
			t.Errorf("ReadDir of %s: got error %v, want %v", rel, err, unix.ELOOP)
		}
		_, err := Open(r, Identity{})
		wantChanged(t, err, r, unix.ELOOP.Error())
	}
}

// A folder that became a link since the scan isn't followed out, not even to
// the very same file.
func TestFolderBecameLink(t *testing.T) {
	t.Parallel()
	for _, follow := range []bool{false, true} {
		top := t.TempDir()
		root := filepath.Join(top, "root")
		write(t, filepath.Join(root, "dir", "in.txt"), "inside!")
		must(t, os.Mkdir(filepath.Join(top, "outside"), 0o755))
		must(t, os.Link(filepath.Join(root, "dir", "in.txt"), filepath.Join(top, "outside", "in.txt")))
		r := Ref{Root: root, Rel: "dir/in.txt", Follow: follow}
		id := lstat(t, r).Identity
		must(t, os.Rename(filepath.Join(root, "dir"), filepath.Join(root, "was")))
		must(t, os.Symlink("../outside", filepath.Join(root, "dir")))
		if s := lstat(t, Ref{Root: top, Rel: "outside/in.txt"}); s.Identity != id {
			t.Fatalf("the links differ: %s", id.Diff(s.Identity))
		}
		_, err := Open(r, id)
		wantChanged(t, err, r, "it can't be opened")
	}
}

// While a folder and a link out of the root take each other's place over and
// over, nothing ever shows what is outside.
func TestSwapRace(t *testing.T) {
	t.Parallel()
	for _, follow := range []bool{false, true} {
		t.Run(fmt.Sprintf("follow=%v", follow), func(t *testing.T) {
			t.Parallel()
			root, canary := tree(t)
			outside := lstat(t, Ref{Root: filepath.Dir(canary), Rel: "in.txt"}).Identity
			names := []string{"dir/in.txt", "dir/back", "dirlink/in.txt", "inner"}
			if !follow {
				names = names[:1]
			}
			inside := lstat(t, Ref{Root: root, Rel: "dir/in.txt"}).Identity

			const swaps = 2000
			var done, passed, refused atomic.Int64
			deadline := time.Now().Add(time.Minute)
			var wg sync.WaitGroup
			defer wg.Wait()
			wg.Go(func() {
				// Readers on few cores may sleep through the first rounds.
				for done.Load() < swaps || (passed.Load() == 0 || refused.Load() == 0) && time.Now().Before(deadline) {
					if err := unix.Renameat2(unix.AT_FDCWD, root+"/dir", unix.AT_FDCWD, root+"/dir-up", unix.RENAME_EXCHANGE); err != nil {
						t.Error(err)
						break
					}
					done.Add(1)
				}
				done.Store(-1)
			})
			for i := 0; done.Load() >= 0 && !t.Failed(); i++ {
				r := Ref{Root: root, Rel: names[i%len(names)], Follow: follow}
				if s, err := r.Lstat(); err == nil && s.IsRegular() && s.Identity != inside {
					t.Errorf("Lstat: got %+v, want %+v", s.Identity, inside)
				}
				if got, err := content(r, outside); err == nil {
					t.Errorf("Open of the canary: got %q", got)
				}
				switch got, err := content(r, inside); {
				case errors.Is(err, unix.ESTALE):
					refused.Add(1)
				case err != nil:
					t.Errorf("Open: %v", err)
				case got != "inside!":
					t.Errorf("Open: got %q", got)
				default:
					passed.Add(1)
				}
				_, children, err := Ref{Root: root, Rel: "dir", Follow: follow}.ReadDir(true)
				if err == nil && len(children) != 2 {
					t.Errorf("ReadDir: got %v, want in.txt and back", children)
				}
			}
			wg.Wait()
			if passed.Load() == 0 || refused.Load() == 0 {
				t.Errorf("%d opens passed and %d were refused, want some of each", passed.Load(), refused.Load())
			}
			wantClosed(t, root)
		})
	}
}

package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// A vzip write that is killed at any moment leaves nothing, or all of the file; one that
// was there stays until then.
func TestWriteKilled(t *testing.T) {
	t.Parallel()
	require.Needs(t, "root", "mkfs.xfs", "mount", "umount")
	for _, xfs := range []bool{true, false} {
		name := "copied"
		if xfs {
			name = "cloned"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if xfs {
				disk := dir + "/disk"
				must(t, exec.Command("truncate", "-s", "500M", disk).Run())
				must(t, exec.Command("mkfs.xfs", "-q", "-m", "reflink=1", disk).Run())
				dir += "/mnt"
				must(t, os.Mkdir(dir, 0o755))
				must(t, exec.Command("mount", "-o", "loop", disk, dir).Run())
				t.Cleanup(func() { must(t, exec.Command("umount", dir).Run()) })
			}
			must(t, os.Mkdir(dir+"/src", 0o755))
			must(t, os.Mkdir(dir+"/out", 0o755))
			for _, name := range []string{"a", "b", "c"} {
				must(t, os.WriteFile(dir+"/src/"+name, randomBytes(name, 8<<20+5), 0o644))
			}
			must(t, os.WriteFile(dir+"/layout.yaml", []byte("version: 1\narchives: [{name: a.zip, align: 4KiB, entries: [{source: src}]}]\n"), 0o644))
			file := dir + "/out/a.zip"
			write := func() *exec.Cmd {
				return exec.Command("vzip", "write", "--quiet", "--cache", dir+"/cache", dir+"/layout.yaml", "a.zip", file)
			}
			must(t, write().Run())
			begin := time.Now()
			must(t, write().Run())
			took := time.Since(begin)
			want, err := os.ReadFile(file)
			must(t, err)
			old := []byte("what was there")
			whole, kept := 0, 0
			for i := range 100 {
				must(t, os.RemoveAll(file))
				if i%2 == 0 {
					must(t, os.WriteFile(file, old, 0o644))
				}
				cmd := write()
				must(t, cmd.Start())
				time.Sleep(rand.N(took * 5 / 4))
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				got, err := os.ReadFile(file)
				switch {
				case err == nil && bytes.Equal(got, want):
					whole++
				case i%2 == 0 && err == nil && bytes.Equal(got, old), i%2 != 0 && errors.Is(err, unix.ENOENT):
					kept++
				default:
					t.Fatalf("killed: %d bytes, error %v", len(got), err)
				}
				// In the instant of replacing a file it has another name.
				if left, _ := filepath.Glob(dir + "/out/.*"); len(left) > 0 && i%2 != 0 {
					t.Errorf("left behind: %q", left)
				} else if len(left) > 0 {
					t.Logf("left behind by replacing: %q", left)
					must(t, os.Remove(left[0]))
				}
			}
			figure.Print(t, "vzip write, %s: 100 times killed: %d files were whole, %d as before, 0 else", name, whole, kept)
			if kept == 0 {
				t.Error("never killed before the end")
			}
		})
	}
}

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/figure"
	"vzip/internal/require"
	"vzip/internal/rig"
	"vzip/vfs"
)

// A daemon that may have 64 descriptors serves any number of sources, to several
// readers at once, without an error.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse", "prlimit")
	const limit, readers = 64, 8
	entries, reads := figure.N(3000, 100_000), figure.N(500, 50_000)
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/mnt", 0o755))
	must(t, os.WriteFile(dir+"/layout.yaml", []byte("version: 1\narchives: [{name: a.zip, entries: [{source: src}]}]\n"), 0o644))
	for i := range entries {
		folder := fmt.Sprintf("%s/src/%d", dir, i%100)
		if i < 100 {
			must(t, os.MkdirAll(folder, 0o755))
		}
		must(t, os.WriteFile(fmt.Sprintf("%s/%d", folder, i), randomBytes(fmt.Sprint(i), i%2000), 0o644))
	}
	vzip := func(args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			t.Fatalf("%s: %v: %s", args, err, exit.Stderr)
		}
		must(t, err)
		return out
	}
	want := vzip("vzip", "cat", "--cache", "cache", "layout.yaml", "a.zip")
	vzip("prlimit", fmt.Sprintf("--nofile=%d:%[1]d", limit), "vzip", "mount", "--daemon", "--cache", "cache", "--log-file", "log", "layout.yaml", "mnt")
	defer func() { _ = rig.Idle(func() error { return vfs.Unmount(dir+"/mnt", false) }) }()

	begin := time.Now()
	var done atomic.Int64
	var wg sync.WaitGroup
	for reader := range readers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(reader)))
			for range reads {
				// Once in a while through the kernel's memory, which reads ahead.
				flags := unix.O_RDONLY
				if rnd.IntN(4) > 0 {
					flags |= unix.O_DIRECT
				}
				if err := readPart(dir+"/mnt/a.zip", flags, want, rnd); err != nil {
					t.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	if log, err := os.ReadFile(dir + "/log"); err != nil || strings.Contains(string(log), "level=") {
		t.Errorf("error %v, log %s", err, log)
	}
	if n := int64(readers * reads); done.Load() != n {
		t.Errorf("%d reads were right, want %d", done.Load(), n)
	}
	figure.Print(t, "%d entries, %d descriptors, %d readers: %d random reads in %v, 0 failed", entries, limit, readers, done.Load(), took.Round(time.Millisecond))
}

// readPart reads a small part of a file whose content is want, at random.
func readPart(path string, flags int, want []byte, rnd *rand.Rand) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer unix.Close(fd)
	off := rnd.IntN(len(want))
	n := min(1+rnd.IntN(16<<10), len(want)-off)
	got, err := preadFull(fd, int64(off), n)
	if err != nil {
		return fmt.Errorf("read of %d at %d: %w", n, off, err)
	}
	if string(got) != string(want[off:off+n]) {
		return fmt.Errorf("read of %d at %d: the bytes are wrong", n, off)
	}
	return nil
}

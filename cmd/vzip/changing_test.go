package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/require"
	"vzip/internal/rig"
	"vzip/vfs"
)

// Whoever reads an archive while its sources are being written gets its right
// bytes or an error, never anything else, and never an end that is none.
func TestReadWhileWriting(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse")
	for round := range 4 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			readWhileWriting(t, uint64(round))
		})
	}
}

const (
	changingFiles = 8
	changingSize  = 1<<20 + 13
)

func readWhileWriting(t *testing.T, seed uint64) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/src", 0o755))
	must(t, os.Mkdir(dir+"/mnt", 0o755))
	must(t, os.WriteFile(dir+"/layout.yaml", []byte("version: 1\narchives: [{name: a.zip, entries: [{source: src}]}]\n"), 0o644))
	var files []string
	for i := range changingFiles {
		files = append(files, fmt.Sprintf("%s/src/%d", dir, i))
		must(t, os.WriteFile(files[i], bytes.Repeat([]byte{byte('a' + i)}, changingSize), 0o644))
	}
	vzip := func(args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(ctx, "vzip", args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("vzip %s: %v: %s", args, err, exit.Stderr)
		}
		must(t, err)
		return out
	}
	want := vzip("cat", "--no-cache", "layout.yaml", "a.zip")
	vzip("mount", "--daemon", "--no-cache", "--log-file", "log", "layout.yaml", "mnt")
	defer func() { _ = rig.Idle(func() error { return vfs.Unmount(dir+"/mnt", false) }) }()

	var right, failed atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for reader := range 3 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(reader)))
			flags := unix.O_RDONLY
			if reader > 0 {
				flags |= unix.O_DIRECT // never from the kernel's memory
			}
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := readSome(dir+"/mnt/a.zip", flags, want, rnd); err == nil {
					right.Add(1)
				} else if errors.Is(err, unix.ESTALE) {
					failed.Add(1)
				} else {
					t.Error(err)
					return
				}
			}
		})
	}
	some := func(n *atomic.Int64) { // however busy the machine is
		for n.Load() == 0 && ctx.Err() == nil && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
	}
	some(&right)
	rnd := rand.New(rand.NewPCG(seed, 100))
	for _, i := range rnd.Perm(changingFiles) {
		time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
		change(t, files[i], rnd)
	}
	time.Sleep(50 * time.Millisecond)
	some(&failed)
	close(stop)
	wg.Wait()
	if right.Load() == 0 || failed.Load() == 0 {
		t.Errorf("%d reads were right and %d failed, want some of both", right.Load(), failed.Load())
	}
}

// readSome reads a random part of a file whose content is want, to its end.
func readSome(path string, flags int, want []byte, rnd *rand.Rand) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_ = unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED)
	off := rnd.IntN(len(want))
	p := make([]byte, 1+rnd.IntN(2<<20))
	end := min(off+len(p), len(want))
	for off < end {
		n, err := unix.Pread(fd, p[:end-off], int64(off))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("it ends at byte %d, want %d", off, len(want))
		}
		if !bytes.Equal(p[:n], want[off:off+n]) {
			return fmt.Errorf("%d bytes at %d are wrong", n, off)
		}
		off += n
	}
	return nil
}

// change does something to a file, many times.
func change(t *testing.T, path string, rnd *rand.Rand) {
	t.Helper()
	fi, err := os.Stat(path)
	must(t, err)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	kind := rnd.IntN(5)
	for range 20 {
		switch kind {
		case 0: // write in place
			_, err = f.WriteAt([]byte("X"), rnd.Int64N(changingSize))
		case 1: // and put the time back
			_, err = f.WriteAt(bytes.Repeat([]byte("Y"), 5000), rnd.Int64N(changingSize-5000))
			err = errors.Join(err, os.Chtimes(path, time.Time{}, fi.ModTime()))
		case 2: // cut and grow, which leaves zeros
			err = errors.Join(f.Truncate(rnd.Int64N(changingSize)), f.Truncate(changingSize))
		case 3: // through a mapping
			var m []byte
			if m, err = unix.Mmap(int(f.Fd()), 0, changingSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
				for i := 0; i < len(m); i += 1000 {
					m[i] = 'Z'
				}
				err = unix.Munmap(m)
			}
		case 4: // replace
			err = errors.Join(os.WriteFile(path+".new", bytes.Repeat([]byte("N"), changingSize), 0o644),
				os.Chtimes(path+".new", time.Time{}, fi.ModTime()),
				os.Rename(path+".new", filepath.Clean(path)))
		}
		must(t, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

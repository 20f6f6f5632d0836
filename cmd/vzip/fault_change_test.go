package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/faultfs"
	"vzip/internal/figure"
)

// staleChanges are changes that a file system with stale attributes hides. Each
// changes block 4 of a/two alone, or what its comment says.
var staleChanges = []struct {
	name   string
	do     func(t *testing.T, path string)
	broken func(block int64) bool
}{
	{"overwritten", func(t *testing.T, path string) { must(t, poke(path, 4*block+99, "changed")) }, func(n int64) bool { return n == 4 }},
	{"replaced", func(t *testing.T, path string) {
		must(t, os.WriteFile(path+".new", randomBytes("other", faultFiles["a/two"]), 0o644))
		must(t, os.Rename(path+".new", path))
	}, func(int64) bool { return true }},
	{"cut", func(t *testing.T, path string) { must(t, os.Truncate(path, 4*block+10)) }, func(n int64) bool { return n >= 4 }},
	{"emptied and grown", func(t *testing.T, path string) {
		must(t, os.Truncate(path, 0))
		must(t, os.Truncate(path, int64(faultFiles["a/two"])))
	}, func(int64) bool { return true }},
}

// poke writes into a file that is there.
func poke(path string, off int64, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), off)
	return errors.Join(err, f.Close())
}

// Content that changes while its attributes seem to stay is never given to readers.
func TestFaultStaleAttributes(t *testing.T) {
	t.Parallel()
	for _, c := range staleChanges {
		for _, opened := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s opened=%v", c.name, opened), func(t *testing.T) {
				t.Parallel()
				f, d, a, b, two := mountFaulty(t)
				if opened { // vzip has the source open, and knows a block of it
					must(t, d.check("a.zip", a, two, block))
				}
				f.add(faultfs.Rule{Freeze: true})
				c.do(t, f.plain+"/a/two")
				for n := int64(7); n >= 0; n-- {
					err := d.check("a.zip", a, two+n*block, block)
					switch {
					case err != nil:
						wantErrno(t, fmt.Sprintf("block %d", n), err, unix.EIO, unix.ESTALE)
						if c.name == "overwritten" && n != 4 {
							t.Errorf("block %d, which is as it was: %v", n, err)
						}
					case c.broken(n) && !(opened && (n == 0 || c.name == "replaced")): // known, and open
						t.Errorf("block %d is gone, and can be read", n)
					}
				}
				d.wantOthers(a, b, two)

				// In the light of day it is another file.
				f.clear()
				if err := d.check("a.zip", a, two+4*block, block); err != nil || !opened || c.name != "replaced" {
					wantErrno(t, "with true attributes", err, unix.ESTALE)
				}
				d.wantAll("b.zip", b)
			})
		}
	}
}

// Attributes that are stale when a file is looked up in the cache: its CRC-32 is
// for other bytes, which are then not given to readers.
func TestFaultStaleCache(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, faultFiles)
	cache := f.dir + "/cache"
	f.mount(f.layout(f.bad), "--cache", cache).stop()
	f.add(faultfs.Rule{Freeze: true})
	must(t, poke(f.plain+"/a/two", 4*block+99, "changed"))
	d := f.mount(f.layout(f.bad), "--cache", cache)
	bad, err := badEntries(d.mnt + "/a.zip")
	must(t, err)
	for name, err := range bad {
		if name != "two" || !errors.Is(err, unix.EIO) && !errors.Is(err, unix.ESTALE) {
			t.Errorf("%s: %v", name, err)
		}
	}
	figure.Print(t, "content changed under stale attributes before a second mount: %d entries can't be read, 0 are wrong", len(bad))
}

// badEntries reads a ZIP file to its end, and returns the error of each entry that
// can't be read, or whose CRC-32 is not its header's.
func badEntries(path string) (map[string]error, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	bad := map[string]error{}
	for _, e := range z.File {
		r, err := e.Open()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if err != nil {
			bad[e.Name] = err
		}
	}
	return bad, nil
}

// drifts change what is said of a source, and not its content.
var drifts = []struct {
	name string
	do   func(t *testing.T, f *faulty)
}{
	{"chmod", func(t *testing.T, f *faulty) { must(t, os.Chmod(f.plain+"/a/two", 0o640)) }},
	{"touch", func(t *testing.T, f *faulty) { must(t, os.Chtimes(f.plain+"/a/two", time.Time{}, time.Unix(1e9, 1))) }},
	{"hard link", func(t *testing.T, f *faulty) { must(t, os.Link(f.plain+"/a/two", f.dir+"/link")) }},
	{"replaced by a copy", func(t *testing.T, f *faulty) {
		f.write("a/two.new", randomBytes("a/two", faultFiles["a/two"]))
		must(t, os.Rename(f.plain+"/a/two.new", f.plain+"/a/two"))
	}},
	{"inode numbers once", func(t *testing.T, f *faulty) { f.add(faultfs.Rule{Inodes: faultfs.InodesOnce}) }},
	{"inode numbers at each lookup", func(t *testing.T, f *faulty) { f.add(faultfs.Rule{Inodes: faultfs.InodesByLookup}) }},
	{"coarse times", func(t *testing.T, f *faulty) { f.add(faultfs.Rule{Grain: 2 * time.Second}) }},
	{"source mounted again", func(t *testing.T, f *faulty) {
		must(t, f.fs.Close())
		f.fs = nil
		f.start()
	}},
}

// A source that only seems to be another one is served on.
func TestFaultDrift(t *testing.T) {
	t.Parallel()
	for _, c := range drifts {
		for _, opened := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s opened=%v", c.name, opened), func(t *testing.T) {
				t.Parallel()
				f, d, a, b, two := mountFaulty(t)
				if opened {
					must(t, d.check("a.zip", a, two, block))
				}
				c.do(t, f)
				begin, errs := time.Now(), 0
				var last error
				for right := 0; right < 3; { // three rounds in a row
					round, failed := d.checkAll("a.zip", a)
					if len(failed) == 0 && round > 0 {
						right++
						continue
					}
					for err, n := range failed {
						last, errs, right = err, errs+n, 0
					}
					if time.Since(begin) > patience {
						t.Fatalf("still fails after %v: %v: %s", time.Since(begin), failed, d.text())
					}
					time.Sleep(50 * time.Millisecond)
				}
				settled := time.Since(begin)
				if errs > 0 && c.name != "source mounted again" {
					t.Errorf("%d reads failed meanwhile, the last with %v, want none", errs, last)
				}
				d.wantAll("b.zip", b)
				if _, err := os.ReadFile(d.mnt + "/a.zip"); err != nil { // a new open(2)
					t.Error(err)
				}

				// It is looked at once, not again and again.
				_, err := f.fs.Reset()
				must(t, err)
				time.Sleep(time.Second)
				var idle int64
				for _, n := range f.state().Counts {
					idle += n.Bytes
				}
				if most := int64(3 * len(a)); idle > most {
					t.Errorf("%d bytes of sources are read in a second in which nobody reads, want %d at most", idle, most)
				}
				figure.Print(t, "%s, content equal, opened before: %v: %d reads failed, settled after %v", c.name, opened, errs, round(settled))
			})
		}
	}
}

// Another mount of the source has other inode numbers: its files are read again.
func TestFaultInodesAtRemount(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, faultFiles)
	a, cache := f.oracle("a.zip"), f.dir+"/cache"
	d := f.mount(f.layout(f.bad), "--cache", cache)
	d.wantAll("a.zip", a)
	d.stop()
	f.add(faultfs.Rule{Inodes: faultfs.InodesOnce})
	f.mount(f.layout(f.bad), "--cache", cache).wantAll("a.zip", a)
}

// Where inode numbers differ at each lookup from the start, as on some union file
// systems, files can't be told from others that take their place: they are
// refused by name, or served right.
func TestFaultInodesNeverSame(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, faultFiles)
	a := f.oracle("a.zip")
	f.add(faultfs.Rule{Inodes: faultfs.InodesByLookup})
	d := f.run(f.layout(f.bad))
	if d.upOrEnded("a.zip") {
		d.wantAll("a.zip", a)
		return
	}
	if code := d.cmd.ProcessState.ExitCode(); code != exitSource || len(d.lines(f.bad+"/a/two")) == 0 {
		t.Errorf("got exit code %d, want %d and the source's name: %s", code, exitSource, d.text())
	}
}

// Stamps of whole seconds don't tell an edit from what was there a moment before.
// Sources are edited around a mount; what a second mount then shows, with the
// CRC-32s that the first one left, is right to the last byte.
func TestFaultCoarseStamps(t *testing.T) {
	t.Parallel()
	for _, grain := range []time.Duration{time.Second, 2 * time.Second} {
		t.Run(grain.String(), func(t *testing.T) {
			t.Parallel()
			const files = 8
			sizes := map[string]int{}
			for i := range files {
				sizes[fmt.Sprintf("%d/file", i)] = block + 1000
			}
			f := newFaulty(t, sizes)
			f.add(faultfs.Rule{Grain: grain})
			rnd := rand.New(rand.NewPCG(1, uint64(grain)))
			rounds := figure.N(2, 40)
			right, failed, edits, refused := 0, 0, 0, 0
			for range rounds {
				layout, cache := f.layout(f.bad), f.dir+"/cache"
				// Written right after a tick, read in its course, edited before the next one.
				time.Sleep(time.Until(time.Now().Truncate(grain).Add(grain)))
				for i := range files {
					must(t, poke(fmt.Sprintf("%s/%d/file", f.plain, i), rnd.Int64N(block), fmt.Sprintf("write %016x", rnd.Uint64())))
				}
				var edit sync.WaitGroup
				for i := range files {
					at := time.Duration(rnd.IntN(int(grain + 2*time.Second)))
					text := fmt.Sprintf("edit %016x", rnd.Uint64())
					off := rnd.Int64N(block)
					edit.Go(func() {
						time.Sleep(at)
						// The time is put back, to the second.
						path := fmt.Sprintf("%s/%d/file", f.plain, i)
						st, err := os.Stat(path)
						if err == nil {
							err = errors.Join(poke(path, off, text), os.Chtimes(path, time.Time{}, st.ModTime()))
						}
						if err != nil {
							t.Error(err)
						}
					})
					edits++
				}
				d := f.run(layout, "--cache", cache)
				edit.Wait()
				if d.upOrEnded("0.zip") {
					for i := range files {
						bad, err := badEntries(fmt.Sprintf("%s/%d.zip", d.mnt, i))
						for _, e := range bad {
							err = errors.Join(err, e)
						}
						switch {
						case err == nil:
							right++
						case errors.Is(err, unix.ESTALE) || errors.Is(err, unix.EIO):
							failed++
						default:
							t.Errorf("around the edits: %v", err)
						}
					}
				} else {
					refused++
				}
				d.stop()

				d = f.mount(layout, "--cache", cache)
				got := map[string][]byte{}
				for i := range files {
					name := fmt.Sprintf("%d.zip", i)
					var err error
					if got[name], err = os.ReadFile(d.mnt + "/" + name); err != nil {
						t.Errorf("the second mount: %v: %s", err, d.text())
					}
				}
				d.stop()
				for name, data := range got {
					if !bytes.Equal(data, f.oracleAt(name, grain)) {
						t.Errorf("%s: the second mount shows wrong bytes", name)
					}
				}
			}
			figure.Print(t, "stamps of %v: %d edits around %d mounts: archives %d right, %d failed, %d mounts refused; after it %d of %d archives right", grain, edits, rounds, right, failed, refused, rounds*files, rounds*files)
		})
	}
}

// upOrEnded waits until an archive is there, or the program has ended: false.
func (d *served) upOrEnded(archive string) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(d.mnt + "/" + archive); err == nil {
			return true
		}
		if d.ended(0) {
			return false
		}
	}
	d.t.Fatalf("it neither mounts nor ends: %s", d.text())
	return false
}

// oracleAt is oracle for sources whose times the file system rounds down, in
// whole seconds.
func (f *faulty) oracleAt(archive string, grain time.Duration) []byte {
	f.t.Helper()
	folder := f.plain + "/" + archive[:len(archive)-len(".zip")]
	for _, path := range []string{folder + "/file", folder} {
		st, err := os.Stat(path)
		must(f.t, err)
		must(f.t, os.Chtimes(path, time.Time{}, st.ModTime().Truncate(grain)))
	}
	return f.oracle(archive)
}

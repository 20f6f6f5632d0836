package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/faultfs"
	"vzip/internal/figure"
	"vzip/internal/require"
)

// readyFiles are the sources of two archives on a file system with faults.
var readyFiles = map[string]int{"a/one": 3*block + 5, "a/two": 20<<20 + 100, "a/zwei": 3 * block, "b/file": 4 * block}

// gate keeps all reads of sources waiting that a pattern names, until it is removed.
func (f *faulty) gate(pattern string) (id int) {
	f.t.Helper()
	return f.add(faultfs.Rule{Path: pattern, Ops: []faultfs.Op{faultfs.Read}, Hang: true})
}

func (d *served) size(archive string) int64 {
	d.t.Helper()
	fi, err := os.Stat(d.mnt + "/" + archive)
	must(d.t, err)
	return fi.Size()
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var s unix.Stat_t
	must(t, unix.Stat(path, &s))
	return s.Ino
}

// The archives are there, with their sizes, before anything can be read; what is asked
// for is read at once though all else waits; and in the end all have the bytes, inode
// number and time that they had.
func TestReadyBeforeHashed(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, readyFiles)
	a, b := f.oracle("a.zip"), f.oracle("b.zip")
	f.gate("a/*")
	cache := f.dir + "/cache"
	d := f.mount(f.layout(f.bad), "--ready", "scan", "--cache", cache)
	for name, want := range map[string][]byte{"a.zip": a, "b.zip": b} {
		if got := d.size(name); got != int64(len(want)) {
			t.Errorf("%s: size %d before it is hashed, want %d", name, got, len(want))
		}
	}
	before := inode(t, d.mnt+"/a.zip")
	// The end needs no CRC-32.
	if err := d.check("a.zip", a, int64(len(a))-22, 22); err != nil {
		t.Errorf("the end record: %v", err)
	}
	began := time.Now()
	d.wantAll("b.zip", b)
	took := time.Since(began)
	got := make(chan error, 1)
	go func() { _, err := d.pread("a.zip", 0, block); got <- err }()
	select {
	case err := <-got:
		t.Errorf("a read that needs what can't be read yet gave error %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	f.clear()
	must(t, <-got)
	d.wantAll("a.zip", a)
	for end := time.Now().Add(patience); len(d.lines("worked out the CRC-32 of 4 files")) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not end: %s", d.text())
		}
	}
	d.wantAll("a.zip", a)
	d.wantLines(1, "2 archives at", "the CRC-32s of 4 files")
	if now := inode(t, d.mnt+"/a.zip"); now != before {
		t.Errorf("the inode number was %d, is %d", before, now)
	}
	out, err := exec.Command("vzip", "reload", d.mnt).Output()
	if must(t, err); string(out) != "generation 1: nothing changed\n" {
		t.Errorf("reload: got %q", out)
	}
	if list := f.vzip("list", "--cache", cache, f.layout(f.bad), "a.zip"); bytes.Contains(list, []byte("--------")) {
		t.Errorf("not all is remembered: %s", list)
	}
	figure.Print(t, "ready before hashed: an archive read whole after %v while another one's sources hang", round(took))
}

// A source that hangs while it is hashed: its readers get EIO in time, and its bytes
// when it answers again. A slow one that goes on answering is waited for.
func TestReadyHung(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, map[string]int{"hung/file": 9 << 20, "slow/file": 24 << 20, "good/file": 4 << 20})
	hung, slow, good := f.oracle("hung.zip"), f.oracle("slow.zip"), f.oracle("good.zip")
	f.gate("hung/*")
	f.add(faultfs.Rule{Path: "slow/*", Ops: []faultfs.Op{faultfs.Read}, Delay: 250 * time.Millisecond})
	d := f.mount(f.layout(f.bad, "slow"), "--ready", "scan", "--source-timeout", sourceTimeout.String(), "--jobs", "2")
	begin := time.Now()
	err := d.check("hung.zip", hung, 0, block)
	took := time.Since(begin)
	wantErrno(t, "a hung source", err, unix.EIO)
	if took < sourceTimeout-100*time.Millisecond || took > sourceTimeout+slack {
		t.Errorf("it took %v, want %v and a bit", took, sourceTimeout)
	}
	d.wantAll("slow.zip", slow) // from another file system
	f.clear()
	d.wantSoon("hung.zip", hung, 1<<20, block, slack)
	d.wantAll("hung.zip", hung)
	d.wantSoon("good.zip", good, 1<<20, block, slack)
	d.wantAll("good.zip", good)

	f.add(faultfs.Rule{Path: "slow/*", Ops: []faultfs.Op{faultfs.Read}, Delay: 250 * time.Millisecond})
	d = f.mount(f.layout(f.bad), "--ready", "scan", "--source-timeout", "1s", "--jobs", "1")
	begin = time.Now()
	if err := d.check("slow.zip", slow, 0, block); err != nil {
		t.Errorf("a slow source: %v: %s", err, d.text())
	}
	if took := time.Since(begin); took < 1500*time.Millisecond {
		t.Errorf("it was not slow: %v", took)
	}
}

// A source that is changed or taken away before it is hashed: ESTALE for its entry, at
// once for whoever waits, and for all who open the archive; one message; the others'
// bytes. A reload shows the new state.
func TestReadyChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(path string) error{
		"written": func(path string) error { return os.WriteFile(path, randomBytes("other", 3*block), 0o644) },
		"cut":     func(path string) error { return os.Truncate(path, 100) },
		"gone":    os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t, map[string]int{"a/one": 3*block + 5, "a/two": 3 * block, "a/zwei": 4*block + 7})
			a := f.oracle("a.zip")
			two := f.dataAt("a.zip", "two")
			f.gate("a/two")
			d := f.mount(f.layout(f.bad), "--ready", "scan")
			d.hold("a.zip")
			if err := d.check("a.zip", a, 0, block); err != nil {
				t.Fatalf("another entry: %v: %s", err, d.text())
			}
			got := make(chan error, 1)
			go func() { _, err := d.pread("a.zip", two+block, block); got <- err }()
			time.Sleep(100 * time.Millisecond)
			must(t, change(f.plain+"/a/two"))
			f.clear()
			wantErrno(t, "who waits", <-got, unix.ESTALE)
			err := d.check("a.zip", a, two, block)
			wantErrno(t, "who comes later", err, unix.ESTALE)
			if err := d.check("a.zip", a, int64(len(a))-3*block, block); err != nil {
				t.Errorf("another entry: %v", err)
			}
			for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
				fd, err := unix.Open(d.mnt+"/a.zip", unix.O_RDONLY|unix.O_CLOEXEC, 0)
				if err == unix.ESTALE {
					break
				}
				unix.Close(fd)
				if time.Now().After(end) {
					t.Fatalf("the archive can be opened: error %v", err)
				}
			}
			d.wantLines(1, "a.zip", `"two"`, f.bad+"/a/two", "changed since it was scanned")
			d.letGo()
			out, err := exec.Command("vzip", "reload", d.mnt).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "a.zip changed") {
				t.Fatalf("reload: %v: %s", err, out)
			}
			d.wantAll("a.zip", f.oracle("a.zip"))
		})
	}
}

// A source that can't be read when it is hashed: EIO for its entry, one message, and its
// bytes when it can be read again.
func TestReadyUnreadable(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, faultFiles)
	a, b, two := f.oracle("a.zip"), f.oracle("b.zip"), f.dataAt("a.zip", "two")
	f.add(faultfs.Rule{Path: "a/two", Ops: []faultfs.Op{faultfs.Read}, Errno: unix.EIO})
	d := f.mount(f.layout(f.bad), "--ready", "scan")
	for range 3 {
		wantErrno(t, "read", d.check("a.zip", a, two+block, block), unix.EIO)
	}
	if err := d.check("a.zip", a, 0, block); err != nil {
		t.Errorf("another entry: %v", err)
	}
	d.wantAll("b.zip", b)
	// The directory has its CRC-32, too.
	wantErrno(t, "the directory", d.check("a.zip", a, int64(len(a))-block/2, block/2), unix.EIO)
	d.wantLines(1, "a.zip", `"two"`, f.bad+"/a/two", "input/output error")
	f.clear()
	d.wantSoon("a.zip", a, two+block, block, slack)
	d.wantAll("a.zip", a)
}

// Signals end it at once, with all that is known remembered, also where a source hangs.
func TestReadyEnds(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, readyFiles)
	b := f.oracle("b.zip")
	f.gate("a/*")
	cache, layout := f.dir+"/cache", f.layout(f.bad)
	d := f.mount(layout, "--ready", "scan", "--cache", cache)
	d.wantAll("b.zip", b)
	begin := time.Now()
	must(t, d.cmd.Process.Signal(syscall.SIGTERM))
	if !d.ended(slack) || d.err != nil {
		t.Errorf("it does not end well: %v: %s", d.err, d.text())
	}
	took := time.Since(begin)
	f.clear()
	if list := string(f.vzip("list", "--cache", cache, layout, "b.zip")); strings.Contains(list, "--------") {
		t.Errorf("what was hashed is not remembered: %s", list)
	}
	figure.Print(t, "SIGTERM while hashing: ended after %v", round(took))
}

// A reload while files are being hashed hashes all, and shows the new state; who has an
// archive open reads on in the old one, with files hashed for it.
func TestReadyReload(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, map[string]int{"a/one": 3*block + 5, "a/two": 5 * block, "b/file": 4 * block})
	a, b := f.oracle("a.zip"), f.oracle("b.zip")
	id := f.gate("a/two")
	d := f.mount(f.layout(f.bad), "--ready", "scan")
	d.hold("a.zip")
	before := inode(t, d.mnt+"/a.zip")
	f.write("b/file", randomBytes("other", 4*block))
	done := make(chan string, 1)
	go func() {
		out, err := exec.Command("vzip", "reload", d.mnt).CombinedOutput()
		done <- fmt.Sprint(string(out), err)
	}()
	select {
	case out := <-done:
		t.Errorf("the reload did not wait for what it has to read: %s", out)
	case <-time.After(500 * time.Millisecond):
	}
	if err := d.check("a.zip", a, 0, block); err != nil {
		t.Errorf("an entry that can be read, while a reload is under way: %v", err)
	}
	must(t, f.fs.Remove(id))
	if out := <-done; !strings.Contains(out, "b.zip changed") || strings.Contains(out, "a.zip") {
		t.Errorf("reload: %s", out)
	}
	d.wantAll("a.zip", a) // of the old generation
	d.letGo()
	d.wantAll("a.zip", a)
	if now := inode(t, d.mnt+"/a.zip"); now != before {
		t.Errorf("a.zip has not changed; its inode number was %d, is %d", before, now)
	}
	if now := f.oracle("b.zip"); bytes.Equal(now, b) {
		t.Error("b.zip is what it was")
	} else {
		d.wantAll("b.zip", now)
	}
}

// A reader that is killed while it waits for hashing is gone at once.
func TestReadyKilled(t *testing.T) {
	t.Parallel()
	require.Needs(t, "cat")
	f := newFaulty(t, readyFiles)
	f.gate("a/*")
	d := f.mount(f.layout(f.bad), "--ready", "scan")
	cat := exec.Command("cat", d.mnt+"/a.zip")
	must(t, cat.Start())
	time.Sleep(300 * time.Millisecond)
	begin := time.Now()
	must(t, cat.Process.Kill())
	_ = cat.Wait()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it was gone after %v", took)
	}
}

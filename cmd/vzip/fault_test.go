package main

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/faultfs"
	"vzip/internal/figure"
)

// faultFiles are the sources of an archive that gets the faults, and of another.
var faultFiles = map[string]int{"a/one": 3*block + 5, "a/two": 8*block + 100, "a/zwei": 3 * block, "b/file": 4 * block}

// mountFaulty mounts a.zip and b.zip and opens them; it returns their bytes, and
// where a/two is.
func mountFaulty(t *testing.T, flags ...string) (f *faulty, d *served, a, b []byte, two int64) {
	t.Helper()
	f = newFaulty(t, faultFiles)
	a, b, two = f.oracle("a.zip"), f.oracle("b.zip"), f.dataAt("a.zip", "two")
	d = f.mount(f.layout(f.bad), flags...)
	d.hold("a.zip")
	d.hold("b.zip")
	return f, d, a, b, two
}

// wantOthers fails unless all can be read but for a/two.
func (d *served) wantOthers(a, b []byte, two int64) {
	d.t.Helper()
	d.wantAll("b.zip", b)
	end := two + int64(faultFiles["a/two"])
	for off := range int64(len(a)) {
		if off%block != 0 || off+block > two && off < end {
			continue
		}
		if err := d.check("a.zip", a, off, block); err != nil {
			d.t.Errorf("a read of another entry, at %d: %v", off, err)
		}
	}
}

// A source that fails at its Nth read: its readers get EIO, those of other entries
// their bytes; and when it works again, so do reads.
func TestFaultEIO(t *testing.T) {
	t.Parallel()
	for _, op := range []faultfs.Op{faultfs.Read, faultfs.Open} {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			f, d, a, b, two := mountFaulty(t)
			skip := 0
			if op == faultfs.Read {
				skip = 4
			}
			id := f.add(faultfs.Rule{Path: "a/two", Ops: []faultfs.Op{op}, Errno: unix.EIO, Skip: skip})
			right, failed := 0, 0
			for n := range int64(8) {
				err := d.check("a.zip", a, two+n*block, block)
				switch {
				case err == nil && failed == 0:
					right++
				case err == nil && f.state().Hits[id] > 0:
					t.Errorf("block %d can be read after one that can't", n)
				case err != nil:
					failed++
					wantErrno(t, fmt.Sprintf("block %d", n), err, unix.EIO)
				}
			}
			if op == faultfs.Read && (right == 0 || failed == 0) {
				t.Errorf("%d blocks could be read and %d not, want some of both", right, failed)
			}
			if failed > 0 {
				d.wantLines(1, "a.zip", `"two"`, f.bad+"/a/two")
				if op == faultfs.Read {
					d.wantLines(1, "a/two", "offset")
				}
			}
			d.wantOthers(a, b, two)
			f.clear()
			d.wantSoon("a.zip", a, two+7*block, block, slack)
			d.wantAll("a.zip", a)
		})
	}
}

// What the source says to read and to open, and what readers get.
func TestFaultErrnos(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		op    faultfs.Op
		errno unix.Errno
		times int // 0 for always
		want  []unix.Errno
	}{
		{faultfs.Read, unix.EIO, 0, []unix.Errno{unix.EIO}},
		{faultfs.Read, unix.EINTR, 3, nil},
		{faultfs.Read, unix.EINTR, 0, []unix.Errno{unix.EIO}},
		{faultfs.Read, unix.EACCES, 0, []unix.Errno{unix.EIO}},
		{faultfs.Read, unix.ENXIO, 0, []unix.Errno{unix.EIO}},
		{faultfs.Read, unix.ESTALE, 0, []unix.Errno{unix.ESTALE}},
		{faultfs.Open, unix.EIO, 0, []unix.Errno{unix.EIO}},
		{faultfs.Open, unix.EINTR, 3, nil},
		{faultfs.Open, unix.EINTR, 0, []unix.Errno{unix.EIO}},
		{faultfs.Open, unix.EACCES, 0, []unix.Errno{unix.EIO}},
		{faultfs.Open, unix.ESTALE, 0, []unix.Errno{unix.ESTALE}},
		{faultfs.Open, unix.ENOENT, 0, []unix.Errno{unix.ESTALE}},
		{faultfs.Getattr, unix.EIO, 0, []unix.Errno{unix.EIO}},
	} {
		name := fmt.Sprintf("%s %v", tt.op, tt.errno)
		if tt.times > 0 {
			name += fmt.Sprintf(" %d times", tt.times)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, d, a, b, two := mountFaulty(t, "--source-timeout", sourceTimeout.String())
			id := f.add(faultfs.Rule{Path: "a/two", Ops: []faultfs.Op{tt.op}, Errno: tt.errno, Times: tt.times})
			begin := time.Now()
			err := d.check("a.zip", a, two+block, block)
			if took := time.Since(begin); took > sourceTimeout+slack {
				t.Errorf("the read took %v, want %v at most", took, sourceTimeout+slack)
			}
			hits := f.state().Hits[id]
			switch {
			case err != nil && len(tt.want) > 0:
				wantErrno(t, "read", err, tt.want...)
			case err != nil:
				t.Errorf("got error %v, want none: %s", err, d.text())
			case len(tt.want) > 0 && hits > 0 && tt.op == faultfs.Read:
				t.Error("the source could not be read, and the read gave bytes")
			}
			d.wantOthers(a, b, two)
			f.clear()
			if tt.errno == unix.ENOENT {
				d.letGo() // it counts as changed: those who open the archive again have it looked at
			}
			took := d.wantSoon("a.zip", a, two+block, block, patience)
			d.wantAll("a.zip", a)
			d.letGo()
			d.wantSoon("a.zip", a, two+block, block, patience)
			figure.Print(t, "source's %s gives %v: %d requests, read gives %v, right again %v after the fault", tt.op, tt.errno, hits, err, round(took))
		})
	}
}

// Reads of the source that give less than was asked for, in mid-file.
func TestFaultShort(t *testing.T) {
	t.Parallel()
	for _, short := range []int{0, 1000} {
		t.Run(fmt.Sprint(short), func(t *testing.T) {
			t.Parallel()
			f, d, a, b, two := mountFaulty(t)
			at := int64(4*block + 777)
			rule := faultfs.Rule{Path: "a/two", Short: faultfs.Max(short), Offset: at, Length: 1}
			if short > 0 {
				rule = faultfs.Rule{Path: "a/*", Short: faultfs.Max(short)}
			}
			f.add(rule)
			fd, err := unix.Open(d.mnt+"/a.zip", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			must(t, err)
			defer unix.Close(fd)
			for n := range int64(8) {
				// Through the kernel's memory pages before the fault may come alone.
				want := a[two+n*block:][:block]
				if got, err := preadFull(fd, two+n*block, block); err == io.EOF || !bytes.HasPrefix(want, got) {
					t.Errorf("block %d through the kernel's memory: %d bytes, right: %v, error %v", n, len(got), bytes.HasPrefix(want, got), err)
				}
				err := d.check("a.zip", a, two+n*block, block)
				switch {
				case err == nil && short == 0 && n == 4:
					t.Error("the block that ends early can be read")
				case err != nil && short == 0 && n == 4:
					wantErrno(t, "read of the block that ends early", err, unix.EIO, unix.ESTALE)
				case err != nil:
					t.Errorf("block %d: %v", n, err)
				}
			}
			if st, err := os.Stat(d.mnt + "/a.zip"); err != nil || st.Size() != int64(len(a)) {
				t.Errorf("the archive's size is %v with error %v, want %d", st, err, len(a))
			}
			d.wantOthers(a, b, two)
			f.clear()
			d.wantSoon("a.zip", a, two+4*block, block, patience)
			d.wantAll("a.zip", a)
		})
	}
}

// Short reads while CRC-32s are worked out.
func TestFaultShortHash(t *testing.T) {
	t.Parallel()
	f := newFaulty(t, faultFiles)
	a := f.oracle("a.zip")
	f.add(faultfs.Rule{Path: "a/two", Short: faultfs.Max(1000)})
	f.mount(f.layout(f.bad)).wantAll("a.zip", a)

	f.clear()
	f.add(faultfs.Rule{Path: "a/two", Short: faultfs.Max(0), Offset: 5 * block, Length: 1})
	d := f.run(f.layout(f.bad))
	if !d.ended(patience) {
		t.Fatal("it mounts a source that ends early, or goes on")
	}
	if code := d.cmd.ProcessState.ExitCode(); code != exitSource || len(d.lines(f.bad+"/a/two")) == 0 {
		t.Errorf("got exit code %d, want %d and the source's name: %s", code, exitSource, d.text())
	}
}

// Bytes that rot while the file's attributes stay are not given to readers; those
// of other blocks are.
func TestFaultRot(t *testing.T) {
	t.Parallel()
	f, d, a, b, two := mountFaulty(t)
	data := randomBytes("a/two", faultFiles["a/two"])
	rotten := []int64{3, 8} // the last one is short
	for _, n := range rotten {
		f.add(faultfs.Rule{Path: "a/two", Flip: true, Offset: n*block + 50, Length: 1})
	}
	for try := range 2 {
		for n := range int64(9) {
			size := min(block, len(data)-int(n*block))
			err := d.check("a.zip", a, two+n*block, size)
			if n == rotten[0] || n == rotten[1] {
				wantErrno(t, fmt.Sprintf("try %d: rotten block %d", try, n), err, unix.EIO)
				continue
			}
			if err != nil {
				t.Errorf("try %d: sound block %d: %v", try, n, err)
			}
		}
	}
	// The error's unit is the block: right before and behind it all is well.
	for _, off := range []int64{3*block - 4096, 4 * block} {
		if err := d.check("a.zip", a, two+off, 4096); err != nil {
			t.Errorf("4096 bytes at %d of the source: %v", off, err)
		}
	}
	wantErrno(t, "a read over the edge of a rotten block", d.check("a.zip", a, two+3*block-1, 2), unix.EIO)
	wantErrno(t, "a sound byte of a rotten block", d.check("a.zip", a, two+3*block+4096, 1), unix.EIO)
	want := data[3*block : 4*block]
	expected := crc32.ChecksumIEEE(want)
	want[50] ^= 0x20
	d.wantLines(1, "a.zip", `"two"`, f.bad+"/a/two", fmt.Sprint(3*block), fmt.Sprintf("%08x", expected), fmt.Sprintf("%08x", crc32.ChecksumIEEE(want)))
	d.wantOthers(a, b, two)
	f.clear()
	d.wantSoon("a.zip", a, two+3*block, block, patience)
	d.wantAll("a.zip", a)
}

// Through the kernel's memory a rotten block costs no sound one either.
func TestFaultRotBuffered(t *testing.T) {
	t.Parallel()
	f, d, a, _, two := mountFaulty(t)
	f.add(faultfs.Rule{Path: "a/two", Flip: true, Offset: 3*block + 50, Length: 1})
	file, err := os.Open(d.mnt + "/a.zip")
	must(t, err)
	defer file.Close()
	right, failed := 0, 0
	for off := int64(0); off < int64(len(a)); off += 4096 {
		want := a[off:min(off+4096, int64(len(a)))]
		got, err := preadOnce(int(file.Fd()), off, len(want))
		near := off+4096 > two+3*block-4096 && off < two+4*block+4096
		switch {
		case err == nil && string(got) == string(want):
			right++
		case err == nil:
			t.Fatalf("%d bytes at %d are wrong", len(got), off)
		case !near:
			t.Errorf("a page at %d, far from the rotten block: %v", off, err)
		default:
			failed++
			wantErrno(t, "rotten page", err, unix.EIO)
		}
	}
	if failed < block/4096-1 {
		t.Errorf("%d pages failed, want those of a block", failed)
	}
	figure.Print(t, "one rotten byte: %d pages of 4096 bytes could not be read, %d could", failed, right)
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vzip/internal/require"
	"vzip/internal/rig"
)

// A tiny run writes and compares every archive on each file system, counts the blocks,
// says what it leaves out, and lets go of its loop devices.
func TestWrite(t *testing.T) {
	require.Needs(t, "mkfs.xfs", "mkfs.btrfs", "mkfs.ext4", "losetup", "7z", "zip", "bsdtar")
	o := tiny(t, "write")
	places := writePlaces
	defer func() { writePlaces = places }()
	writePlaces = append(places[:len(places):len(places)], places[0])
	writePlaces[len(places)].kind = rig.Kind{Name: "none", Type: "none", Mkfs: []string{"vzip-no-such-mkfs"}}

	var text, progress strings.Builder
	if err := run(t.Context(), o, &text, &progress); err != nil {
		t.Fatalf("%v\n%s\n%s", err, &text, &progress)
	}
	if !strings.Contains(text.String(), "Left out: none: vzip-no-such-mkfs") {
		t.Errorf("nothing says what is left out:\n%s", &text)
	}
	f := &figures{}
	if err := f.load(o.figures); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		place string
		set   string
		least float64 // new blocks to data
		most  float64
		rows  []string
	}{
		{"XFS", "large", 0, 0.1, []string{vzipWrite, vzipWriteNew}},
		{"XFS", "large", 0.99, 1.2, []string{sevenZip, "zip -0 -r", "bsdtar --format zip, stored", vzipCopy}},
		{"XFS", "small", 0, 0.2, []string{vzipWrite, vzipWriteNew}},
		{"XFS", "sparse", 0, 0.2, []string{vzipWrite, vzipWriteNew}},
		{"btrfs", "large", 0, 0.1, []string{vzipWrite, vzipWriteNew}},
		{"btrfs", "large", 0.99, 1.5, []string{sevenZip}},
		{"ext4", "large", 0.99, 1.2, []string{vzipWrite, vzipWriteNew, sevenZip}},
	} {
		for _, name := range c.rows {
			if !strings.Contains(text.String(), "| "+c.place+": "+name+" | ") {
				t.Errorf("no table has %q on %s:\n%s", name, c.place, &text)
			}
			get := func(metric string) float64 { return f.get("write", c.place+", "+c.set, name, metric) }
			if !(get("time") > 0 && get("cpu") > 0) {
				t.Errorf("%s, %s, %s: %v s by the clock, %v s of CPU", c.place, c.set, name, get("time"), get("cpu"))
			}
			if got := get("new blocks to data"); !(got >= c.least && got <= c.most) {
				t.Errorf("%s, %s, %s: new blocks: got %v of the data, want %v to %v", c.place, c.set, name, got, c.least, c.most)
			}
		}
	}
	text.Reset()
	_ = run(t.Context(), options{from: o.figures, check: true}, &text, &progress) // at this size not all need hold
	if !strings.Contains(text.String(), "of 3 aims hold") {
		t.Errorf("not three aims:\n%s", &text)
	}
	var left string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if left = loopDevices(t, o.dir); left == "" { // the kernel lets go a little later
			return
		}
	}
	t.Errorf("loop devices are left: %s", left)
}

// loopDevices are the images below a folder that loop devices have.
func loopDevices(t *testing.T, dir string) (images string) {
	t.Helper()
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if image, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(image), dir) {
			images += string(image)
		}
	}
	return images
}

// Bytes are compared wherever one of two files has data, and holes are zeros.
func TestSame(t *testing.T) {
	t.Parallel()
	const n = 3*mib + 5
	file := func(name string, at ...int64) *os.File {
		f, err := os.Create(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if err := f.Truncate(n); err != nil {
			t.Fatal(err)
		}
		for _, off := range at {
			if _, err := f.WriteAt([]byte{7}, off); err != nil {
				t.Fatal(err)
			}
		}
		return f
	}
	buffers := [2][]byte{make([]byte, mib), make([]byte, mib)}
	x := file("x", 2*mib)
	zeros := make([]byte, mib)
	y := file("y", 2*mib)
	if _, err := y.WriteAt(zeros, 0); err != nil { // data, which equals a hole
		t.Fatal(err)
	}
	if err := same(x, 0, y, 0, n, buffers); err != nil {
		t.Error(err)
	}
	if err := same(x, mib, y, mib, n-mib, buffers); err != nil {
		t.Error(err)
	}
	for _, off := range []int64{0, mib - 1, mib, n - 1} {
		if err := same(x, 0, file("z", 2*mib, off), 0, n, buffers); err == nil {
			t.Errorf("byte %d, data in the second alone, is another, and nobody says so", off)
		}
		if err := same(file("z", 2*mib, off), 0, x, 0, n, buffers); err == nil {
			t.Errorf("byte %d, data in the first alone, is another, and nobody says so", off)
		}
	}
	if err := same(x, 0, y, 1, n-1, buffers); err == nil {
		t.Error("two ranges that differ are the same")
	}
}

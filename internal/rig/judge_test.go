package rig

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A judge that finds nothing wrong is worth what it finds where something is: a
// file that has one byte wrong, ends early or goes on is told from the oracle in
// every way of reading.
func TestJudge(t *testing.T) {
	t.Parallel()
	s := newSite(t, "", 3, Sizes)
	o := s.oracle()
	if !aged(o) {
		t.Error("the oracle's times are not those of the tree")
	}
	bad := bytes.Clone(o.Bytes)
	bad[len(bad)/2] ^= 0x10
	for _, test := range []struct {
		name, want string
		data       []byte
	}{
		{"right", "", o.Bytes},
		{"wrong", "wrong bytes", bad},
		{"short", "the size is", o.Bytes[:len(o.Bytes)-1]},
		{"long", "the size is", append(bytes.Clone(o.Bytes), 0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			must(t, os.WriteFile(path, test.data, 0o644))
			judge := &Judge{Oracle: o}
			for op := range Ops {
				r, err := Open(path)
				must(t, err)
				defer r.Close()
				if op.IsDirect() && unix.Fsync(r.fd) != nil {
					t.Fatal("fsync")
				}
				at := int64(len(bad)/2) &^ (pageLen - 1)
				got, _, err := r.Read(op, at, pageLen)
				_, err = judge.Read(op, at, pageLen, got, err)
				if (err != nil) != (test.name == "wrong") {
					t.Errorf("%s of the middle: %v", op, err)
				}
				at = o.Size() &^ (pageLen - 1)
				got, _, err = r.Read(op, at, pageLen)
				_, err = judge.Read(op, at, pageLen, got, err)
				wantEnd := test.name == "short" || test.name == "long" && op != Mmap
				if op == Mmap { // it goes by the file's size
					continue
				}
				if (err != nil) != wantEnd {
					t.Errorf("%s of the end: %v", op, err)
				}
			}
			var v *Violation
			err := (&Client{Path: path, Judge: func(uint64) *Judge { return judge }, Counts: new(Counts), Cached: 100}).Session(rand.New(rand.NewPCG(1, 1)), 2000)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (!errors.As(err, &v) || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func aged(o *Oracle) bool {
	for _, e := range o.Zip.Entries {
		if strings.HasPrefix(e.Name, "d0") && (e.ModTime == nil || *e.ModTime < fromDay.Unix()) {
			return false
		}
	}
	return true
}

// Errors are for those whose files changed.
func TestJudgeErrors(t *testing.T) {
	t.Parallel()
	s := newSite(t, "", 4, []int64{10_000, 100, 300_000})
	o := s.oracle()
	ledger := NewLedger(s.files)
	judge := &Judge{Oracle: o, Ledger: ledger, Prefix: inside + "/"}
	e := o.Zip.Entries[len(o.Zip.Entries)-1]
	for _, x := range o.Zip.Entries {
		if x.Size == 300_000 {
			e = x
		}
	}
	name := strings.TrimPrefix(e.Name, inside+"/")
	middle := e.DataAt + e.Size/2
	check := func(what string, off int64, n int, err error, want Verdict, wantOK bool) {
		t.Helper()
		v, got := judge.Read(Pread, off, n, nil, err)
		if (got == nil) != wantOK || got == nil && v != want {
			t.Errorf("%s: got %v, %v", what, v, got)
		}
	}
	check("nothing changed", middle, 10, unix.ESTALE, 0, false)
	ledger.note(name, brushed)
	check("only touched", middle, 10, unix.ESTALE, 0, false)
	judge.Lenient = true
	check("touched, by stat", middle, 10, unix.ESTALE, Stale, true)
	judge.Lenient = false
	ledger.note(name, changed)
	check("changed", middle, 10, unix.ESTALE, Stale, true)
	check("changed", middle, 10, fmt.Errorf("%w", unix.EIO), Failed, true)
	check("changed, mapped", middle, 10, ErrBus, Failed, true)
	check("odd error", middle, 10, unix.EPERM, 0, false)
	check("short", middle, 10, nil, 0, false)
	check("beside it", o.Zip.DirectoryAt+2*pageLen, 10, unix.ESTALE, 0, false)
	check("its header's page", e.DataAt-1, 1, unix.ESTALE, Stale, true)
	check("past the end", o.Size()+5, 10, nil, Right, true)
}

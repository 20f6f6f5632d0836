package rig

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"vzip/internal/strictzip"
)

// Judge says whether what a reader got may stand.
type Judge struct {
	Oracle *Oracle
	// Ledger tells which files an error may be blamed on; nil: none.
	Ledger *Ledger
	// Prefix is what an entry's name has before the ledger's name.
	Prefix string
	// Lenient lets files fail whose bytes have stayed: by stat alone they are others.
	Lenient bool
	// Any error number is right, as when vzip was killed.
	AnyError bool
}

// Violation is a broken promise.
type Violation struct {
	Op   Op
	Off  int64
	Len  int
	Text string
}

func (v *Violation) Error() string {
	return fmt.Sprintf("VIOLATION: %s of %d bytes at %d: %s", v.Op, v.Len, v.Off, v.Text)
}

// Verdict is what a read was.
type Verdict int

// Verdicts on what may stand.
const (
	Right  Verdict = iota
	Stale          // ESTALE
	Failed         // EIO, or SIGBUS
	verdicts
)

// Read judges a read of n bytes at off that gave got and err: n bytes, or all up to
// the end, have to be the oracle's; an error is for those whose files changed, and
// what came before it has to be right, too. The error is a *Violation.
func (j *Judge) Read(op Op, off int64, n int, got []byte, err error) (Verdict, error) {
	bad := func(format string, args ...any) error {
		return &Violation{op, off, n, fmt.Sprintf(format, args...)}
	}
	want := j.Oracle.Bytes[min(off, j.Oracle.Size()):min(off+int64(n), j.Oracle.Size())]
	if len(got) > len(want) {
		return 0, bad("%d bytes came, %d past the end", len(got), len(got)-len(want))
	}
	if !bytes.Equal(got, want[:len(got)]) {
		return 0, bad("wrong bytes: %s", j.difference(off, got, want))
	}
	if err == nil {
		if len(got) < len(want) {
			return 0, bad("SHORT: it ends after %d bytes, %d are due; %s", len(got), len(want), j.Oracle.Where(off+int64(len(got))))
		}
		return Right, nil
	}
	verdict, ok := verdictOf(err)
	if !ok && !j.AnyError {
		return 0, bad("unexpected error %v", err)
	}
	if j.AnyError || j.blames(off+int64(len(got)), off+int64(len(want))) {
		return verdict, nil
	}
	return 0, bad("error %v, though nothing that is there was changed: %s", err, j.Oracle.Where(off+int64(len(got))))
}

// Open judges the error of an open(2): an archive known to be stale may refuse.
func (j *Judge) Open(err error) (Verdict, error) {
	switch {
	case err == nil:
		return Right, nil
	case j.AnyError:
		return Failed, nil
	case errors.Is(err, unix.ESTALE) && j.Ledger != nil && (j.Ledger.Any() || j.Lenient && j.Ledger.AnyBrushed()):
		return Stale, nil
	}
	return 0, &Violation{Text: fmt.Sprintf("open: %v", err)}
}

func verdictOf(err error) (v Verdict, ok bool) {
	switch {
	case errors.Is(err, unix.ESTALE):
		return Stale, true
	case errors.Is(err, unix.EIO), errors.Is(err, ErrBus):
		return Failed, true
	}
	return Failed, false
}

// blames says whether a file that was changed has bytes in a range of offsets, in
// whole pages: the kernel can't have less of them.
func (j *Judge) blames(from, to int64) (found bool) {
	if j.Ledger == nil {
		return false
	}
	from, to = from&^(pageLen-1), (to+pageLen-1)&^(pageLen-1)
	j.Oracle.Overlapping(from, to, func(e *strictzip.Entry) bool {
		name := strings.TrimPrefix(e.Name, j.Prefix)
		found = j.Ledger.Changed(name) || j.Lenient && j.Ledger.Brushed(name)
		return !found
	})
	return found
}

func (j *Judge) difference(off int64, got, want []byte) string {
	first, count := -1, 0
	for i := range got {
		if got[i] != want[i] {
			if count++; first < 0 {
				first = i
			}
		}
	}
	end := min(first+16, len(got))
	return fmt.Sprintf("%d of %d differ, the first at %d (%s): got % x, want % x",
		count, len(got), off+int64(first), j.Oracle.Where(off+int64(first)), got[first:end], want[first:end])
}

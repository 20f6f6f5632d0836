package output

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"vzip/internal/generation"
	"vzip/internal/oneline"
	"vzip/internal/source"
	"vzip/zipgen"
)

// part is a range of the archive's bytes, and the entry whose data it is, or -1.
type part struct {
	entry  int
	off, n int64
}

// parts yields all of the archive, in order: parts of one file that is worth opening, of
// whole blocks where they may be cloned, and at most stepLen bytes of what is between those.
func (w *writer) parts(yield func(part) bool) {
	at := int64(0) // how far it is yielded
	between := func(end int64) bool {
		for at < end {
			n := min(stepLen, end-at)
			if !yield(part{-1, at, n}) {
				return false
			}
			at += n
		}
		return true
	}
	for x := range w.a.Extents(0, w.a.Size()) {
		n := w.direct(x)
		if n == 0 {
			continue
		}
		if !between(x.Offset) {
			return
		}
		for end := x.Offset + n; at < end; {
			n := min(partLen, end-at)
			if !yield(part{x.Entry, at, n}) {
				return
			}
			at += n
		}
	}
	between(w.a.Size())
}

// direct returns how many bytes of an extent, from its start, are not read by way of the
// archive, if that can be helped.
func (w *writer) direct(x zipgen.Extent) int64 {
	switch {
	case !w.isSource(x):
		return 0
	case w.cloneable(x):
		return x.Len - x.Len%w.t.block // the rest goes with the next header
	case x.Len >= wholeLen:
		return x.Len
	}
	return 0
}

// isSource tells whether an extent's bytes are those of a file.
func (w *writer) isSource(x zipgen.Extent) bool {
	if x.Kind != zipgen.Data || !w.a.IsFile(x.Entry) {
		return false
	}
	_, isDeflated := w.a.EntryCompressedSize(x.Entry)
	return !isDeflated
}

// cloneable tells whether an extent's blocks may be cloned, as far as their places go.
func (w *writer) cloneable(x zipgen.Extent) bool {
	least := int64(cloneLen)
	if w.Reflink == Always {
		least = w.t.block
	}
	return w.Reflink != Never && x.Len >= max(least, w.t.block) && x.Offset%w.t.block == 0
}

// prepare finds out which file systems share blocks with the target, and whether there is
// room for what has to be copied.
func (w *writer) prepare() error {
	w.devices = map[uint64]*device{}
	free := w.t.free()
	need := int64(0)
	copied := func(n int64) error {
		if need += n; need > free {
			return fmt.Errorf("%s: needs more than %d bytes, and its file system has %d left: make room, or name another FILE", w.t.name, need, free)
		}
		return nil
	}
	if err := w.t.resize(w.a.Size()); err != nil {
		return err
	}
	for p := range w.parts {
		if p.entry < 0 {
			if err := copied(p.n); err != nil {
				return err
			}
			continue
		}
		x := w.extent(p.entry)
		cannot, err := w.cannotClone(x)
		switch {
		case err != nil:
			return err
		case cannot == nil:
			continue
		case w.Reflink == Always && x.Len >= w.t.block:
			return w.notCloned(x, cannot)
		}
		if err := copied(p.n - w.a.Plan.Holes(p.off, p.n)); err != nil {
			return err
		}
	}
	return nil
}

// cannotClone tells why the blocks of an extent can't be cloned; nil if they can, as far as
// is known. On each file system files are tried until it is known of all of them. The error
// is the target's, or with --reflink=always the source's.
func (w *writer) cannotClone(x zipgen.Extent) (cannot, err error) {
	dev := w.a.Device(x.Entry)
	d := w.devices[dev] // kernelCopy wants it in any case
	if d == nil {
		d = &device{clones: errNotTried}
		d.copies.Store(w.Reflink != Never) // the kernel's copy may be a clone
		w.devices[dev] = d
	}
	switch {
	case !w.cloneable(x):
		return errNotTried, nil
	case d.clones != errNotTried:
		return d.clones, nil
	}
	f, err := w.a.OpenSource(x.Entry)
	if err != nil {
		if w.Reflink == Always {
			return nil, &generation.SourceError{Err: err}
		}
		return err, nil // who copies it says so
	}
	defer f.Close()
	if !w.trusts(f) {
		d.clones = errNotTrusted
		return d.clones, nil
	}
	switch err := f.CloneRange(w.t.fd(), 0, w.t.block, x.Offset); {
	case w.t.failed(err):
		return nil, w.t.error(err)
	case err == nil, isAny(err, unix.EXDEV, unix.EOPNOTSUPP, unix.ENOTTY, unix.ENOSYS):
		d.clones = err
		return err, nil
	default: // this file can't be; another may
		return err, nil
	}
}

func isAny(err error, list ...error) bool {
	return slices.ContainsFunc(list, func(e error) bool { return errors.Is(err, e) })
}

// trusts tells whether bytes that nobody looked at may go into the file: because the
// source's stamps tell of each change, or because they are read back.
func (w *writer) trusts(f *source.File) bool { return w.ReadBack || f.Kind() == source.Local }

var errNotTrusted = errors.New("its file system may not tell of every change: use --verify=crc, which reads the file back, or --reflink=auto")

var errNotTried = errors.New("no file has data at a place where it could be cloned")

// notCloned is the error of --reflink=always.
func (w *writer) notCloned(x zipgen.Extent, err error) error {
	name := oneline.Quoted(w.a.EntryName(x.Entry))
	switch {
	case !w.cloneable(x):
		return fmt.Errorf("%s: entry %s can't be cloned: its data starts at byte %d, which is no multiple of the block size %d: set align: auto in the layout, or use --reflink=auto", w.t.name, name, x.Offset, w.t.block)
	case err == errNotTrusted:
		return fmt.Errorf("%s: entry %s can't be cloned: %w", w.t.name, name, err)
	case errors.Is(err, unix.EXDEV):
		return fmt.Errorf("%s: entry %s can't be cloned: its source is on another file system: name a FILE there, or use --reflink=auto", w.t.name, name)
	case isAny(err, unix.EOPNOTSUPP, unix.ENOTTY, unix.ENOSYS):
		return fmt.Errorf("%s: entry %s can't be cloned: its file system doesn't share blocks: use --reflink=auto", w.t.name, name)
	}
	return fmt.Errorf("%s: entry %s can't be cloned: %w: use --reflink=auto", w.t.name, name, err)
}

// Package output makes real files of archives, the quickest way that the file systems
// allow: what a file and its sources can share is cloned (ioctl_ficlonerange(2)), holes
// stay holes, and all else is copied, by the kernel or block by checked block.
//
// In scope: which bytes go which way, and that nothing but a whole archive ever has the
// file's name. Out of scope: what the bytes are.
package output

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"vzip/internal/generation"
	"vzip/internal/oneline"
	"vzip/internal/seeded"
	"vzip/internal/source"
	"vzip/zipgen"
)

// Reflink says which blocks are cloned.
type Reflink string

const (
	// Auto clones what can be cloned.
	Auto Reflink = "auto"
	// Always fails where a whole block of a file can't be cloned.
	Always Reflink = "always"
	// Never clones nothing.
	Never Reflink = "never"
)

// Options say how Write works.
type Options struct {
	Reflink Reflink
	// Workers is how many ranges are written at a time.
	Workers int
	// ReadBack has the file read, and each block compared with its CRC-32, before it gets
	// its name.
	ReadBack bool
	// Start is told the bytes to write before the first, and again those to read back;
	// Progress is told bytes as they are done. Both may be nil.
	Start    func(bytes int64)
	Progress func(bytes int64)
}

// Result counts bytes.
type Result struct{ Cloned, Copied, Holes int64 }

// Job makes one file of an archive.
type Job struct {
	writer
	path string
}

// New returns the job to make a file at path of an archive all of whose CRCs are known.
func New(a *generation.Archive, path string, o Options) *Job {
	j := &Job{writer: writer{Options: o, a: a, t: &target{dir: -1}}, path: path}
	if j.Start == nil {
		j.Start = func(int64) {}
	}
	if j.Progress == nil {
		j.Progress = func(int64) {}
	}
	return j
}

// Run does the job. Until all of the file is there and on the disk, path is left as it was,
// or missing.
func (j *Job) Run(ctx context.Context) (r Result, err error) {
	defer j.t.close()
	if err := j.t.create(j.path, mode(j.a)); err != nil {
		return r, err
	}
	if err := j.notSource(); err != nil {
		return r, err
	}
	if err := j.prepare(); err != nil {
		return r, err
	}
	j.Start(j.a.Size())
	if err := j.write(ctx); err != nil {
		return r, err
	}
	if j.ReadBack {
		j.Start(j.a.Size())
		if err := j.readBack(ctx); err != nil {
			return r, err
		}
	}
	if err := j.t.commit(ctx, j.a.Size()); err != nil {
		return r, err
	}
	return Result{j.cloned.Load(), j.copied.Load(), j.holes.Load()}, nil
}

// Abandon gives the file up, also where Run hangs: it will never get its name, and has no
// other. It returns false when the file is about to get its name, or has it: then what Run
// returns counts.
func (j *Job) Abandon() bool { return j.t.abandon() }

// notSource sees to it that no source of the archive is replaced.
func (j *Job) notSource() error {
	if j.t.was == nil {
		return nil
	}
	for i := range j.a.Len() {
		if dev, ino := j.a.File(i); j.a.IsFile(i) && ino == j.t.was.Ino && dev == j.t.was.Dev {
			return fmt.Errorf("%s: is the source of entry %s: name another FILE", j.t.name, oneline.Quoted(j.a.EntryName(i)))
		}
	}
	return nil
}

// mode is what cp would give a copy: a writable file that those may read who may read
// the archive.
func mode(a *generation.Archive) os.FileMode {
	access := a.Access()
	if access.HasGID && int(access.GID) != os.Getegid() {
		access.Mode &^= 0o040
	}
	return os.FileMode(access.Mode | 0o600)
}

const (
	// stepLen is how many bytes are read, checked and written at a time.
	stepLen = 1 << 20
	// partLen is how many bytes of a file are one worker's at a time. It is a multiple of
	// every block size.
	partLen = 256 << 20
	// wholeLen is the size of files from which on it is worth to open them here, to look
	// for holes and to let the kernel copy.
	wholeLen = 128 << 10
	// cloneLen is the size from which on cloning a file is worth its calls.
	cloneLen = 16 << 10
)

// writer writes one file.
type writer struct {
	Options
	a *generation.Archive
	t *target

	devices map[uint64]*device

	cloned, copied, holes atomic.Int64
}

// device is what is known of a file system that sources are on.
type device struct {
	clones error       // why blocks of it can't be cloned into the target; nil: they can
	copies atomic.Bool // the kernel copies from it
}

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
	case x.Kind != zipgen.Data || !w.a.IsFile(x.Entry):
		return 0
	case w.cloneable(x):
		return x.Len - x.Len%w.t.block // the rest goes with the next header
	case x.Len >= wholeLen:
		return x.Len
	}
	return 0
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
	d := w.devices[dev]
	if d == nil {
		d = &device{clones: errNotTried}
		d.copies.Store(w.Reflink != Never) // the kernel's copy may be a clone
		w.devices[dev] = d
	}
	if d.clones != errNotTried || !w.cloneable(x) {
		if !w.cloneable(x) {
			return errNotTried, nil
		}
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

// write fills the file.
func (w *writer) write(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	parts := make(chan part)
	for range max(1, w.Workers) {
		g.Go(func() (err error) {
			defer recoverAs(&err)
			for p := range parts {
				if err := w.writePart(ctx, p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() (err error) {
		defer recoverAs(&err)
		defer close(parts)
		for p := range w.parts {
			select {
			case parts <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return g.Wait()
}

// recoverAs makes an error of a panic.
func recoverAs(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("a defect in vzip: %v", v)
	}
}

// copy writes n bytes from off on, each block checked.
func (w *writer) copy(ctx context.Context, off, n int64) error {
	for end := off + n; off < end; {
		d, err := w.a.Read(ctx, off, int(min(end-off, stepLen)))
		if err != nil {
			return err
		}
		b := d.Bytes()
		err = w.t.writeAt(b, off)
		off += int64(len(b))
		d.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// writePart writes a part of the archive.
func (w *writer) writePart(ctx context.Context, p part) error {
	r, err := w.writeData(ctx, p)
	if err != nil {
		return err
	}
	if r == nil {
		if err := w.copy(ctx, p.off, p.n); err != nil {
			return err
		}
		r = &Result{Copied: p.n}
	}
	w.cloned.Add(r.Cloned)
	w.copied.Add(r.Copied)
	w.holes.Add(r.Holes)
	w.Progress(p.n)
	return nil
}

// writeData writes a part of a file's data without looking at it, as far as that can be
// done: that the source is what was hashed says that its bytes are right. It returns nil
// where the part is to be copied by way of the archive, which tells what is wrong.
func (w *writer) writeData(ctx context.Context, p part) (*Result, error) {
	if p.entry < 0 {
		return nil, nil
	}
	f, err := w.a.OpenSource(p.entry)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	d, x := w.devices[w.a.Device(p.entry)], w.extent(p.entry)
	_, sparse := slices.BinarySearch(w.a.Sparse(), uint32(p.entry))
	clone := w.cloneable(x) && (d.clones == nil || d.clones == errNotTried)
	r := new(Result)
	from, end := p.off-x.Offset, p.off-x.Offset+p.n
	for from < end {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, dataEnd := from, end
		if sparse {
			data, dataEnd = w.a.NextData(ctx, p.entry, from, end)
		}
		n := dataEnd - data
		r.Holes += data - from
		from = dataEnd
		if n == 0 {
			continue
		}
		if clone {
			err := w.clone(f, x, data, n)
			if err != nil && (w.Reflink == Always || w.t.failed(err)) {
				return nil, err
			}
			if clone = err == nil; clone {
				r.Cloned += n
				continue
			}
		}
		if err := w.kernelCopy(ctx, f, d, data, n, x.Offset+data); err == errNoKernelCopy {
			err = w.copy(ctx, x.Offset+data, n)
			if err != nil {
				return nil, err
			}
		} else if err != nil {
			return nil, err
		}
		r.Copied += n
	}
	if !w.a.Unchanged(p.entry, f) && !seeded.On("write-unchecked") {
		return nil, nil
	}
	return r, nil
}

// clone clones n bytes of a file's data from from on, which are whole blocks but perhaps at
// their start and end.
func (w *writer) clone(f *source.File, x zipgen.Extent, from, n int64) error {
	err := f.CloneRange(w.t.fd(), from, n, x.Offset+from)
	switch {
	case w.t.failed(err):
		return w.t.error(err)
	case err != nil && w.Reflink == Always:
		return w.notCloned(x, err)
	}
	return err
}

// extent is the extent of a file's data.
func (w *writer) extent(entry int) zipgen.Extent {
	return zipgen.Extent{Kind: zipgen.Data, Entry: entry, Offset: w.a.DataOffset(entry), Len: w.a.EntrySize(entry)}
}

// Package output makes real files of archives, the quickest way that the file systems
// allow: what a file and its sources can share is cloned (ioctl_ficlonerange(2)), holes
// stay holes, and all else is copied, by the kernel or block by checked block.
//
// In scope: which bytes go which way, and that nothing but a whole archive ever has the
// file's name. Out of scope: what the bytes are.
package output

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"vzip/internal/generation"
	"vzip/internal/oneline"
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

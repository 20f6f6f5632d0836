package output

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"vzip/internal/source"
)

// errNoKernelCopy tells that the kernel is not asked to copy.
var errNoKernelCopy = errors.New("copying is not left to the kernel")

// kernelCopy has the kernel copy n bytes of a source (copy_file_range(2)), on file systems
// that are trusted.
func (w *writer) kernelCopy(ctx context.Context, f *source.File, d *device, from, n, to int64) error {
	if !d.copies.Load() || !w.trusts(f) {
		return errNoKernelCopy
	}
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		did, err := f.CopyRange(w.t.fd(), from, min(n, 16<<20), to)
		switch {
		case w.t.failed(err):
			return w.t.error(err)
		case isAny(err, unix.EXDEV, unix.EOPNOTSUPP, unix.ENOSYS, unix.EPERM):
			d.copies.Store(false) // between these two it never will
			return errNoKernelCopy
		case err != nil, did == 0:
			return errNoKernelCopy // who reads it says what is wrong
		}
		from, n, to = from+did, n-did, to+did
	}
	return nil
}

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
		case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL):
			d.copies.Store(false) // between these two it never will
			return errNoKernelCopy
		case err != nil:
			return err
		case did == 0:
			return errNoKernelCopy // it ends here, and who reads it says so
		}
		from, n, to = from+did, n-did, to+did
	}
	return nil
}

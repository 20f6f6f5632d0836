package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"sync"
	"time"

	"vzip/internal/generation"
)

// content is bytes of an archive as a resource: all of them, or a part such as an
// entry's data. It is an [io.ReadSeeker] for [http.ServeContent], which may go on using
// it in a goroutine of its own after it has returned.
type content struct {
	name  string    // of the file that a client makes of it
	kind  string    // Content-Type
	tag   string    // what an ETag has between its quotes; "": none is known
	time  time.Time // Last-Modified
	about string    // what messages call it

	handle generation.Handle
	first  int64 // of its bytes, in the archive
	size   int64

	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	off    int64 // what is read next
	err    error // of the source: no byte follows
	closed bool
}

// openFile opens what is shown of an archive. Tag, time, name and kind are the file's.
func openFile(ctx context.Context, f *generation.File) (*content, error) {
	handle, err := f.Open(true)
	if err != nil {
		return nil, err
	}
	return newContent(ctx, f, handle, 0, f.Size), nil
}

// newContent returns the size bytes of an open file from first on.
func newContent(ctx context.Context, f *generation.File, handle generation.Handle, first, size int64) *content {
	c := &content{
		name: path.Base(f.Path), kind: "application/zip", time: time.Unix(f.Archive.Time, 0), about: f.Path,
		handle: handle, first: first, size: size,
	}
	handle.Until(first + size)
	c.tag, _ = f.Tag()
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

// next reads the next bytes, all n or an error; there must be as many.
func (c *content) next(n int) (*generation.Bytes, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, context.Canceled
	}
	if c.err != nil {
		return nil, c.err
	}
	b, err := c.handle.Read(c.ctx, c.first+c.off, n)
	if err == nil && b.Len() != n {
		b.Release()
		err = fmt.Errorf("%s: a defect in vzip: %d bytes in place of %d", c.about, b.Len(), n)
	}
	if err != nil {
		c.err = err
		return nil, err
	}
	c.off += int64(n)
	return b, nil
}

// until says that n bytes more are wanted, and no others: nothing is read ahead behind
// them.
func (c *content) until(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.handle.Until(c.first + c.off + n)
	}
}

// left is how many bytes there are from the present offset on.
func (c *content) left() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size - c.off
}

// Read implements [io.Reader].
func (c *content) Read(p []byte) (int, error) {
	n := int(min(int64(len(p)), c.left()))
	if n <= 0 {
		return 0, io.EOF
	}
	b, err := c.next(n)
	if err != nil {
		return 0, err
	}
	defer b.Release()
	n = 0
	for _, s := range b.Slices() {
		n += copy(p[n:], s)
	}
	return n, nil
}

// Seek implements [io.Seeker].
func (c *content) Seek(off int64, whence int) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		off += c.off
	case io.SeekEnd:
		off += c.size
	}
	if off < 0 || off > c.size {
		return 0, fmt.Errorf("%s: no offset %d", c.about, off)
	}
	c.off = off
	return off, nil
}

// failed returns the source's error, if there was one.
func (c *content) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// close ends the use, and the reads that are under way.
func (c *content) close() {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.handle.Close()
}

// serveArchive answers with an archive.
func (h *Handler) serveArchive(w *sender, r *http.Request, f *generation.File) {
	c, err := openFile(r.Context(), f)
	if err != nil {
		h.fail(err)
		w.refuse(f.Path, err)
		return
	}
	defer c.close()
	if f.Path != f.Archive.Name {
		c.kind = kindOf(c.name)
	}
	h.serveContent(w, r, c)
}

// serveContent answers with content, as the request's conditions and ranges have it.
func (h *Handler) serveContent(w *sender, r *http.Request, c *content) {
	header := w.Header()
	header.Set("Content-Type", c.kind)
	header.Set("Content-Disposition", attachment(c.name))
	header.Set("Cache-Control", "no-cache") // ask each time: a reload may have changed it
	header.Set("Accept-Ranges", "bytes")
	if c.tag != "" {
		header.Set("ETag", `"`+c.tag+`"`)
	}
	disbelieveDates(r)
	limitRanges(r, c.size)
	w.content = c
	http.ServeContent(w, r, c.name, c.time, c)
	if err := c.failed(); err != nil && !errors.Is(err, context.Canceled) {
		h.fail(err)
	}
}

// fail counts a request that failed for a source.
func (h *Handler) fail(err error) {
	h.Failed(err)
	h.metrics.failed(err)
}

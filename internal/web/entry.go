package web

import (
	"cmp"
	"mime"
	"net/http"
	"path"
	"time"

	"vzip/internal/generation"
)

// serveEntry answers with the data of entry i, a file: a range of the archive, or inflated.
func (h *Handler) serveEntry(w *sender, r *http.Request, f *generation.File, i int) {
	a := f.Archive
	about := f.Path + ": " + plainName(a.EntryName(i))
	var c *content
	handle, first, err := a.OpenEntry(i)
	if err == nil {
		c = newContent(r.Context(), f, handle, first, a.EntrySize(i))
		defer c.close()
		// Of an empty file nothing would be read, not even whether it is one: its header
		// has its CRC-32, which has to be known.
		if a.EntrySize(i) == 0 && r.Method == http.MethodGet {
			var b *generation.Bytes
			if b, err = c.handle.Read(c.ctx, a.HeaderOffset(i), 1); err == nil {
				b.Release()
			}
		}
	}
	if err != nil {
		h.fail(err)
		w.refuse(about, err)
		return
	}
	c.name, c.about = path.Base(a.EntryName(i)), about
	c.kind = kindOf(c.name)
	c.tag, _ = a.EntryTag(i)
	c.time = time.Unix(a.EntryModTime(i), 0)
	if y := c.time.UTC().Year(); y < 1 || y > 9999 {
		c.time = time.Time{}
	}
	h.serveContent(w, r, c)
}

// kindOf returns a file's type by its name.
func kindOf(name string) string {
	return cmp.Or(mime.TypeByExtension(path.Ext(name)), "application/octet-stream")
}

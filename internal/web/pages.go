package web

import (
	"fmt"
	"net/http"
	"strings"

	"vzip/internal/generation"
)

// exactly answers at a page of vzip's own, which has nothing below it.
func (h *Handler) exactly(w *sender, path []string, text string) {
	if len(path) > 1 {
		w.text(http.StatusNotFound, "there is nothing at such a path")
		return
	}
	w.text(http.StatusOK, text)
}

// ready tells whether archives can be asked for.
func (h *Handler) ready(w *sender, path []string) {
	switch {
	case h.draining.Load():
		w.text(http.StatusServiceUnavailable, "vzip ends")
	case h.shown.Load() == nil:
		w.text(http.StatusServiceUnavailable, "the archives are not there yet")
	default:
		h.exactly(w, path, "ready")
	}
}

// serveIndex answers with the names of all archives.
func (h *Handler) serveIndex(w *sender, _ *http.Request, s *shown) {
	var b strings.Builder
	for _, f := range s.files {
		fmt.Fprintf(&b, "%15d  %s\n", f.Size, f.Path)
	}
	w.text(http.StatusOK, strings.TrimSuffix(b.String(), "\n"))
}

// serveInside answers at a path inside an archive: rest is what follows its name, one
// empty name for the archive's root.
func (h *Handler) serveInside(w *sender, _ *http.Request, _ *generation.File, _ []string) {
	w.text(http.StatusNotFound, "there is nothing at such a path")
}

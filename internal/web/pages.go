package web

import "net/http"

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

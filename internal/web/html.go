package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

//go:embed page
var pageFiles embed.FS

var templates = template.Must(template.ParseFS(pageFiles, "page/*.html"))

// assets are what pages refer to, by their names below .vzip/.
var assets = map[string]asset{
	"style.css": newAsset("style.css", "text/css; charset=utf-8"),
	"icon.svg":  newAsset("icon.svg", "image/svg+xml"),
}

type asset struct {
	kind, tag string
	data      []byte
}

func newAsset(name, kind string) asset {
	data, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return asset{kind, hex.EncodeToString(sum[:8]), data}
}

const (
	// pagePolicy lets a page have its style and its icon, and nothing else: whatever a
	// name smuggles in does not run.
	pagePolicy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// filePolicy lets a file that a browser shows in spite of all do nothing at all.
	filePolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"
)

// secure sets the fields that keep what archives hold from other pages, and other pages
// from what archives hold.
func secure(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Content-Security-Policy", filePolicy)
}

// frame is what all pages have.
type frame struct {
	Title   string
	Root    string // the path to /, relative to the page's, as a proxy may have put it elsewhere
	Style   string // stands for the style's content
	Refresh int    // seconds until the browser asks again; 0: it does not
}

// newFrame returns the frame of a page at a request's path.
func newFrame(u *url.URL, title string) frame {
	return frame{Title: title, Root: rootOf(u), Style: assets["style.css"].tag}
}

// rootOf returns the relative path from a request's to /.
func rootOf(u *url.URL) string {
	if n := strings.Count(u.EscapedPath(), "/") - 1; n > 0 {
		return strings.Repeat("../", n)
	}
	return "./"
}

// linkTo returns a name as a relative link, whatever its bytes are.
func linkTo(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return "./" + strings.Join(parts, "/")
}

// page answers with a page.
func (s *sender) page(code int, name string, data any) {
	s.send(code, name, func() any { return data }, func() {})
}

// maxPages is how many pages are made at once: each takes time and memory of its own.
const maxPages = 8

// pageInTurn answers with a page of data that it takes some time to put together, once not
// too many others are being made. A client that goes away meanwhile gets nothing.
func (s *sender) pageInTurn(ctx context.Context, name string, data func() any) {
	select {
	case s.h.pages <- struct{}{}:
	case <-ctx.Done():
		s.err = context.Canceled
		return
	}
	leave := sync.OnceFunc(func() { <-s.h.pages })
	defer leave()
	s.send(http.StatusOK, name, data, leave)
}

// send makes a page, calls made, and answers with it.
func (s *sender) send(code int, name string, of func() any, made func()) {
	var b bytes.Buffer
	data := of()
	defer made()
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		s.h.Warn("a defect in vzip: a page can't be made: " + err.Error())
		s.html = false
		s.text(http.StatusInternalServerError, "a page can't be made: vzip's log says why")
		return
	}
	made()
	s.Header().Set("Content-Security-Policy", pagePolicy)
	s.whole(code, "text/html; charset=utf-8", b.Bytes())
}

// errorPage answers with an error for people.
func (s *sender) errorPage(code int, text string) {
	status := http.StatusText(code)
	s.page(code, "error.html", struct {
		frame
		Status, Text string
	}{newFrame(s.url, status), status, text})
}

// serveAsset answers with the style or the icon.
func (h *Handler) serveAsset(w *sender, name []string) {
	a, ok := assets[strings.Join(name, "/")]
	if !ok {
		w.text(http.StatusNotFound, "there is nothing at such a path")
		return
	}
	w.Header().Set("Cache-Control", "max-age=86400") // pages name the version that they want
	w.whole(http.StatusOK, a.kind, a.data)
}

// whole answers with bytes that are there already.
func (s *sender) whole(code int, kind string, body []byte) {
	header := s.Header()
	for _, name := range []string{"ETag", "Last-Modified", "Accept-Ranges", "Content-Range", "Content-Disposition"} {
		header.Del(name)
	}
	header.Set("Content-Type", kind)
	if header.Get("Cache-Control") == "" || code >= 400 {
		header.Set("Cache-Control", "no-store")
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	s.content = nil
	s.WriteHeader(code)
	_, _ = s.Write(body)
}

// Package web shows a generation's archives over HTTP (RFC 9110): the bytes that a
// mount shows, whole or in ranges, with validators. Where a source fails in the middle
// of a body the connection is cut off, so that no client takes what it has for all.
//
// In scope: resources, conditions and ranges, what clients may cost. Out of scope:
// where to listen, TLS, who may read what, how bytes are made and checked.
package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"vzip/internal/generation"
	"vzip/internal/oneline"
)

// Options say whom a Handler tells what. Each may be nil.
type Options struct {
	// Served is told the bytes of archives that were sent.
	Served func(n int)
	// Failed is told that archives can't be opened or read.
	Failed func(err error)
	// Warn takes what the user should know and what stops nothing.
	Warn func(string)
	// State gives /metrics what it tells of the server.
	State func() State
	// Local is for a server that this machine alone can connect to: it answers for its
	// addresses, for localhost, and for Hosts. Where there are Hosts others do so, too.
	Local bool
	Hosts []string
}

// State is what /metrics tells of a server.
type State struct {
	Generation      int64 // its number
	Hashed, ToHash  int64 // bytes of files whose CRC-32 was not known at the start
	ReloadHasFailed bool  // the last one
}

// Handler answers requests for the archives that were published last.
type Handler struct {
	Options
	shown    atomic.Pointer[shown]
	draining atomic.Bool
	active   atomic.Int64 // requests being answered
	metrics  *metrics
	pages    chan struct{} // one of each page that is being made
}

// shown is a generation as it is shown.
type shown struct {
	g     *generation.Generation
	files []*generation.File
	paths map[string]*generation.File
	parts int // that a path has at most

	groups  []group // files by archive
	size    int64   // of all archives, in bytes
	entries int     // of all archives
}

// New returns a Handler that has no archives yet.
func New(o Options) *Handler {
	h := &Handler{Options: o, pages: make(chan struct{}, maxPages)}
	if h.Served == nil {
		h.Served = func(int) {}
	}
	if h.Failed == nil {
		h.Failed = func(error) {}
	}
	if h.Warn == nil {
		h.Warn = func(string) {}
	}
	if h.State == nil {
		h.State = func() State { return State{} }
	}
	h.metrics = newMetrics(h)
	return h
}

// Publish shows a generation in place of the one before. Bodies that are being sent go on.
// The caller keeps it open until another one is published, or nobody asks any more.
func (h *Handler) Publish(g *generation.Generation) { h.Prepare(g)() }

// Prepare does what of Publish may take its time, or fail; the returned function does the
// rest.
func (h *Handler) Prepare(g *generation.Generation) (publish func()) {
	s := &shown{g: g, files: g.Files(), paths: map[string]*generation.File{}}
	for _, f := range s.files {
		s.paths[f.Path] = f
		s.parts = max(s.parts, 1+strings.Count(f.Path, "/"))
	}
	s.groups = groupsOf(s.files)
	for _, g := range s.groups {
		s.size += g.Size
		s.entries += g.Archive.Len()
	}
	return func() { h.shown.Store(s) }
}

// Drain has /readyz say that no more requests are wanted.
func (h *Handler) Drain() { h.draining.Store(true) }

// Active is how many requests are being answered.
func (h *Handler) Active() int { return int(h.active.Load()) }

// reserved are the first names of paths that are no archives'.
var reserved = []string{"healthz", "readyz", "metrics", ".vzip"}

// CheckName refuses an archive whose name is wanted for something else.
func CheckName(name string) error {
	first, _, _ := strings.Cut(name, "/")
	if slices.Contains(reserved, first) {
		return fmt.Errorf("archive %s: /%s is a page of vzip's own over HTTP: give the archive another name", oneline.Quoted(name), first)
	}
	return nil
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Errors are pages for who asks for such.
	s := &sender{w: w, h: h, url: r.URL, html: strings.Contains(r.Header.Get("Accept"), "text/html")}
	h.active.Add(1)
	defer h.active.Add(-1)
	defer h.metrics.begin()(s)
	defer func() {
		if v := recover(); v != nil {
			if v != http.ErrAbortHandler {
				h.Warn(fmt.Sprintf("a defect in vzip made a request fail: %v", v))
			}
			panic(http.ErrAbortHandler) // net/http closes the connection
		}
	}()
	h.route(s, r)
	s.finish()
}

func (h *Handler) route(w *sender, r *http.Request) {
	header := w.Header()
	secure(header)
	if r.ContentLength != 0 {
		w.refuseBody()
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		w.text(http.StatusMethodNotAllowed, "only GET and HEAD are answered here")
		return
	}
	if r.ContentLength != 0 {
		w.text(http.StatusRequestEntityTooLarge, "requests have no content here: leave it out")
		return
	}
	if !h.answersFor(r.Host) && r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
		w.html = false
		w.text(http.StatusMisdirectedRequest, "this server does not answer for the name in Host: use its address, or --host NAME at its start")
		return
	}
	path, err := parsePath(r.URL)
	if err != nil {
		w.text(http.StatusNotFound, err.Error())
		return
	}
	switch path[0] {
	case "healthz":
		h.exactly(w, path, "alive")
		return
	case "readyz":
		h.ready(w, path)
		return
	case "metrics":
		if len(path) == 1 {
			h.metrics.handler.ServeHTTP(w, r)
			return
		}
	case ".vzip":
		h.serveAsset(w, path[1:])
		return
	}
	s, release := h.hold()
	if s == nil {
		header.Set("Retry-After", "5")
		w.text(http.StatusServiceUnavailable, "the archives are not there yet: try again soon")
		return
	}
	defer release()
	if path[0] == "" {
		h.serveIndex(w, r, s)
		return
	}
	f, rest := s.find(path)
	switch {
	case f == nil:
		w.text(http.StatusNotFound, "there is no such archive here")
	case rest == nil:
		h.serveArchive(w, r, f)
	default:
		h.serveInside(w, r, f, rest)
	}
}

// hold returns what is shown now, which stays open until release is called.
func (h *Handler) hold() (s *shown, release func()) {
	for {
		s := h.shown.Load()
		if s == nil {
			return nil, nil
		}
		if s.g.Hold() {
			return s, s.g.Close
		}
		if s == h.shown.Load() {
			return nil, nil // it has ended, and none follows
		}
	}
}

// find returns the archive that a path begins with, and what follows its name; nil
// where nothing does, not even a slash.
func (s *shown) find(path []string) (f *generation.File, rest []string) {
	n := min(len(path), s.parts)
	name, end := strings.Join(path[:n], "/"), -1
	for i := range path[:n] {
		end += len("/") + len(path[i])
		if f := s.paths[name[:end]]; f != nil {
			if i+1 == len(path) {
				return f, nil
			}
			return f, path[i+1:]
		}
	}
	return nil, nil
}

// parsePath parts a request's path into names, at least one; the last one is "" behind a
// slash at the end. A name has no slash, not even one that was %2F, and is no dots, so
// that everything has one path alone.
func parsePath(u *url.URL) ([]string, error) {
	p, ok := strings.CutPrefix(u.EscapedPath(), "/")
	if !ok {
		return nil, errors.New("the path does not begin with a slash")
	}
	names := strings.Split(p, "/")
	for i, name := range names {
		name, err := url.PathUnescape(name)
		if err != nil || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || name == "" && i+1 < len(names) {
			return nil, errors.New("there is nothing at such a path")
		}
		names[i] = name
	}
	return names, nil
}

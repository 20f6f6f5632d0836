package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"vzip/internal/snapshot"
)

const (
	// quiet is how long nothing has to change before a change is looked into, and
	// longest how long one that goes on is waited for. So long is the first pause
	// after a look that failed, too: nobody tells that a program has closed a file.
	quiet   = 500 * time.Millisecond
	longest = 10 * time.Second
)

// watcher reloads a server's generation when sources or the layout change. What the
// kernel tells of changes (inotify(7)) makes it quick; looking at everything once
// in a while makes it sure, as not every change is told: those through mappings,
// on network file systems, or too many at once.
type watcher struct {
	*server
	sweep   time.Duration
	fs      *fsnotify.Watcher // nil where there is none
	trigger chan struct{}     // has room for one

	asking sync.Mutex // held while the kernel is told of folders, which may hang as they do

	mu      sync.Mutex
	watched map[string]*watched // by folder
	single  map[string]bool     // the layout and sources, in folders that are no sources perhaps
	refused bool                // the kernel watches no more folders, which was told
}

// watched is a folder.
type watched struct {
	source       bool // all in it matters
	seen, listed bool // since the last reload began: as a source, if listed
}

// newWatcher has to be called before the sources are looked at.
func (s *server) newWatcher(sweep time.Duration) *watcher {
	w := &watcher{server: s, sweep: sweep, trigger: make(chan struct{}, 1), watched: map[string]*watched{}}
	var err error
	if w.fs, err = fsnotify.NewWatcher(); err != nil {
		s.warn(fmt.Sprintf("changes are noticed only every %v: %v", sweep, err))
	}
	s.folder = func(path string) { w.add(path, true) }
	s.sources = w.addParents
	s.changed = w.pull
	w.addParents(nil)
	return w
}

// addParents watches the folders that the layout and sources are in: of a file, or
// when another folder takes the place of one, only these tell.
func (w *watcher) addParents(sources []string) {
	single := map[string]bool{w.file: true}
	if real, err := filepath.EvalSymlinks(w.file); err == nil {
		single[real] = true
	}
	for _, path := range sources {
		single[path] = true
	}
	w.mu.Lock()
	w.single = single
	w.mu.Unlock()
	for path := range single {
		w.add(filepath.Dir(path), false)
	}
}

// pull asks for a reload soon.
func (w *watcher) pull() {
	select {
	case w.trigger <- struct{}{}:
	default:
	}
}

// add watches a folder, that a source has or that has a source.
func (w *watcher) add(folder string, source bool) {
	if w.fs == nil {
		return
	}
	w.mu.Lock()
	was := w.watched[folder]
	if was != nil && was.seen {
		was.listed = was.listed || source
		w.mu.Unlock()
		return
	}
	w.mu.Unlock()
	if !w.asking.TryLock() {
		return // an earlier look hangs there; the next sweep is another try
	}
	// Also what is watched already: another folder may have taken its place.
	err := w.fs.Add(folder)
	w.asking.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		if was = w.watched[folder]; was == nil {
			was = &watched{source: source}
			w.watched[folder] = was
		}
		was.seen, was.listed = true, was.seen && was.listed || source
	} else if !w.refused {
		w.refused = true
		w.warn(fmt.Sprintf("%s can't be watched, and perhaps others: %v; changes there are noticed only every %v (fs.inotify.max_user_watches may be too small)", folder, err, w.sweep))
	}
}

// run reloads until ctx ends.
func (w *watcher) run(ctx context.Context) {
	sweep := time.NewTicker(w.sweep)
	defer sweep.Stop()
	var events chan fsnotify.Event
	var failures chan error
	if w.fs != nil {
		defer w.fs.Close()
		events, failures = w.fs.Events, w.fs.Errors
	}
	rest := time.NewTimer(time.Hour)
	rest.Stop()
	var first time.Time // of the changes that were not looked into yet
	soon := func() {
		if first.IsZero() {
			first = time.Now()
		}
		rest.Reset(max(0, min(quiet, time.Until(first.Add(longest)))))
	}
	shortest := min(longest, w.sweep)
	again := shortest
	look := func(why string) {
		first = time.Time{}
		if w.reloadWatched(ctx, why) == nil {
			again = shortest
			return
		}
		rest.Reset(again)
		again = min(2*again, w.sweep)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if w.matters(e) {
				soon()
			}
		case err := <-failures:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				w.log.Warn(fmt.Sprintf("watching for changes: %v", err))
			}
			soon()
		case <-w.trigger:
			soon()
		case <-rest.C:
			look("a change")
		case <-sweep.C:
			look("a look at all sources")
		}
	}
}

// matters tells whether an event has to do with what is shown.
func (w *watcher) matters(e fsnotify.Event) bool {
	if snapshot.IsFolder(filepath.Base(e.Name)) {
		return false // a reload makes some, which would be followed by another
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	is, in := w.watched[e.Name], w.watched[filepath.Dir(e.Name)]
	return w.single[e.Name] || is != nil && is.source || in == nil || in.source
}

// reloadWatched reloads, and stops watching what is no source any more.
func (w *watcher) reloadWatched(ctx context.Context, why string) error {
	w.mu.Lock()
	for _, is := range w.watched {
		is.seen, is.listed = false, false
	}
	w.mu.Unlock()
	_, err := w.reloadNow(ctx, why, slog.LevelDebug)
	if w.fs == nil {
		return err
	}
	var removed, kept []string
	w.mu.Lock()
	for folder, is := range w.watched {
		switch {
		case err != nil: // what is watched may still be needed
			is.source = is.source || is.listed
		case is.seen:
			is.source = is.listed
		default:
			delete(w.watched, folder)
			removed = append(removed, folder)
		}
	}
	for folder := range w.watched {
		kept = append(kept, folder)
	}
	w.mu.Unlock()
	if !w.asking.TryLock() {
		return err
	}
	defer w.asking.Unlock()
	again := false
	for _, folder := range removed {
		again = w.fs.Remove(folder) == nil || again // it may be gone
	}
	if !again {
		return err
	}
	// A folder that is there under another name had one watch for both, which went
	// with the old name; what changed meanwhile nobody has told.
	for _, folder := range kept {
		_ = w.fs.Add(folder) // the reload that follows finds out
	}
	w.pull()
	return err
}

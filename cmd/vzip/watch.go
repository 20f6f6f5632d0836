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
)

const (
	// quiet is how long nothing has to change before a change is looked into, and
	// longest how long one that goes on is waited for.
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

	mu      sync.Mutex
	watched map[string]bool // folders; true: listed since the last reload began
	refused bool            // the kernel watches no more folders, which was told
}

// newWatcher has to be called before the sources are looked at.
func (s *server) newWatcher(sweep time.Duration) *watcher {
	w := &watcher{server: s, sweep: sweep, trigger: make(chan struct{}, 1), watched: map[string]bool{}}
	var err error
	if w.fs, err = fsnotify.NewWatcher(); err != nil {
		s.warn(fmt.Sprintf("changes are noticed only every %v: %v", sweep, err))
	}
	s.folder = w.add
	s.changed = w.pull
	w.add(filepath.Dir(s.file))
	w.watched[filepath.Dir(s.file)] = false
	return w
}

// pull asks for a reload soon.
func (w *watcher) pull() {
	select {
	case w.trigger <- struct{}{}:
	default:
	}
}

// add watches a folder.
func (w *watcher) add(folder string) {
	if w.fs == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched[folder] {
		return
	}
	// Also what is watched already: another folder may have taken its place.
	if err := w.fs.Add(folder); err == nil {
		w.watched[folder] = true
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
			first = time.Time{}
			w.reloadWatched(ctx, "a change")
		case <-sweep.C:
			w.reloadWatched(ctx, "a look at all sources")
		}
	}
}

// matters tells whether an event has to do with what is shown: in the layout's own
// folder, if it is no source's, only the layout does.
func (w *watcher) matters(e fsnotify.Event) bool {
	if filepath.Dir(e.Name) != filepath.Dir(w.file) || e.Name == w.file {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watched[filepath.Dir(e.Name)]
}

// reloadWatched reloads, and stops watching what is no source any more.
func (w *watcher) reloadWatched(ctx context.Context, why string) {
	w.mu.Lock()
	for folder := range w.watched {
		w.watched[folder] = false
	}
	w.mu.Unlock()
	if _, err := w.reloadNow(ctx, why, slog.LevelDebug); err != nil || w.fs == nil {
		return // what is watched may still be needed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for folder, listed := range w.watched {
		if !listed && folder != filepath.Dir(w.file) {
			delete(w.watched, folder)
			_ = w.fs.Remove(folder) // it may be gone
		}
	}
}

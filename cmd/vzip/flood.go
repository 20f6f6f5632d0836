package main

import (
	"fmt"
	"sync"
	"time"
	"vzip/internal/generation"
)

const (
	// floodLines is how many read errors of one cause are told within floodWindow.
	floodLines = 100
	// floodWindow is after which time those that were not told are told of by one line.
	floodWindow = time.Minute
)

// flood keeps the log short where very many sources fail at once, as when a disk is
// taken away: the first errors of a cause are told, the rest is counted.
type flood struct {
	tell func(string)

	mu    sync.Mutex
	kinds [generation.Causes]floodKind
}

// floodKind is one cause's.
type floodKind struct {
	told, more int         // since the window began
	end        *time.Timer // of the window; nil: none is open
}

// allow tells whether to tell of an error of that cause, and counts it if not.
func (f *flood) allow(c generation.Cause) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := &f.kinds[c]
	if k.end == nil {
		k.end = time.AfterFunc(floodWindow, func() { f.close(c) })
	}
	if k.told < floodLines {
		k.told++
		return true
	}
	k.more++
	return false
}

// close ends the window of a cause, if one is open, and tells what was not told.
func (f *flood) close(c generation.Cause) {
	f.mu.Lock()
	k := &f.kinds[c]
	n := k.more
	if k.end != nil {
		k.end.Stop()
	}
	*k = floodKind{}
	f.mu.Unlock()
	if n > 0 {
		f.tell(fmt.Sprintf("%d more errors of this kind (%v) within a minute are not shown", n, c))
	}
}

// stop closes all windows.
func (f *flood) stop() {
	for c := range generation.Causes {
		f.close(c)
	}
}

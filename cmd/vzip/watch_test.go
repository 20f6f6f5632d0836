package main

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vzip/internal/verified"
)

// counting counts the messages of a log.
type counting struct {
	slog.Handler
	n atomic.Int64
}

func (c *counting) Enabled(context.Context, slog.Level) bool { return true }

func (c *counting) Handle(context.Context, slog.Record) error { c.n.Add(1); return nil }

// A reload that fails for days is not tried more and more often.
func TestWatchFailsForLong(t *testing.T) {
	const sweep = 10 * time.Minute
	file := filepath.Join(t.TempDir(), "missing.yaml")
	synctest.Test(t, func(t *testing.T) {
		log := &counting{Handler: slog.NewTextHandler(io.Discard, nil)}
		s := &server{app: &app{log: slog.New(log)}, file: file, reloading: make(chan struct{}, 1), reader: verified.NewReader(verified.Options{Timeout: time.Minute})}
		w := &watcher{server: s, sweep: sweep, trigger: make(chan struct{}, 1), watched: map[string]*watched{}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.run(ctx)
		w.pull()
		before := int64(0)
		for day := range 7 {
			time.Sleep(24 * time.Hour)
			n := log.n.Load() - before
			before += n
			if most := int64(24*time.Hour/sweep)*2 + 10; n < 100 || n > most {
				t.Fatalf("day %d: %d tries, want at most %d", day, n, most)
			}
		}
	})
}

package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"vzip/internal/generation"
	"vzip/layout"
)

// canBeEarly tells whether a layout's archives can be shown before their files are
// hashed: not where hashing may leave out some.
func canBeEarly(l *layout.Layout) bool {
	return !slices.ContainsFunc(l.Archives, func(a layout.Archive) bool { return a.OnBusy == layout.OnBusySkip && a.Snapshot == "" })
}

// hash has the CRCs of a generation worked out while it is shown.
func (s *server) hash(g *generation.Generation) {
	begun := g.Start(generation.StartOptions{
		HashOptions: generation.HashOptions{Workers: s.jobs, Start: s.progress.start, Progress: s.progress.add},
		Finished:    func(failed int) { s.hashed(failed); s.sumUp(g) },
		Warn:        s.warn,
	})
	if !begun {
		s.progress.stop(true)
		s.sumUp(g)
	}
}

// sumUp has the SHA-256s of a generation's archives worked out while it is shown.
func (s *server) sumUp(g *generation.Generation) {
	g.SumUp(func(archives int) {
		level := slog.LevelInfo
		if s.progress.hidden {
			level = slog.LevelDebug
		}
		s.log.Log(context.Background(), level, fmt.Sprintf("worked out the SHA-256 of %d archives", archives))
	})
	s.pauseAtEnd(g)
}

// hashed is told when a generation that was shown before has all its CRCs, but those of
// so many files that can't be read.
func (s *server) hashed(failed int) {
	s.progress.stop(failed == 0)
	if failed > 0 {
		s.warn(fmt.Sprintf("the CRC-32s of %d files can't be worked out (see above): where archives have them reading fails", failed))
	}
}

// unhashed says how much is to be hashed yet, where something is.
func (s *server) unhashed() string {
	p := &s.progress
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || p.files.Load() == 0 {
		return ""
	}
	return fmt.Sprintf("; the CRC-32s of %d files, %s, are worked out meanwhile", p.files.Load(), size(p.total.Load()))
}

// stopHashing lets nothing be hashed any more but what readers wait for.
func (s *server) stopHashing() {
	s.progress.stop(false)
	s.draining.Store(true)
	s.generation().Pause()
}

// pauseAtEnd is for what lets something of a generation be hashed after stopHashing may
// have been called.
func (s *server) pauseAtEnd(g *generation.Generation) {
	if s.draining.Load() {
		g.Pause()
	}
}

package generation

import (
	"context"
	"sync"
)

// sums is what a generation does about the digests of its archives.
type sums struct {
	mu       sync.Mutex
	paused   bool // nothing is summed that nobody waits for
	wanted   bool // all digests are, in the background, and some are not known
	busy     bool // somebody works on that
	again    bool // and has to look once more
	finished func(archives int)
	progress func(bytes int64)

	recalling sync.Mutex
}

func (s *sums) isPaused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused
}

func (s *sums) tell(bytes int64) {
	if s.progress != nil {
		s.progress(bytes)
	}
}

// SumUp works out, in the background, the SHA-256s that sidecars tell: one archive after
// the other, with the lowest priority, until Pause or Close. Archives whose CRCs are not
// known are left out until they are. finished, if set, is told how many were worked out
// whenever no more can be, if any were.
func (g *Generation) SumUp(finished func(archives int)) {
	g.sums.mu.Lock()
	defer g.sums.mu.Unlock()
	g.sums.wanted, g.sums.finished = true, finished
	g.startSums()
}

func (g *Generation) pauseSums(paused bool) {
	g.sums.mu.Lock()
	defer g.sums.mu.Unlock()
	g.sums.paused = paused
	g.startSums()
}

// startSums has somebody work in the background if there is cause to. The lock is held.
func (g *Generation) startSums() {
	s := &g.sums
	if !s.wanted || s.paused || g.ctx.Err() != nil {
		return
	}
	s.again = true
	if !s.busy {
		s.busy = true
		go g.sumAll()
	}
}

// canSum is told that an archive can be summed that could not before.
func (g *Generation) canSum() {
	g.sums.mu.Lock()
	defer g.sums.mu.Unlock()
	g.startSums()
}

func (g *Generation) sumAll() {
	s := &g.sums
	count := 0
	for {
		s.mu.Lock()
		s.again = false
		s.mu.Unlock()
		n, done := g.sumOnce()
		count += n
		s.mu.Lock()
		ended := s.paused || g.ctx.Err() != nil
		if done && !s.again || ended {
			s.busy = false
			s.wanted = s.wanted && !g.allSummed()
			finished := s.finished
			s.mu.Unlock()
			if done && count > 0 && finished != nil {
				finished(count)
			}
			return
		}
		s.mu.Unlock()
	}
}

// allSummed tells whether every digest is known that a sidecar tells.
func (g *Generation) allSummed() bool {
	for _, a := range g.Archives {
		if a.digest == nil {
			continue
		}
		if _, known := a.digest.get(); !known {
			return false
		}
	}
	return true
}

// sumOnce sums all archives that can be, unless it is paused. It returns how many it did.
func (g *Generation) sumOnce() (count int, done bool) {
	g.recallSums()
	for _, a := range g.Archives {
		for a.digest != nil && a.allKnown() {
			w := a.digest.join(a)
			if w == nil {
				break
			}
			select {
			case <-w.done:
			case <-g.ctx.Done():
				return count, false
			}
			if w.err == nil {
				count++
			}
			switch {
			case w.err == nil || w.err != errStopped && w.a == a: // a failure is for readers to see
			case g.sums.isPaused() || g.ctx.Err() != nil:
				return count, false
			default:
				continue
			}
			break
		}
	}
	return count, true
}

// Sum works out every SHA-256 that a sidecar tells and that is not remembered: of as many
// archives at a time as there are workers. Start and Progress are of bytes of archives. A
// SourceErrors tells of sources that can't be read; a failing cache's error comes second.
func (g *Generation) Sum(ctx context.Context, o HashOptions) (err, cacheErr error) {
	g.recallSums()
	var todo []*Archive
	bytes := int64(0)
	for _, a := range g.Archives {
		if a.digest == nil {
			continue
		}
		if _, known := a.digest.get(); !known {
			todo = append(todo, a)
			bytes += a.Size()
		}
	}
	if len(todo) == 0 {
		return nil, nil
	}
	if o.Start != nil {
		o.Start(len(todo), bytes)
	}
	g.sums.progress = o.Progress
	errs := make([]error, len(todo))
	slots := make(chan struct{}, max(o.Workers, 1))
	var wg sync.WaitGroup
	for i, a := range todo {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = a.awaitSum(ctx.Done())
		})
	}
	wg.Wait()
	if g.cache != nil {
		cacheErr = g.cache.Flush()
	}
	if ctx.Err() != nil {
		return ctx.Err(), cacheErr
	}
	var failed SourceErrors
	for i, err := range errs {
		if err != nil {
			failed = append(failed, todo[i].failed(err))
		}
	}
	if len(failed) > 0 {
		return failed, cacheErr
	}
	return nil, cacheErr
}

// allKnown tells whether every CRC of the archive is known.
func (a *Archive) allKnown() bool { return a.known.clear(0, a.Len()) == a.Len() }

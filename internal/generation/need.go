package generation

import (
	"context"
	"errors"
	"slices"
	"time"

	"vzip/internal/seeded"
	"vzip/internal/source"
	"vzip/internal/verified"
	"vzip/layout"
)

// need returns when the sums of a source are known, or when they can't be. Whoever
// waits keeps no other reader from the source's device, and waits for as long as the
// source goes on answering.
func (g *Generation) need(c *verified.Call, key uint64) error {
	h := g.hashing.Load()
	if a, i := g.at(key); a.known.get(i) {
		return nil
	} else if h == nil {
		return errUnknownCRC
	}
	h.reads(key)
	if seeded.On("unhashed") {
		return nil
	}
	g.reader.Leave(c)
	c.Hold()
	defer c.Resume(g.reader.Timeout)
	group := h.group(key)
	begin, pause := time.Now(), firstPause
	for try := 1; ; try++ {
		err := h.wait(c, key, group, try > 1)
		if !errors.As(err, new(*source.BusyError)) {
			return err
		}
		if g.onBusy(int(group)) == layout.OnBusyWait {
			if time.Since(begin) > g.reader.Timeout {
				return err
			}
		} else if try == tries {
			return err
		}
		time.Sleep(pause)
		if c.Left() {
			return context.Canceled
		}
		pause = min(2*pause, time.Second)
	}
}

// wait has a group hashed before all that nobody waits for, unless that has failed just
// now and again is false.
func (h *hashing) wait(c *verified.Call, key uint64, group uint32, again bool) error {
	h.mu.Lock()
	j := h.jobs[group]
	if j == nil {
		var err error
		a, i := h.g.at(key)
		f, failed := h.failed[group]
		switch {
		case a.known.get(i):
			h.mu.Unlock()
			return nil
		case failed && !again && !f.due(time.Now()):
			err = f.err
		default:
			err = h.g.reader.Ask(h.g, key)
		}
		if err != nil {
			h.mu.Unlock()
			return err
		}
		j = h.newJob(group)
		h.queue = append(h.queue, j)
	} else if !j.urgent && j.workers == 0 {
		if i := slices.Index(h.begun, j); i >= 0 { // it was left for something more urgent
			h.begun = slices.Delete(h.begun, i, i+1)
			h.queue = append(h.queue, j)
		}
	}
	j.urgent = true
	h.recount()
	h.kick()
	out := j.outcome
	h.mu.Unlock()
	look := time.NewTicker(tickEvery)
	defer look.Stop()
	for {
		select {
		case <-out.done:
			return out.err
		case <-h.g.ctx.Done():
			return context.Canceled
		case <-look.C:
			if c.Left() {
				return context.Canceled
			}
		}
	}
}

// hashAgain tries once more to hash a source that was found changed, and returns
// whether it is what was scanned.
func (g *Generation) hashAgain(key uint64, ref source.Ref, was source.Identity) (is source.Identity, same bool, err error) {
	f, is, err := source.OpenNow(ref)
	if err != nil {
		return is, false, err
	}
	f.Close()
	if is != was {
		return is, false, nil
	}
	if h := g.hashing.Load(); h != nil {
		var c verified.Call
		c.Begin(g.ctx, forever)
		if err := h.wait(&c, key, h.group(key), true); err != nil {
			return is, false, errMoves
		}
	}
	return is, true, nil
}

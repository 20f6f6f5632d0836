package generation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"vzip/internal/checksum"
	"vzip/internal/source"
	"vzip/layout"
)

// end notes what came of a job, and tells those who wait for it.
func (h *hashing) end(j *job, sum checksum.Sum, err error) {
	ref, id, _ := h.g.Source(j.key)
	is, changed := source.Identity{}, false
	if errors.As(err, new(*source.ChangedError)) {
		ref.Pulse = &j.pulse
		is, changed = whatIsThere(ref, id)
	}
	h.mu.Lock()
	urgent, f := j.urgent, h.failed[j.group]
	h.mu.Unlock()
	ended := h.g.ctx.Err() != nil
	if err != nil && !ended {
		f = failure{err: err, when: time.Now(), tries: f.tries + 1, changed: changed}
		h.tell(j, urgent, f, is)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.jobs[j.group] != j { // a defect ended it before
		return
	}
	if urgent { // who has waited reads on
		h.reads(h.at.Load())
	}
	switch {
	case err == nil:
		h.g.setSum(int(j.group), sum)
		h.unknown--
		delete(h.failed, j.group)
	case !ended:
		h.failed[j.group] = f
	}
	delete(h.jobs, j.group)
	h.begun = slices.DeleteFunc(h.begun, func(x *job) bool { return x == j })
	h.answers(j)
	h.recount()
	j.outcome.end(err)
	if err == nil {
		h.g.reader.Answered(h.g, j.key)
		h.remember(j.key, sum)
	}
	if h.unknown == 0 && h.adding == 0 {
		h.finish()
	}
}

// remember adds a sum to the cache. It lets go of the lock meanwhile.
func (h *hashing) remember(key uint64, sum checksum.Sum) {
	if h.Cache == nil {
		return
	}
	h.adding++
	h.mu.Unlock()
	if a, i := h.g.at(key); remember(h.Cache, a, i, sum) {
		h.dirty.Store(true)
	}
	h.mu.Lock()
	h.adding--
}

func (o *outcome) end(err error) {
	select {
	case <-o.done: // they were told that it does not answer
	default:
		o.err = err
		close(o.done)
	}
}

// whatIsThere tells what is at a source's path now, and whether that is another file
// than what was scanned.
func whatIsThere(ref source.Ref, was source.Identity) (is source.Identity, changed bool) {
	f, is, err := source.OpenNow(ref)
	if err != nil {
		return source.Identity{}, errors.As(err, new(*source.ChangedError))
	}
	f.Close()
	return is, is != was
}

// tell reports a failure, and has archives refused that have a file which was changed.
func (h *hashing) tell(j *job, urgent bool, f failure, is source.Identity) {
	g := h.g
	if f.changed {
		g.drifts.mu.Lock()
		for _, m := range g.members(int(j.group)) {
			g.setState(g.Archives[m.archive].key(int(m.entry)), changed, is)
		}
		g.drifts.mu.Unlock()
	}
	switch {
	case f.changed || !unsettled(f.err):
	case g.onBusy(int(j.group)) == layout.OnBusyWait:
		if f.tries == 1 {
			h.Warn(fmt.Sprintf("%v; waiting until it rests", f.err))
		}
		return
	case f.tries < tries && !urgent:
		return
	}
	g.reportOnce(j.key, f.err)
}

// finish tells that all is done, or all that can be, and is in the cache. The lock is held.
func (h *hashing) finish() {
	if h.unknown == 0 {
		h.g.hashing.CompareAndSwap(h, nil)
	}
	if h.over {
		return
	}
	h.over = true
	failed := h.unknown
	go func() {
		h.flush()
		if h.Finished != nil {
			h.Finished(failed)
		}
	}()
}

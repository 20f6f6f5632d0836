package generation

import (
	"errors"
	"slices"
	"time"

	"vzip/internal/verified"
)

func (h *hashing) choose() *job {
	for i, j := range h.queue {
		if h.silent[h.g.Device(j.key)] < maxSilent {
			h.queue = slices.Delete(h.queue, i, i+1)
			h.recount()
			j.since = time.Now()
			h.begun = append(h.begun, j)
			return j
		}
	}
	for _, urgent := range []bool{true, false} {
		if h.paused && !urgent {
			return nil
		}
		for _, j := range h.begun {
			if j.urgent == urgent && !j.parked && j.work != nil && j.work.Left() {
				return j
			}
		}
	}
	return h.chooseUnasked(time.Now())
}

// chooseUnasked begins what no reader waits for.
func (h *hashing) chooseUnasked(now time.Time) *job {
	if now.Before(h.rest) {
		return nil
	}
	for {
		key, ok, far := h.order.pick(h.at.Load(), h.reading(now), func(key uint64) bool { return h.free(key, now) })
		switch {
		case ok && h.g.reader.Ask(h.g, key) == nil:
			j := h.newJob(h.group(key))
			h.begun = append(h.begun, j)
			return j
		case ok: // readers had no answer there
			h.quiet[h.g.Device(key)] = now
			continue
		case !far && h.soon():
			h.rest = now.Add(retryEvery)
		case !far:
			h.rest = now.Add(restAfter)
			if len(h.jobs) == 0 && h.adding == 0 {
				h.finish()
			}
		}
		return nil
	}
}

// recount tells those at work whether there is something more urgent. The lock is held.
func (h *hashing) recount() {
	n := int32(0)
	for _, j := range h.queue {
		if h.silent[h.g.Device(j.key)] < maxSilent {
			n++
		}
	}
	h.urgent.Store(n)
}

func (h *hashing) newJob(group uint32) *job {
	f := h.g.members(int(group))[0]
	j := &job{group: group, key: h.g.Archives[f.archive].key(int(f.entry)), since: time.Now(), outcome: &outcome{done: make(chan struct{})}}
	h.jobs[group] = j
	return j
}

// free tells whether a file can be begun that no reader waits for.
func (h *hashing) free(key uint64, now time.Time) bool {
	group := h.group(key)
	f, failed := h.failed[group]
	device := h.g.Device(key)
	return h.jobs[group] == nil && h.silent[device] == 0 && now.Sub(h.quiet[device]) >= retryEvery && (!failed || f.passing() && f.due(now))
}

// passing tells of failures that may pass by themselves. Others are tried again for
// readers alone.
func (f failure) passing() bool {
	return !f.changed && (unsettled(f.err) || errors.As(f.err, new(*verified.TimeoutError)))
}

func (f failure) due(now time.Time) bool { return !f.changed && now.Sub(f.when) >= retryEvery }

// soon tells whether something will be tried again before it counts as failed.
func (h *hashing) soon() bool {
	for _, f := range h.failed {
		if f.passing() && f.tries < tries {
			return true
		}
	}
	return false
}

// reads is told where a reader is.
func (h *hashing) reads(key uint64) {
	h.at.Store(key)
	h.when.Store(int64(time.Since(h.begin)))
}

func (h *hashing) reading(now time.Time) bool {
	return now.Sub(h.begin)-time.Duration(h.when.Load()) < readFor
}

// leave tells a worker to leave its job for something more urgent.
func (h *hashing) leave(j *job) bool {
	if h.urgent.Load() > 0 {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.paused && !j.urgent || h.workers > h.Workers && j.workers > 1
}

package generation

import (
	"fmt"
	"slices"
	"time"
)

// flush writes what was worked out to the cache.
func (h *hashing) flush() {
	if h.Cache == nil || !h.dirty.Swap(false) {
		return
	}
	if err := h.Cache.Flush(); err != nil {
		h.mu.Lock()
		told := h.warned
		h.warned = true
		h.mu.Unlock()
		if !told {
			h.Warn(fmt.Sprintf("CRCs are not remembered: %v", err))
		}
	}
}

// lookAfter looks after sources that do not answer, what has to be tried again and what
// is to be remembered, until all is known.
func (h *hashing) lookAfter() {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	flushed := time.Now()
	for {
		select {
		case <-h.g.ctx.Done():
			h.abandon()
			return
		case <-tick.C:
		}
		h.mu.Lock()
		if h.unknown == 0 {
			h.mu.Unlock()
			h.flush()
			return
		}
		now := time.Now()
		for _, j := range slices.Clone(h.begun) {
			h.lookAt(j, now)
		}
		for _, j := range h.queue { // no worker was free: others do not answer
			if now.Sub(j.since) >= h.g.reader.Timeout {
				h.give(j)
			}
		}
		if len(h.jobs) > 0 || !now.Before(h.rest) {
			h.kick()
		}
		h.mu.Unlock()
		// The cache may have to wait for another process.
		if now.Sub(flushed) >= flushEvery && h.writes.CompareAndSwap(false, true) {
			flushed = now
			go func() {
				defer h.writes.Store(false)
				h.flush()
			}()
		}
	}
}

// lookAt looks whether a job's source answers. The lock is held.
func (h *hashing) lookAt(j *job, now time.Time) {
	answered, waits := j.pulse.Counts()
	if !waits || answered != j.answered || j.workers == 0 {
		j.answered, j.since = answered, now
		h.answers(j)
		return
	}
	timeout := h.g.reader.Timeout
	idle := now.Sub(j.since)
	if idle >= min(parkAfter, timeout/2) && !j.parked && h.parked+j.workers <= maxParked {
		j.parked = true
		h.parked += j.workers
		h.workers -= j.workers
		h.silent[h.g.Device(j.key)]++
		h.recount()
	}
	if idle >= timeout {
		h.give(j)
	}
}

// answers tells that the source of a job answers, or that it has ended.
func (h *hashing) answers(j *job) {
	if j.parked {
		j.parked = false
		h.parked -= j.workers
		h.workers += j.workers
		device := h.g.Device(j.key)
		if h.silent[device]--; h.silent[device] == 0 {
			delete(h.silent, device)
		}
		h.recount()
	}
	if closed(j.outcome.done) && h.jobs[j.group] == j {
		j.outcome = &outcome{done: make(chan struct{})}
	}
}

// give tells those who wait for a job that its source does not answer.
func (h *hashing) give(j *job) {
	if closed(j.outcome.done) {
		return
	}
	err := h.g.reader.Silent(h.g, j.key, j.since)
	j.outcome.end(err)
	if !j.urgent {
		go h.g.reportOnce(j.key, err)
	}
	j.urgent = false
}

// closed tells whether a channel is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// abandon closes what nobody works on any more, at the end of the generation.
func (h *hashing) abandon() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, j := range slices.Concat(h.begun, h.queue) {
		h.drop(j)
	}
}

// drop closes the file of a job that nobody works on. The lock is held.
func (h *hashing) drop(j *job) {
	if j.workers == 0 && j.file != nil && h.jobs[j.group] == j {
		delete(h.jobs, j.group)
		j.file.Close()
	}
}

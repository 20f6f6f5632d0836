package source

import (
	"sync/atomic"
	"time"
)

// Pulse tells whether file systems still answer: each source that has one counts
// what it asks of them, and what comes back.
type Pulse struct{ asked, answered atomic.Int64 }

func (r *Ref) ask() {
	if r.Pulse != nil {
		r.Pulse.asked.Add(1)
	}
}

func (r *Ref) answered() {
	if r.Pulse != nil {
		r.Pulse.answered.Add(1)
	}
}

// During counts what f asks of file systems by itself.
func (p *Pulse) During(f func()) {
	r := Ref{Pulse: p}
	r.ask()
	defer r.answered()
	f()
}

// Counts returns how much has been answered, and whether something waits for an
// answer.
func (p *Pulse) Counts() (answered int64, waits bool) {
	answered = p.answered.Load() // the order counts: what is asked meanwhile is no sign of trouble
	return answered, p.asked.Load() > answered
}

// Stopped returns a channel that is closed when nothing was answered for so long
// though something was asked; stop ends the watch.
func (p *Pulse) Stopped(after time.Duration) (stopped <-chan struct{}, stop func()) {
	out, end := make(chan struct{}), make(chan struct{})
	go func() {
		tick := time.NewTicker(max(after/8, time.Millisecond))
		defer tick.Stop()
		last, since := p.answered.Load(), time.Now()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
			}
			if answered, waits := p.Counts(); answered != last || !waits {
				last, since = answered, time.Now()
			} else if time.Since(since) >= after {
				close(out)
				return
			}
		}
	}()
	return out, func() { close(end) }
}

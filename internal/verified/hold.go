package verified

import "time"

// holdPoll is how often a call that is held is looked at.
const holdPoll = time.Second

// Hold stops the clock of a call that waits for something with a time limit of its
// own, until Resume.
func (c *Call) Hold() { c.held.Store(true) }

// Resume gives a call its whole time again.
func (c *Call) Resume(timeout time.Duration) {
	c.deadline.Store(after(timeout))
	c.held.Store(false)
}

// Left tells whether nobody waits for the call any more.
func (c *Call) Left() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// after is when the timeout will have passed, as [now] has it.
func after(timeout time.Duration) int64 { return now() + int64(timeout) }

// remaining is the time in which the call has to be answered, or looked at again: until
// its deadline, or another one if that is later.
func (c *Call) remaining(deadline int64) time.Duration {
	if c.held.Load() {
		return holdPoll
	}
	return time.Duration(max(deadline, c.deadline.Load()) - now())
}

// Ask fails if the file system of a source did not answer before. Once a second it
// does not, so that somebody finds out when it answers again.
func (r *Reader) Ask(x Sources, key uint64) error {
	return r.inWords(x, key, r.devices.get(x.Device(key)).ask())
}

// Answered tells that the file system of a source has answered somebody.
func (r *Reader) Answered(x Sources, key uint64) { r.devices.get(x.Device(key)).answered.Store(now()) }

// Silent tells that the file system of a source has not answered since a time, and
// returns the error that those who wait for it get.
func (r *Reader) Silent(x Sources, key uint64, since time.Time) error {
	if d := r.devices.get(x.Device(key)); d.answered.Load() <= int64(since.Sub(start)) {
		d.late.Store(now())
	}
	return r.inWords(x, key, errLate)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"vzip/internal/generation"
)

// counters tell what readers got since the program began. Any number of goroutines may
// use them.
type counters struct {
	bytes, reads atomic.Int64
	open         atomic.Int64 // files that are open now
	errors       [generation.Causes]atomic.Int64
}

// count notes a read that gave n bytes.
func (c *counters) count(n int) {
	c.reads.Add(1)
	c.bytes.Add(int64(n))
}

// failed notes that a reader was refused with err. Who waits no more was not.
func (c *counters) failed(err error) {
	if !errors.Is(err, context.Canceled) {
		c.errors[generation.CauseOf(err)].Add(1)
	}
}

// failures returns how many readers were refused.
func (c *counters) failures() (n int64) {
	for i := range c.errors {
		n += c.errors[i].Load()
	}
	return n
}

// byCause says how many readers were refused, and why: "3 changed, 1 io".
func (c *counters) byCause() string {
	var list []string
	for i := range c.errors {
		if n := c.errors[i].Load(); n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, generation.CauseNames[i]))
		}
	}
	return strings.Join(list, ", ")
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"

	"vzip/internal/verified"
)

// cause is why readers got an error.
type cause int

const (
	causeChanged cause = iota // a source is not what it was: ESTALE
	causeDamaged              // a block has other bytes though its file was not changed
	causeTimeout              // a source did not answer in time
	causeIO                   // all else
	causes
)

// causeNames are the causes' names in status and in the log. They are a contract.
var causeNames = [causes]string{"changed", "damaged", "timeout", "io"}

func (c cause) String() string { return causeNames[c] }

func causeOf(err error) cause {
	switch {
	case errors.Is(err, syscall.ESTALE):
		return causeChanged
	case errors.As(err, new(*verified.CorruptError)):
		return causeDamaged
	case errors.As(err, new(*verified.TimeoutError)):
		return causeTimeout
	}
	return causeIO
}

// counters tell what readers got since the program began. Any number of goroutines may
// use them.
type counters struct {
	bytes, reads atomic.Int64
	open         atomic.Int64 // files that are open now
	errors       [causes]atomic.Int64
}

// count notes a read that gave n bytes.
func (c *counters) count(n int) {
	c.reads.Add(1)
	c.bytes.Add(int64(n))
}

// failed notes that a reader was refused with err. Who waits no more was not.
func (c *counters) failed(err error) {
	if !errors.Is(err, context.Canceled) {
		c.errors[causeOf(err)].Add(1)
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
			list = append(list, fmt.Sprintf("%d %s", n, causeNames[i]))
		}
	}
	return strings.Join(list, ", ")
}

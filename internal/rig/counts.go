package rig

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Counts are what many reads were. They are safe for any number of goroutines.
type Counts struct {
	Bytes    atomic.Int64
	verdicts [Ops][verdicts]atomic.Int64
}

// Add counts a read.
func (c *Counts) Add(op Op, v Verdict, n int) {
	c.verdicts[op][v].Add(1)
	c.Bytes.Add(int64(n))
}

// Of returns how many reads were judged so.
func (c *Counts) Of(v Verdict) (n int64) {
	for op := range c.verdicts {
		n += c.verdicts[op][v].Load()
	}
	return n
}

// ByOp returns how many reads were done one way.
func (c *Counts) ByOp(op Op) (n int64) {
	for v := range c.verdicts[op] {
		n += c.verdicts[op][v].Load()
	}
	return n
}

// Reads returns how many reads were judged.
func (c *Counts) Reads() int64 { return c.Of(Right) + c.Of(Stale) + c.Of(Failed) }

// String tells the counts in words; what is a violation is not among them.
func (c *Counts) String() string {
	return fmt.Sprintf("reads judged %d: %d right, %d ESTALE, %d EIO or SIGBUS", c.Reads(), c.Of(Right), c.Of(Stale), c.Of(Failed))
}

// Ways tells how often each way of reading was taken.
func (c *Counts) Ways() string {
	var parts []string
	for op := range Ops {
		if n := c.ByOp(op); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", op, n))
		}
	}
	return strings.Join(parts, ", ")
}

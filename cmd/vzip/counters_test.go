package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"testing"

	"vzip/internal/generation"
	"vzip/internal/source"
	"vzip/internal/verified"
)

func TestCauseOf(t *testing.T) {
	in := func(err error) error { return &generation.SourceError{Err: fmt.Errorf("/f: %w", err)} }
	for i, tt := range []struct {
		err  error
		want generation.Cause
	}{
		{in(&source.ChangedError{Path: "/f", What: "it shrank"}), generation.CauseChanged},
		{in(syscall.ESTALE), generation.CauseChanged},
		{in(&verified.CorruptError{Path: "/f"}), generation.CauseDamaged},
		{in(&verified.TimeoutError{Path: "/f"}), generation.CauseTimeout},
		{in(syscall.EIO), generation.CauseIO},
		{in(syscall.EACCES), generation.CauseIO},
		{in(io.ErrUnexpectedEOF), generation.CauseIO},
		{errors.New("a defect in vzip"), generation.CauseIO},
	} {
		if got := generation.CauseOf(tt.err); got != tt.want {
			t.Errorf("%d (%v): got %v, want %v", i, tt.err, got, tt.want)
		}
	}
}

func TestCounters(t *testing.T) {
	var c counters
	if got := c.byCause(); got != "" || c.failures() != 0 {
		t.Errorf("at the start: got %d failures, %q", c.failures(), got)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				c.count(5)
			}
			c.failed(syscall.ESTALE)
			c.failed(fmt.Errorf("x: %w", context.Canceled))
			c.failed(syscall.EIO)
		})
	}
	wg.Wait()
	if reads, bytes := c.reads.Load(), c.bytes.Load(); reads != 8000 || bytes != 40000 {
		t.Errorf("got %d reads of %d bytes, want 8000 of 40000", reads, bytes)
	}
	if got := c.byCause(); got != "8 changed, 8 io" || c.failures() != 16 {
		t.Errorf("got %d failures, %q", c.failures(), got)
	}
	if n := testing.AllocsPerRun(100, func() { c.count(1 << 20) }); n != 0 {
		t.Errorf("counting a read allocates %v times, want 0", n)
	}
}

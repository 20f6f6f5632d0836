package main

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"vzip/internal/generation"
)

func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		f := &flood{tell: func(s string) { got = append(got, s) }}
		want := func(lines ...string) {
			t.Helper()
			if !slices.Equal(got, lines) {
				t.Errorf("got %q, want %q", got, lines)
			}
			got = nil
		}
		try := func(c generation.Cause, n int) (told int) {
			for range n {
				if f.allow(c) {
					told++
				}
			}
			return told
		}
		if n := try(generation.CauseChanged, 10_000); n != floodLines {
			t.Errorf("%d lines of 10,000 errors, want %d", n, floodLines)
		}
		if n := try(generation.CauseIO, 3); n != 3 { // each kind for itself
			t.Errorf("%d lines of 3 errors", n)
		}
		time.Sleep(floodWindow - time.Second)
		want()
		if f.allow(generation.CauseChanged) {
			t.Error("one more is told before the window ends")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		want(`9901 more errors of this kind (changed) within a minute are not shown`)
		// The next window is like the first one.
		if n := try(generation.CauseChanged, floodLines+2); n != floodLines {
			t.Errorf("%d lines in the next window, want %d", n, floodLines)
		}
		f.stop()
		want(`2 more errors of this kind (changed) within a minute are not shown`)
		f.stop()
		time.Sleep(2 * floodWindow)
		synctest.Wait()
		want()
	})
}

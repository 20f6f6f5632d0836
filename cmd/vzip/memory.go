package main

import (
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"vzip/internal/generation"
)

const (
	// room is the memory for buffers and what else serving takes, in bytes.
	room = 64 << 20
	// limitStep is the change of the limit that is worth stopping the world.
	limitStep = 16 << 20
	// With more collections a second than manyGC the limit is too low for what goes on, with
	// less than fewGC higher than it need be.
	manyGC, fewGC = 10, 3
)

// buffers is the memory that reads hold at present, in bytes: vzip's own buffers, go-fuse's
// for the same requests, and what is deflated.
func (s *server) buffers() int64 { return 2*generation.InFlight() + s.reader.DeflateMemory() }

// buildingGC is GOGC while a generation is built: what is kept meanwhile is large and
// has hardly any pointers, so that collecting costs little.
const buildingGC = 40

// buildFrugally has garbage collected early until the returned function is called. GOGC,
// if set, decides instead.
func buildFrugally() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(buildingGC)
	return func() { debug.SetGCPercent(before) }
}

// boundMemory keeps the memory of a server near what it has to remember, until the
// returned function is called: buffers come and go by the megabyte, which the garbage
// collector by itself would let pile up. GOMEMLIMIT, if set, decides instead.
func (s *server) boundMemory() (stop func()) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	group := int64(math.MaxInt64) // what the control group allows
	if n, err := memlimit.FromCgroup(); err == nil && n > 0 && n < math.MaxInt64 {
		group = int64(n) / 10 * 9
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer debug.SetMemoryLimit(math.MaxInt64)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		limit := int64(math.MaxInt64)
		built := true // just now
		var kept, extra int64
		const cycles = "/gc/cycles/total:gc-cycles"
		collected := read(cycles)
		for {
			want := group // while a generation is built, which takes as much again
			if s.building.Load() {
				built = true
			} else {
				if built {
					built = false
					kept = collect(s.buffers)
				}
				switch n := read(cycles); {
				case n-collected > manyGC:
					extra += limitStep
				case n-collected < fewGC:
					extra = max(0, extra-limitStep)
				}
				// Requests that hang count, too: else collecting would find nothing, over and over.
				want = min(group, kept+kept/4+room+extra+s.buffers())
			}
			collected = read(cycles)
			if want > limit || want < limit-limitStep {
				limit = want
				debug.SetMemoryLimit(limit)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return cancel
}

// collect gives back what only building took, and returns the memory that is kept, in
// bytes. What is kept while there are readers says little: go-fuse has a spare buffer for
// each size of requests, and what is spare survives one collection.
func collect(buffers func() int64) int64 {
	runtime.GC()
	debug.FreeOSMemory()
	return max(0, read("/gc/heap/live:bytes")-buffers())
}

// read returns a number of the runtime.
func read(name string) int64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"vzip/internal/rig"
)

// sampling is how often the process is looked at.
const sampling = 2 * time.Second

// soak lets everything run for the time that was asked for, then unmounts.
func (w *world) soak(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.time)
	defer cancel()
	begin := time.Now()
	var all sync.WaitGroup
	for i := range w.clients {
		all.Go(func() { w.client(ctx, i) })
	}
	all.Go(func() { w.mutate(ctx) })
	all.Go(func() { w.reload(ctx) })
	w.print("%d clients, a reload every %v, for %v; vzip is process %d", w.clients, w.every, w.time, w.mount.Pid)

	var samples []sample
	next := w.report
	for {
		s, err := look(w.mount.Pid, time.Since(begin))
		if err != nil {
			w.violation(fmt.Errorf("VIOLATION: vzip is gone: %w: %s", err, w.mount.Log()))
			cancel()
			break
		}
		samples = append(samples, s)
		if s.at >= next {
			next += w.report
			w.line(s)
		}
		if !sleep(ctx, sampling) || w.violations() > 20 {
			break
		}
	}
	cancel()
	all.Wait()
	w.mutator.Release()
	last, err := look(w.mount.Pid, time.Since(begin))
	if err == nil {
		samples = append(samples, last)
	}
	if err := w.mount.Close(); err != nil {
		w.violation(err)
	}
	w.summary(samples)
	if n := w.violations(); n > 0 {
		return errors.Join(fmt.Errorf("%d violations", n), w.fatal[0])
	}
	return nil
}

// line prints the counts so far.
func (w *world) line(s sample) {
	w.print("%v: %s; %.1f GiB; programs %d, failed for a cause %d; reloads %d, refused %d; changes %d; %.1f MiB, %d descriptors, %d threads; violations %d",
		s.at.Round(time.Second), &w.reads, w.gib(), w.programs.Load(), w.failed.Load(), w.reloads.Load(), w.refused.Load(), w.changes(),
		float64(s.resident)/(1<<20), s.descriptors, s.threads, w.violations())
}

func (w *world) gib() float64 { return float64(w.reads.Bytes.Load()+w.copied.Load()) / (1 << 30) }

func (w *world) changes() int {
	w.changing.Lock()
	defer w.changing.Unlock()
	return w.mutator.Done()
}

// summary prints the figures.
func (w *world) summary(samples []sample) {
	first, last := samples[min(1, len(samples)-1)], samples[len(samples)-1]
	peak := first.resident
	for _, s := range samples {
		peak = max(peak, s.resident)
	}
	out := func(format string, args ...any) { w.print("figure: soak: "+format, args...) }
	out("%v, %d clients, %.1f GiB read", last.at.Round(time.Second), w.clients, w.gib())
	out("random %s", &w.reads)
	out("ways of reading: %s", w.reads.Ways())
	out("programs: %d, of which %d verified a whole archive and %d failed for a cause", w.programs.Load(), w.verified.Load(), w.failed.Load())
	out("reloads %d, refused while files were written %d, changes of sources %d", w.reloads.Load(), w.refused.Load(), w.changes())
	out("resident memory %.1f MiB at the start, %.1f at the end, %.1f at most; slope of the second half %+.2f MiB/h",
		mib(first.resident), mib(last.resident), mib(peak), slope(samples))
	out("descriptors %d at the start, %d at the end; threads %d and %d", first.descriptors, last.descriptors, first.threads, last.threads)
	out("longest read %v", time.Duration(w.longest.Load()).Round(time.Millisecond))
	out("violations %d", w.violations())
	if n := w.reads.Of(rig.Right); n == 0 {
		w.violation(errors.New("no read was right"))
	}
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

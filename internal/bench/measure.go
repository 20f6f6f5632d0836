package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// sample is one measurement.
type sample struct {
	time, reader, daemon time.Duration // by the clock, and of CPU
	extra                map[string]float64
}

// row is one of the candidates of a table.
type row struct {
	name string
	run  func() (sample, error)
}

// errUnavailable is of a candidate that this machine, or this vzip, doesn't have.
var errUnavailable = errors.New("not available here")

// result is what was measured of a row: medians.
type result struct {
	name                 string
	time, reader, daemon float64 // seconds
	shortest, longest    float64 // of the times
	extra                map[string]float64
}

func (r result) cpu() float64 { return r.reader + r.daemon }

// measure runs the rows in turn, once to warm up, then the rounds that count; slow ones,
// which take minutes, in the first of these only. Rows that are not available are left
// out, with a note.
func (b *bench) measure(what string, rounds int, rows []row, slow ...row) ([]result, error) {
	rows = slices.Concat(rows, slow)
	fast := len(rows) - len(slow)
	samples := make([][]sample, len(rows))
	for round := range rounds + 1 {
		b.progress("%s: round %d of %d", what, round, rounds)
		for i, r := range rows {
			if r.run == nil || i >= fast && round != 1 {
				continue
			}
			if err := b.ctx.Err(); err != nil {
				return nil, err
			}
			s, err := r.run()
			switch {
			case len(samples[i]) == 0 && errors.Is(err, errUnavailable):
				rows[i].run = nil
				b.leaveOut(r.name, err)
			case err != nil:
				return nil, fmt.Errorf("%s: %s: %w", what, r.name, err)
			case round > 0:
				samples[i] = append(samples[i], s)
			}
		}
	}
	var results []result
	for i, r := range rows {
		if r.run != nil {
			results = append(results, summary(r.name, samples[i]))
		}
	}
	return results, nil
}

// summary takes the medians.
func summary(name string, samples []sample) result {
	r := result{name: name, extra: map[string]float64{}}
	column := func(get func(sample) float64) float64 {
		var all []float64
		for _, s := range samples {
			all = append(all, get(s))
		}
		return median(all)
	}
	r.time = column(func(s sample) float64 { return s.time.Seconds() })
	r.reader = column(func(s sample) float64 { return s.reader.Seconds() })
	r.daemon = column(func(s sample) float64 { return s.daemon.Seconds() })
	if len(samples) > 0 {
		longest := slices.MaxFunc(samples, func(x, y sample) int { return int(x.time - y.time) })
		shortest := slices.MinFunc(samples, func(x, y sample) int { return int(x.time - y.time) })
		r.longest, r.shortest = longest.time.Seconds(), shortest.time.Seconds()
		for key := range samples[0].extra {
			r.extra[key] = column(func(s sample) float64 { return s.extra[key] })
		}
	}
	return r
}

// median is the middle value, or the mean of the two in the middle; NaN of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// quantile is the smallest value that a part q of all do not exceed; NaN of none.
// The values have to be sorted.
func quantile[T int64 | float64](sorted []T, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return float64(sorted[min(max(i, 0), len(sorted)-1)])
}

// find returns the result of a row; of NaN where there is none.
func find(results []result, name string) result {
	for _, r := range results {
		if r.name == name {
			return r
		}
	}
	nan := math.NaN()
	return result{name: name, time: nan, reader: nan, daemon: nan}
}

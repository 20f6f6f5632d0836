package main

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// aim is what a figure should be: at least or at most a bound.
type aim struct {
	text    string
	figure  func(*figures) float64 // NaN: not measured
	atLeast bool
	bound   float64
}

func (a aim) holds(value float64) bool {
	if a.atLeast {
		return value >= a.bound
	}
	return value <= a.bound
}

func (a aim) String() string {
	if a.atLeast {
		return fmt.Sprintf("%s: at least %g", a.text, a.bound)
	}
	return fmt.Sprintf("%s: at most %g", a.text, a.bound)
}

func atLeast(bound float64, text string, figure func(*figures) float64) aim {
	return aim{text, figure, true, bound}
}

func atMost(bound float64, text string, figure func(*figures) float64) aim {
	return aim{text, figure, false, bound}
}

// over is one candidate's metric over another's, in the same case.
func over(section, of, metric, a, b string) func(*figures) float64 {
	return func(f *figures) float64 {
		return f.get(section, of, a, metric) / f.get(section, of, b, metric)
	}
}

// one is a figure as it stands.
func one(section, of, candidate, metric string) func(*figures) float64 {
	return func(f *figures) float64 { return f.get(section, of, candidate, metric) }
}

// checkAims prints a line for each aim whose figure is there, and fails if one is missed.
func checkAims(f *figures, w io.Writer) error {
	missed, checked := 0, 0
	if scale := f.get("run", "options", "bench", "scale"); scale != 1 {
		fmt.Fprintf(w, "\nThe aims are for full size; this was measured at scale %g.\n", scale)
	}
	fmt.Fprintln(w)
	for _, a := range allAims() {
		value := a.figure(f)
		if math.IsNaN(value) {
			continue
		}
		checked++
		word := "HOLDS"
		if !a.holds(value) {
			word = "MISSED"
			missed++
		}
		fmt.Fprintf(w, "%-6s  %s: %s\n", word, a, number(value))
	}
	fmt.Fprintf(w, "%d of %d aims hold", checked-missed, checked)
	if unknown := len(allAims()) - checked; unknown > 0 {
		fmt.Fprintf(w, "; %d were not measured", unknown)
	}
	fmt.Fprintln(w)
	switch {
	case checked == 0:
		return errors.New("no aim was measured")
	case missed > 0:
		return fmt.Errorf("%d aims are missed", missed)
	}
	return nil
}

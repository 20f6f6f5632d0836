package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// figure is one number of a run: what metric a candidate had in a case of a section.
type figure struct {
	Section   string  `json:"section"`
	Case      string  `json:"case"`
	Candidate string  `json:"candidate"`
	Metric    string  `json:"metric"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit,omitempty"`
}

// figures are all of a run; they are written as they come.
type figures struct {
	list []figure
	to   io.Writer // nil: nowhere
}

// add keeps a figure. What could not be measured, NaN, is none.
func (f *figures) add(one figure) error {
	if math.IsNaN(one.Value) || math.IsInf(one.Value, 0) {
		return nil
	}
	f.list = append(f.list, one)
	if f.to == nil {
		return nil
	}
	return json.NewEncoder(f.to).Encode(one)
}

// get returns a figure, the last one of several; NaN where there is none.
func (f *figures) get(section, of, candidate, metric string) float64 {
	value := math.NaN()
	for _, one := range f.list {
		if one.Section == section && one.Case == of && one.Candidate == candidate && one.Metric == metric {
			value = one.Value
		}
	}
	return value
}

// load reads the figures of an earlier run.
func (f *figures) load(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for d := json.NewDecoder(file); ; {
		var one figure
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		f.list = append(f.list, one)
	}
}

// record keeps a figure of the section that runs.
func (b *bench) record(of, candidate, metric string, value float64, unit string) {
	if err := b.figures.add(figure{b.section, of, candidate, metric, value, unit}); err != nil {
		b.progress("the figure %s of %s is lost: %v", metric, candidate, err)
	}
}

// recordAll keeps what was measured of a case whose rows handle size bytes.
func (b *bench) recordAll(of string, size int64, results []result) {
	gb := float64(size) / 1e9
	for _, r := range results {
		b.record(of, r.name, "time", r.time, "s")
		b.record(of, r.name, "shortest time", r.shortest, "s")
		b.record(of, r.name, "longest time", r.longest, "s")
		b.record(of, r.name, "reader cpu", r.reader, "s")
		b.record(of, r.name, "daemon cpu", r.daemon, "s")
		b.record(of, r.name, "cpu", r.cpu(), "s")
		if size > 0 {
			b.record(of, r.name, "throughput", gb/r.time, "GB/s")
			b.record(of, r.name, "cpu per GB", r.cpu()/gb, "s/GB")
		}
		for key, value := range r.extra {
			b.record(of, r.name, key, value, "")
		}
	}
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// sample is what a process holds at a time.
type sample struct {
	at                   time.Duration // since the start
	resident             int64         // bytes
	descriptors, threads int
}

// look samples a process.
func look(pid int, at time.Duration) (sample, error) {
	s := sample{at: at}
	dir := fmt.Sprintf("/proc/%d/", pid)
	text, err := os.ReadFile(dir + "status")
	if err != nil {
		return s, err
	}
	for line := range bytes.Lines(text) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		f := bytes.Fields(value)
		if len(f) == 0 {
			continue
		}
		n, err := strconv.ParseInt(string(f[0]), 10, 64)
		switch string(name) {
		case "VmRSS":
			s.resident = n << 10
		case "Threads":
			s.threads = int(n)
		default:
			continue
		}
		if err != nil {
			return s, fmt.Errorf("%sstatus: %w", dir, err)
		}
	}
	fds, err := os.ReadDir(dir + "fd")
	s.descriptors = len(fds)
	return s, err
}

// slope is the growth of resident memory in MiB an hour, by least squares over the
// second half of the time.
func slope(samples []sample) float64 {
	samples = samples[len(samples)/2:]
	var n, x, y, xx, xy float64
	for _, s := range samples {
		h, m := s.at.Hours(), float64(s.resident)/(1<<20)
		n, x, y, xx, xy = n+1, x+h, y+m, xx+h*h, xy+h*m
	}
	if d := n*xx - x*x; d > 0 {
		return (n*xy - x*y) / d
	}
	return 0
}

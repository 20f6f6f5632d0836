package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// millions is the case of the figures of growth.
const millions = "1,000,000 entries"

// growth starts with a million files whose CRCs are remembered, and looks at time and
// memory.
func growth(b *bench) error {
	d, err := b.makeHashed("many", files{b.scaled(1000000), 8})
	if err != nil {
		return err
	}
	path := func(m *mount) string { return filepath.Join(m.dir, d.archive()) }
	results, err := b.measure("growth", min(b.rounds, 3), []row{{vzipCRC, func() (s sample, err error) {
		m, err := b.mount(b.vzipPeer(vzipCRC).serve(d))
		if err != nil {
			return s, err
		}
		defer m.close()
		if s.daemon, err = cpuTime(m.cmd.Process.Pid); err != nil {
			return s, err
		}
		s.time = m.ready
		time.Sleep(2 * time.Second) // it gives back what only starting needs
		s.extra = map[string]float64{}
		for _, step := range []struct {
			name string
			run  func() error
		}{
			{"ls", func() error { _, err := os.ReadDir(m.dir); return err }},
			{"stat", func() error { _, err := os.Stat(path(m)); return err }},
			{"first byte", func() error { return readByte(path(m), 0) }},
			{"last byte", func() error { return readByte(path(m), -1) }},
			{"zipinfo -h", func() error { return b.do("zipinfo", "-h", path(m)) }},
			{"random reads", func() error {
				r, err := b.readRandom("-count", "2000", path(m))
				s.extra["random p50"] = r.extra["p50"]
				return err
			}},
		} {
			begin := time.Now()
			if err := step.run(); err != nil {
				return s, fmt.Errorf("%s: %w", step.name, err)
			}
			s.extra[step.name] = time.Since(begin).Seconds()
		}
		for _, name := range []string{"VmRSS", "VmHWM"} {
			if s.extra[name], err = memoryOf(m.cmd.Process.Pid, name); err != nil {
				return s, err
			}
		}
		return s, nil
	}}})
	if err != nil {
		return err
	}
	b.recordAll(millions, 0, results)
	r := results[0]
	t := table{title: fmt.Sprintf("%d files, CRC-32s remembered", len(d.files)), header: []string{"", "figure"}}
	t.add("visible after, s", number(r.time))
	t.add("CPU until then, s", number(r.daemon))
	t.add("resident memory afterwards, MiB", number(r.extra["VmRSS"]))
	t.add("peak of it, MiB", number(r.extra["VmHWM"]))
	for _, name := range []string{"ls", "stat", "first byte", "last byte", "zipinfo -h"} {
		t.add(name+", ms", number(r.extra[name]*1e3))
	}
	t.add("random reads of 4 KiB, p50, µs", number(r.extra["random p50"]))
	t.print(b.stdout)
	return nil
}

// memoryOf is a figure of /proc/PID/status, in MiB.
func memoryOf(pid int, name string) (float64, error) {
	file := fmt.Sprintf("/proc/%d/status", pid)
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, name+": %f kB", &kb); n == 1 {
			return kb / kib, nil
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

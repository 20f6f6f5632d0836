package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	readyScan   = "--ready=scan, nothing remembered"
	readyHashed = "--ready=hashed, nothing remembered"
	remembered  = "CRC-32s remembered"
)

// start measures when the first byte can be read of an archive whose sources are on
// disk and whose CRCs nobody knows, and what a copy of it takes from there.
func start(b *bench) error {
	d, err := b.makeHashed("start", files{b.scaled(100000), 16 * kib})
	if err != nil {
		return err
	}
	rows := []row{
		b.startRow(d, readyScan, false, "--ready=scan"),
		b.startRow(d, readyHashed, false),
		b.startRow(d, remembered, true),
	}
	results, err := b.measure("start", min(b.rounds, 3), rows)
	if err != nil {
		return err
	}
	b.recordAll("cold", d.size, results)
	t := table{
		title:  fmt.Sprintf("An archive of %d files of 16 KiB, not in memory", len(d.files)),
		header: []string{"", "visible after, s", "first byte after that, s", "copied after, s", "time to that of the copy alone", "CPU s"},
	}
	alone := find(results, remembered)
	for _, r := range results {
		t.add(r.name, number(r.extra["visible"]), number(r.extra["first byte"]), number(r.time), ratio(r.time, alone.time), number(r.cpu()))
	}
	t.print(b.stdout)
	return nil
}

// startRow mounts, reads the first byte, then all. Its time runs from the start of
// vzip to the end of the copy.
func (b *bench) startRow(d *dataset, name string, known bool, flags ...string) row {
	return row{name, func() (s sample, err error) {
		cache := b.path("empty-cache")
		if known {
			cache = b.path("cache", "vzip")
		} else if err := os.RemoveAll(cache); err != nil {
			return s, err
		}
		if err := b.dropCaches(); err != nil {
			return s, err
		}
		p := b.vzipPeer(name, append(flags, "--cache", cache)...)
		m, err := b.mount(p.serve(d))
		if err != nil {
			if strings.Contains(err.Error(), "unknown flag") {
				err = fmt.Errorf("%w: %w", errUnavailable, err)
			}
			return s, err
		}
		defer m.close()
		begin, path := time.Now(), filepath.Join(m.dir, d.archive())
		if err := readByte(path, 0); err != nil {
			return s, err
		}
		first := time.Since(begin)
		if s, err = b.run(command{words: []string{"cat", path}}); err != nil {
			return s, err
		}
		s.time = time.Since(m.started)
		s.daemon, err = cpuTime(m.cmd.Process.Pid)
		s.extra = map[string]float64{"visible": m.ready.Seconds(), "first byte": first.Seconds()}
		return s, err
	}}
}

// readByte reads one byte; from the end where offset is negative.
func readByte(path string, offset int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	whence := io.SeekStart
	if offset < 0 {
		whence = io.SeekEnd
	}
	if _, err := f.Seek(offset, whence); err != nil {
		return err
	}
	_, err = io.ReadFull(f, make([]byte, 1))
	return err
}

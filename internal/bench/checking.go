package main

import (
	"fmt"
	"strconv"
)

// checking measures what the check of every block costs those who read little at a
// time, past the kernel's cache: a block of 128 KiB is read and checked for 4 KiB,
// unless it is remembered.
func checking(b *bench) error {
	d, err := b.makeHashed("checking", files{8, int64(b.scaled(128 * mib))})
	if err != nil {
		return err
	}
	count := b.scaled(20000)
	t := table{
		title:  fmt.Sprintf("%d reads of 4 KiB with O_DIRECT, of an archive of 8 files of %d MiB", count, b.scaled(128)),
		header: []string{"", "p50, µs", "p99, µs", "CPU µs a read", "time to --verify stat"},
	}
	for _, span := range []struct {
		name  string
		bytes int64
	}{{"in the same 4 MiB", 4 * mib}, {"in all of it", 0}} {
		var rows []row
		for _, p := range []peer{b.vzipPeer(vzipStat, "--verify", "stat"), b.vzipPeer(vzipCRC)} {
			rows = append(rows, row{p.name, func() (sample, error) {
				return b.with(p, d, func(path string, _ *mount) (sample, error) {
					return b.readRandom("-direct", "-count", strconv.Itoa(count), "-span", strconv.FormatInt(span.bytes, 10), path)
				})
			}})
		}
		results, err := b.measure(span.name, b.rounds, rows)
		if err != nil {
			return err
		}
		b.recordAll(span.name, 0, results)
		for _, r := range results {
			t.add(span.name+": "+r.name, number(r.extra["p50"]), number(r.extra["p99"]), number(r.cpu()/float64(count)*1e6), ratio(r.time, results[0].time))
		}
	}
	t.print(b.stdout)
	return nil
}

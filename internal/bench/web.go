package main

import (
	"fmt"
	"strconv"
)

// Candidates of the section http.
const (
	nginx         = "nginx, the real ZIP, sendfile"
	vzipServe     = "vzip serve"
	vzipServeStat = "vzip serve --verify stat"
	fileServer    = "Go's http.FileServer, the real ZIP"
)

const (
	rangeSize        = 64 * kib
	rangeConnections = 64
)

// overHTTP measures vzip serve beside servers of the same archive as a file: a download
// of all of it, and ranges at random places.
func overHTTP(b *bench) (err error) {
	const full = 4 * gib
	size := int64(float64(full) * b.scale * b.fit(int64(full*b.scale), 2.2)) // the source, and the ZIP
	d, err := b.makeHashed("http", files{1, max(size, 4*mib)})
	if err != nil {
		return err
	}
	if err := b.makeZIP(d); err != nil {
		return err
	}
	var servers []*webServer
	defer func() {
		for _, s := range servers {
			s.close()
		}
	}()
	for _, p := range b.webPeers(d) {
		s, err := b.startWeb(p)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	if err := b.downloads(d, servers); err != nil {
		return err
	}
	return b.ranges(d, servers)
}

// downloads measures one client that takes the whole archive.
func (b *bench) downloads(d *dataset, servers []*webServer) error {
	var rows []row
	for _, s := range servers {
		rows = append(rows, row{s.name, func() (sample, error) {
			return s.during(func() (sample, error) {
				return b.run(command{words: []string{"curl", "-sSf", "-o", "/dev/null", s.url}})
			})
		}})
	}
	results, err := b.measure("download", b.rounds, rows)
	if err != nil {
		return err
	}
	b.recordAll("download", d.size, results)
	t := table{
		title:  fmt.Sprintf("A download of an archive of %s GB, by curl to /dev/null", number(float64(d.size)/1e9)),
		header: []string{"", "GB/s", "server's CPU s/GB", "curl's CPU s/GB", "throughput to nginx", "server's CPU to nginx", "server's peak, MiB"},
	}
	gb, base := float64(d.size)/1e9, find(results, nginx)
	for _, r := range results {
		t.add(r.name, number(gb/r.time), number(r.daemon/gb), number(r.reader/gb), ratio(base.time, r.time), ratio(r.daemon, base.daemon), peak(r))
	}
	t.print(b.stdout)
	return nil
}

// ranges measures many clients that take pieces.
func (b *bench) ranges(d *dataset, servers []*webServer) error {
	count := max(rangeConnections*4, b.scaled(20000))
	var rows []row
	for _, s := range servers {
		rows = append(rows, row{s.name, func() (sample, error) {
			return s.during(func() (sample, error) { return b.askRanges(count, s) })
		}})
	}
	results, err := b.measure("ranges", b.rounds, rows)
	if err != nil {
		return err
	}
	b.recordAll("ranges", int64(count)*rangeSize, results)
	t := table{
		title:  fmt.Sprintf("Ranges of %d KiB at random places of it, %d connections at once", rangeSize/kib, rangeConnections),
		header: []string{"", "p50, ms", "p99, ms", "ranges a second", "server's CPU µs a range", "p50 to nginx", "p99 to nginx", "server's CPU to nginx"},
	}
	base := find(results, nginx)
	for _, r := range results {
		t.add(r.name, number(r.extra["p50"]/1e3), number(r.extra["p99"]/1e3), number(r.extra["rate"]), number(r.daemon/float64(count)*1e6),
			ratio(r.extra["p50"], base.extra["p50"]), ratio(r.extra["p99"], base.extra["p99"]), ratio(r.daemon, base.daemon))
	}
	t.print(b.stdout)
	return nil
}

// askRanges runs the child that asks for ranges, and takes its figures.
func (b *bench) askRanges(count int, of *webServer) (sample, error) {
	return b.latenciesOf(b.asChild("ranges", "-size", strconv.Itoa(rangeSize), "-connections", strconv.Itoa(rangeConnections), "-count", strconv.Itoa(count), of.url))
}

package main

import (
	"path/filepath"
	"strconv"
)

const (
	sources  = "the sources themselves"
	vzipCRC  = "vzip mount"
	vzipStat = "vzip mount --verify stat"
	vzipCat  = "vzip cat"
	bestOf   = "the best loopback"
)

// sequentialSets are what is read. Of all data there are the sources, the real ZIP,
// and pages of a mount in memory at once.
var sequentialSets = []struct {
	name, title string
	files       files
	largest     bool // scale the size, not the number
}{
	{"large", "40 files of 100 MB", files{40, 100e6}, true},
	{"one", "one file of 4 GB", files{1, 4e9}, true},
	{"small", "20,000 files of 64 KiB", files{20000, 64 * kib}, false},
}

// sequentialReaders read the files that are named, from end to end.
var sequentialReaders = []struct {
	name string
	make func(b *bench, files []string) command
}{
	{"cat", func(_ *bench, files []string) command { return command{words: append([]string{"cat"}, files...)} }},
	{"read 1 MiB", func(b *bench, files []string) command {
		return b.asChild("read", append([]string{strconv.Itoa(mib)}, files...)...)
	}},
}

// sequential reads every data set in every way.
func sequential(b *bench) error {
	for _, set := range sequentialSets {
		total := int64(float64(set.files.count) * float64(set.files.size) * b.scale)
		part := b.scale * b.fit(total, 3.2)
		f := set.files
		if set.largest {
			f.size = max(1, int64(float64(f.size)*part))
		} else {
			f.count = max(1, int(float64(f.count)*part))
		}
		d, err := b.makeHashed(set.name, f)
		if err != nil {
			return err
		}
		if err := b.makeZIP(d); err != nil {
			return err
		}
		for _, reader := range sequentialReaders {
			title := set.title + ", " + reader.name
			results, err := b.measure(title, b.rounds, b.sequentialRows(d, reader.make))
			if err != nil {
				return err
			}
			of := set.name + ", " + reader.name
			b.recordAll(of, d.size, results)
			b.sequentialTable(title, of, d, results)
		}
		if err := b.clean(); err != nil {
			return err
		}
	}
	return nil
}

// sequentialRows are the candidates.
func (b *bench) sequentialRows(d *dataset, reader func(*bench, []string) command) []row {
	relative := make([]string, len(d.files)) // 20,000 long names would not fit in a command line
	for i, file := range d.files {
		relative[i], _ = filepath.Rel(d.dir, file)
	}
	rows := []row{{sources, func() (sample, error) {
		c := reader(b, relative)
		c.dir = d.dir
		return b.run(c)
	}}}
	peers := []peer{b.vzipPeer(vzipCRC), b.vzipPeer(vzipStat, "--verify", "stat"), zipPeer(), b.shipped(), b.bindfs()}
	peers = append(peers, b.loopbacks()...)
	for _, p := range peers {
		rows = append(rows, row{p.name, func() (sample, error) {
			return b.with(p, d, func(path string, _ *mount) (sample, error) {
				return b.run(reader(b, []string{path}))
			})
		}})
	}
	return append(rows, row{vzipCat, func() (sample, error) {
		return b.run(command{words: []string{b.vzip, "cat", "--quiet", d.layout, d.archive()}})
	}})
}

func (b *bench) sequentialTable(title, of string, d *dataset, results []result) {
	t := table{title: title, header: []string{"", "GB/s", "CPU s/GB", "of it the reader", "of it the daemon", "time to sources", "throughput to the loopback", "CPU to it", "allocated, MB/GB", "peak, MiB"}}
	gb := float64(d.size) / 1e9
	base, loopback := find(results, sources), find(results, shippedServed)
	for _, r := range results {
		t.add(r.name, number(gb/r.time), number(r.cpu()/gb), number(r.reader/gb), number(r.daemon/gb),
			ratio(r.time, base.time), ratio(loopback.time, r.time), ratio(r.cpu(), loopback.cpu()), allocated(r, gb), peak(r))
	}
	t.print(b.stdout)
	if best := bestLoopback(results); best.name != "" {
		vzip := find(results, vzipCRC)
		b.record(of, bestOf, "throughput", gb/best.time, "GB/s")
		b.note("The best loopback is %q; vzip mount has %s of its throughput, and %s of its CPU time.",
			best.name, ratio(best.time, vzip.time), ratio(vzip.cpu(), best.cpu()))
	}
}

// bestLoopback is the fastest of those that see the bytes.
func bestLoopback(results []result) (best result) {
	for _, v := range loopbackVariants {
		if r := find(results, v.name); r.time > 0 && (best.name == "" || r.time < best.time) {
			best = r
		}
	}
	return best
}

// peak is how much memory the daemon had at most.
func peak(r result) string {
	if mebi, ok := r.extra["VmHWM"]; ok {
		return number(mebi)
	}
	return "-"
}

// allocated is what the daemon took from its heap, in MB for each GB; "-" where it
// does not tell.
func allocated(r result, gb float64) string {
	bytes, ok := r.extra[allocatedBytes]
	if !ok {
		return "-"
	}
	return number(bytes / 1e6 / gb)
}

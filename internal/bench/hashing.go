package main

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

const (
	vzipHash  = "vzip hash"
	bareLoop  = "klauspost/crc32 over 1 MiB preads, one core"
	sevenHash = "7z h -scrcCRC32"
)

var hashingSets = []struct {
	name, title string
	files       files
	largest     bool
}{
	{"one", "one file of 4 GiB", files{1, 4 * gib}, true},
	{"small", "100,000 files of 16 KiB", files{100000, 16 * kib}, false},
}

// hashing works out the CRC-32s of files in memory and on disk, of files that are
// mostly holes, and those that are known.
func hashing(b *bench) error {
	for _, set := range hashingSets {
		f := set.files
		if set.largest {
			f.size = int64(float64(f.size) * b.scale * b.fit(f.size, 1.1))
		} else {
			f.count = b.scaled(f.count)
		}
		d, err := b.makeData(set.name, f)
		if err != nil {
			return err
		}
		list, err := b.list(d)
		if err != nil {
			return err
		}
		for _, step := range []func() error{
			func() error { return b.hashWarm(set.name, set.title, d, list) },
			func() error { return b.hashCold(set.name, set.title, d, list) },
			func() error { return b.hashRemembered(set.name, set.title, d) },
			b.clean,
		} {
			if err := step(); err != nil {
				return err
			}
		}
	}
	return b.hashSparse()
}

// list writes the names of all files to a file.
func (b *bench) list(d *dataset) (string, error) {
	path := b.path(d.name + ".list")
	return path, os.WriteFile(path, []byte(strings.Join(d.files, "\n")+"\n"), 0o644)
}

// hashRow is vzip with nothing remembered.
func (b *bench) hashRow(d *dataset) row {
	return row{vzipHash, func() (sample, error) {
		cache := b.path("empty-cache")
		if err := os.RemoveAll(cache); err != nil {
			return sample{}, err
		}
		return b.run(command{words: []string{b.vzip, "hash", "--quiet", "--cache", cache, d.layout}})
	}}
}

func (b *bench) hashWarm(of, title string, d *dataset, list string) error {
	results, err := b.measure(title+", warm", b.rounds, []row{
		b.hashRow(d),
		{bareLoop, func() (sample, error) {
			c := b.asChild("crc", list)
			c.out = &bytes.Buffer{}
			s, err := b.run(c)
			if err != nil {
				return s, err
			}
			seconds, err := strconv.ParseFloat(strings.TrimSpace(c.out.String()), 64)
			s.time = time.Duration(seconds * float64(time.Second)) // of the loop alone
			return s, err
		}},
		{sevenHash, func() (sample, error) { return b.run(command{words: []string{"7z", "h", "-scrcCRC32", d.dir}}) }},
	})
	if err != nil {
		return err
	}
	of += ", warm"
	b.recordAll(of, d.size, results)
	cores := float64(runtime.NumCPU())
	t := table{title: title + ", in memory", header: []string{"", "GB/s", "CPU s/GB", "throughput to cores × the loop's"}}
	gb, loop := float64(d.size)/1e9, find(results, bareLoop)
	for _, r := range results {
		t.add(r.name, number(gb/r.time), number(r.cpu()/gb), ratio(loop.time/cores, r.time))
	}
	t.print(b.stdout)
	b.record(of, vzipHash, "throughput to cores", loop.time/cores/find(results, vzipHash).time, "")
	return nil
}

func (b *bench) hashCold(of, title string, d *dataset, list string) error {
	cold := func(r row) row {
		return row{r.name, func() (sample, error) {
			if err := b.dropCaches(); err != nil {
				return sample{}, err
			}
			return r.run()
		}}
	}
	results, err := b.measure(title+", cold", min(b.rounds, 3), []row{
		cold(b.hashRow(d)),
		cold(row{sources, func() (sample, error) {
			return b.run(command{words: []string{"sh", "-c", `tr '\n' '\0' <"$1" | xargs -0 cat >/dev/null`, "sh", list}})
		}}),
	})
	if err != nil {
		return err
	}
	b.recordAll(of+", cold", d.size, results)
	t := table{title: title + ", on disk", header: []string{"", "GB/s", "CPU s/GB", "throughput to cat of the sources"}}
	gb, cat := float64(d.size)/1e9, find(results, sources)
	for _, r := range results {
		t.add(r.name, number(gb/r.time), number(r.cpu()/gb), ratio(cat.time, r.time))
	}
	t.print(b.stdout)
	return nil
}

// hashSparse hashes two disk images that are holes but for a hundredth.
func (b *bench) hashSparse() error {
	d := &dataset{name: "sparse", dir: b.path("sparse"), layout: b.path("sparse.yaml")}
	data, err := b.fillSparse(d)
	if err != nil {
		return err
	}
	results, err := b.measure("sparse", b.rounds, []row{b.hashRow(d)})
	if err != nil {
		return err
	}
	b.recordAll("sparse", d.size, results)
	b.note("Two sparse files, %.0f GB with %.2f GB of data: %s s, %s s of CPU.", float64(d.size)/1e9, float64(data)/1e9, number(results[0].time), number(results[0].cpu()))
	return nil
}

// fillSparse makes the two disk images, and returns how many bytes of them are data.
func (b *bench) fillSparse(d *dataset) (data int64, err error) {
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		return 0, err
	}
	b.progress("making two sparse files")
	w := newFiller()
	for name, size := range map[string]int64{"windows.vhdx": 70e9, "linux.vhdx": 85e9} {
		size = int64(float64(size) * b.scale)
		f, err := os.Create(d.dir + "/" + name)
		if err != nil {
			return 0, err
		}
		err = f.Truncate(size)
		for at := int64(0); at+mib <= size && err == nil; at += 100 * mib {
			_, err = f.WriteAt(w.fresh(mib), at)
			data += mib
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return 0, err
		}
		d.size += size
	}
	return data, b.describe(d)
}

// dropCaches has the kernel forget what it has read of disks, but for the programs.
func (b *bench) dropCaches() error {
	if err := b.settle(); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		return err
	}
	return b.do("sh", "-c", `"$1" version; cat --version; xargs --version`, "sh", b.vzip)
}

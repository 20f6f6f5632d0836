package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	compressor "vzip/internal/deflate"
)

const (
	infoZip     = "zip -6"
	sevenZip5   = "7z a -tzip -mx5"
	pigz        = "pigz -6"
	bsdtarZip   = "bsdtar --format zip, level 6"
	deflateLoop = "vzip's compressor over 1 MiB preads, one core"
	hashAll     = "vzip hash, all cores"
	hashOne     = "vzip hash --jobs 1"
	hashAuto    = "vzip hash, method: auto"
	readNew     = "vzip mount, nothing cached"
	readCached  = "vzip mount, blocks cached"
	readStored  = "vzip mount, method: store"
	deflateJob  = "vzip exec: hash, mount, cp"
	sevenZipJob = sevenZip5 + ", cp"
)

type deflateSet struct {
	name, title string
	fill        func(*bench, *dataset) error
	auto        bool // method: auto, too
}

var deflateSets = []deflateSet{
	{"tar", "a tar of Go's sources", (*bench).fillTar, false},
	{"log", "a log file", (*bench).fillLog, false},
	{"mixed", "a tree of sources, pictures and logs", (*bench).fillMixed, true},
}

// section is one for each, as the log takes half an hour.
func (set deflateSet) section() section {
	return section{name: "deflate-" + set.name, title: "Compressed archives: " + set.title, run: set.run}
}

// run makes compressed archives: how small, how fast, and how fast they are read.
func (set deflateSet) run(b *bench) error {
	d, err := b.toDeflate(set.name, set.fill)
	if err != nil {
		return err
	}
	title := fmt.Sprintf("%s, %.0f MB", set.title, float64(d.size)/1e6)
	if err := b.deflateMake(d, title, set.auto); err != nil {
		return err
	}
	if err := b.deflateRead(d, title); err != nil {
		return err
	}
	return b.deflateWhole(d, title)
}

// toDeflate makes a data set, and a layout that compresses it.
func (b *bench) toDeflate(name string, fill func(*bench, *dataset) error) (*dataset, error) {
	d := &dataset{name: name, dir: b.path(name), layout: b.path(name + ".yaml"), keys: "method: deflate, level: 6, "}
	b.progress("making %s", name)
	if err := os.Mkdir(d.dir, 0o755); err != nil {
		return nil, err
	}
	return d, errors.Join(fill(b, d), b.describe(d), b.ctx.Err())
}

// as is the same sources in an archive with other keys.
func (b *bench) as(d *dataset, name, keys string) (*dataset, error) {
	other := *d
	other.name, other.keys, other.layout = d.name+"-"+name, keys, b.path(d.name+"-"+name+".yaml")
	return &other, b.describe(&other)
}

// deflateMakers are programs that compress the folder d.dir, and one that takes minutes to; they
// run in the folder that it is in.
func deflateMakers(d *dataset, out string) (makers []zipMaker, slow zipMaker) {
	tree := filepath.Base(d.dir)
	pigzWords := []string{"sh", "-c", `tar -c "$1" | pigz -6 >"$2"`, "pigz", tree, out}
	if len(d.files) == 1 {
		pigzWords = []string{"sh", "-c", `pigz -6 -k -c "$1" >"$2"`, "pigz", d.files[0], out}
	}
	return []zipMaker{
		{infoZip, []string{"zip", "-6", "-q", "-r", out, tree}, nil},
		{pigz, pigzWords, nil},
		{bsdtarZip, []string{"bsdtar", "-c", "--format", "zip", "--options", "zip:compression-level=6", "-f", out, tree}, nil},
	}, zipMaker{sevenZip5, []string{"7z", "a", "-tzip", "-mx5", "-bso0", "-bsp0", out, tree}, nil}
}

// makerRow runs a program that writes a file, which is gone before and is not kept.
func (b *bench) makerRow(m zipMaker, out string) row {
	return row{m.name, func() (s sample, err error) {
		if err := errors.Join(os.RemoveAll(out), b.settle()); err != nil {
			return s, err
		}
		if m.name == pigz {
			if err := b.do("pigz", "--version"); err != nil { // the shell would not tell
				return s, err
			}
		}
		if s, err = b.run(command{dir: b.dir, words: m.words, env: m.env}); err != nil {
			return s, err
		}
		info, err := os.Stat(out)
		if err != nil {
			return s, err
		}
		s.extra["size"] = float64(info.Size())
		return s, os.Remove(out)
	}}
}

// archiveSize is the size of an archive, which has to be hashed.
func (b *bench) archiveSize(d *dataset, cache string) (size float64, err error) {
	c := command{words: []string{b.vzip, "exec", "--quiet", "--cache", cache, d.layout, "--", "sh", "-c", `stat -c %s "$VZIP_MOUNT/$1"`, "sh", d.archive()}, out: &bytes.Buffer{}}
	if _, err := b.run(c); err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(c.out.String(), &size)
	return size, err
}

// precomputeRow is vzip hash with nothing remembered.
func (b *bench) precomputeRow(name string, d *dataset, flags ...string) row {
	return row{name, func() (s sample, err error) {
		cache := b.path("empty-cache")
		if err := errors.Join(os.RemoveAll(cache), b.settle()); err != nil {
			return s, err
		}
		words := append([]string{b.vzip, "hash", "--quiet", "--cache", cache}, flags...)
		if s, err = b.run(command{words: append(words, d.layout)}); err != nil {
			return s, err
		}
		s.extra["size"], err = b.archiveSize(d, cache)
		return s, err
	}}
}

// deflateMake measures how long archives take to be made, or to be worked out, and how
// large they are.
func (b *bench) deflateMake(d *dataset, title string, auto bool) error {
	list, err := b.list(d)
	if err != nil {
		return err
	}
	rows := []row{
		b.precomputeRow(hashAll, d),
		b.precomputeRow(hashOne, d, "--jobs", "1"),
		{deflateLoop, func() (sample, error) { return b.loopOf("deflate", "6", list) }},
	}
	if auto {
		a, err := b.as(d, "auto", "method: auto, level: 6, ")
		if err != nil {
			return err
		}
		rows = append(rows, b.precomputeRow(hashAuto, a))
	}
	out := b.path("out.archive.zip")
	makers, seven := deflateMakers(d, out)
	for _, m := range makers {
		rows = append(rows, b.makerRow(m, out))
	}
	results, err := b.measure(d.name+", made", min(b.rounds, 3), rows, b.makerRow(seven, out))
	if err != nil {
		return err
	}
	b.recordAll(d.name, d.size, results)
	t := table{title: title + ", made", header: []string{"", "s", "MB/s", "CPU s", "archive, MB", "size to zip -6's", "throughput to cores × the loop's"}}
	loop, zip, cores := find(results, deflateLoop), find(results, infoZip), float64(runtime.NumCPU())
	for _, r := range results {
		size := r.extra["size"]
		b.record(d.name, r.name, "size to zip -6", size/zip.extra["size"], "")
		b.record(d.name, r.name, "throughput to cores", loop.time/cores/r.time, "")
		t.add(r.name, number(r.time), number(float64(d.size)/1e6/r.time), number(r.cpu()), number(size/1e6), ratio(size, zip.extra["size"]), ratio(loop.time/cores, r.time))
	}
	t.print(b.stdout)
	b.note("All cores do %s times what --jobs 1 does. A block of 1 MiB takes the loop %s ms.",
		ratio(find(results, hashOne).time, find(results, hashAll).time), number(1e3*mib*loop.time/float64(d.size)))
	b.record(d.name, deflateLoop, "block", 1e6*mib*loop.time/float64(d.size), "µs")
	return nil
}

// loopOf runs a child that prints the seconds of a loop, and how many bytes it made.
func (b *bench) loopOf(name string, args ...string) (sample, error) {
	c := b.asChild(name, args...)
	c.out = &bytes.Buffer{}
	s, err := b.run(c)
	if err != nil {
		return s, err
	}
	var seconds, size float64
	if _, err := fmt.Sscan(c.out.String(), &seconds, &size); err != nil {
		return s, err
	}
	s.time = time.Duration(seconds * float64(time.Second)) // of the loop alone
	s.extra["size"] = size
	return s, nil
}

// deflateChild compresses files block by block: LEVEL LIST, a file of their names.
func deflateChild(args []string) error {
	if len(args) != 2 {
		return errors.New("the words are LEVEL LIST")
	}
	level, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	block, made, total := compressor.New(level).Block, []byte(nil), 0
	buffer := make([]byte, mib)
	begin := time.Now()
	for name := range strings.Lines(string(text)) {
		f, err := os.Open(strings.TrimSuffix(name, "\n"))
		if err != nil {
			return err
		}
		for {
			n, err := io.ReadFull(f, buffer)
			if n > 0 {
				made = block(made[:0], buffer[:n], n < len(buffer))
				total += len(made)
			}
			if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			} else if err != nil {
				return errors.Join(err, f.Close())
			}
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	_, err = fmt.Println(time.Since(begin).Seconds(), total)
	return err
}

// deflateRead reads archives through mounts, whose block tables are remembered.
func (b *bench) deflateRead(d *dataset, title string) error {
	stored, err := b.as(d, "store", "method: store, ")
	if err != nil {
		return err
	}
	if err := errors.Join(b.remember(d), b.remember(stored)); err != nil {
		return err
	}
	// What is measured is what the daemon sends: the file is out of the kernel's cache.
	forget := func(path string) error { return b.do("dd", "if="+path, "iflag=nocache", "count=0", "status=none") }
	read := func(name string, d *dataset, again bool, flags ...string) row {
		return row{name, func() (s sample, err error) {
			p := b.vzipPeer(name, flags...)
			m, err := b.mount(p.serve(d))
			if err != nil {
				return s, err
			}
			path := filepath.Join(m.dir, p.file(d))
			cat := func() (sample, error) { return b.run(command{words: []string{"cat", path}}) }
			info, err := os.Stat(path)
			if err == nil && again {
				_, err = cat()
				err = errors.Join(err, forget(path))
			}
			if err == nil {
				s, err = m.during(b.ctx, cat)
			}
			if err == nil {
				s.extra["size"] = float64(info.Size())
			}
			return s, errors.Join(err, m.close())
		}}
	}
	const fits = "--deflate-cache=%dMiB" // more than all compressed data has
	random := row{"random", func() (sample, error) {
		return b.with(b.vzipPeer("random"), d, func(path string, _ *mount) (sample, error) {
			return b.readRandom("-direct", "-size", strconv.Itoa(64*kib), "-count", strconv.Itoa(max(50, b.scaled(2000))), path)
		})
	}}
	results, err := b.measure(d.name+", read", min(b.rounds, 3), []row{
		read(readNew, d, false),
		read(readCached, d, true, fmt.Sprintf(fits, d.size/mib+64)),
		read(readStored, stored, false),
		random,
	})
	if err != nil {
		return err
	}
	for i := range results {
		r := &results[i]
		b.recordAll(d.name+", read", d.size, results[i:i+1])
		b.record(d.name+", read", r.name, "archive throughput", r.extra["size"]/1e9/r.time, "GB/s")
	}
	loop := b.figures.get(b.section, d.name, deflateLoop, "time")
	rate, cores := float64(d.size)/loop, float64(runtime.NumCPU())
	t := table{title: title + ", read with cat", header: []string{"", "MB/s of sources", "MB/s of the archive", "CPU s/GB of sources", "sources to cores × the loop's", "archive to method: store", "peak, MiB"}}
	store := find(results, readStored)
	for _, r := range results[:len(results)-1] {
		archive := r.extra["size"] / r.time
		toStore := archive / (store.extra["size"] / store.time)
		b.record(d.name+", read", r.name, "throughput to cores", float64(d.size)/r.time/(rate*cores), "")
		b.record(d.name+", read", r.name, "archive throughput to store", toStore, "")
		t.add(r.name, number(float64(d.size)/1e6/r.time), number(archive/1e6), number(r.cpu()/(float64(d.size)/1e9)),
			number(float64(d.size)/r.time/(rate*cores)), number(toStore), peak(r))
	}
	t.print(b.stdout)
	r := find(results, random.name)
	two := 2e6 * mib / rate
	b.record(d.name+", read", random.name, "p99 to two blocks", r.extra["p99"]/two, "")
	b.note("Random reads of 64 KiB in it: p50 %s µs, p99 %s µs; two blocks take the compressor %s µs. The daemon's peak: %s MiB.",
		number(r.extra["p50"]), number(r.extra["p99"]), number(two), peak(r))
	// With the room that blocks have by default.
	b.record(d.name+", read", "vzip mount", "VmHWM", slices.Max([]float64{find(results, readNew).extra["VmHWM"], r.extra["VmHWM"]}), "MiB")
	return nil
}

// deflateWhole goes from the sources to a copy of the archive, which stands for an upload.
func (b *bench) deflateWhole(d *dataset, title string) error {
	out, upload := b.path("out.archive.zip"), b.path("upload")
	rest := func() error {
		return errors.Join(os.RemoveAll(out), os.RemoveAll(upload), os.RemoveAll(b.path("empty-cache")), b.settle())
	}
	_, seven := deflateMakers(d, out)
	results, err := b.measure(d.name+", whole job", min(b.rounds, 3), []row{
		{deflateJob, func() (s sample, err error) {
			if err := rest(); err != nil {
				return s, err
			}
			return b.run(command{words: []string{b.vzip, "exec", "--quiet", "--cache", b.path("empty-cache"), d.layout, "--",
				"sh", "-c", `cp "$VZIP_MOUNT/$1" "$2"`, "sh", d.archive(), upload}})
		}},
	}, row{sevenZipJob, func() (s sample, err error) {
		if err := rest(); err != nil {
			return s, err
		}
		words := []string{"sh", "-c", `"$@" && cp "` + out + `" "` + upload + `"`, "sh"}
		return b.run(command{dir: b.dir, words: append(words, seven.words...)})
	}})
	if err != nil {
		return err
	}
	b.recordAll(d.name+", whole job", d.size, results)
	t := table{title: title + ", from the sources to a copy of the archive", header: []string{"", "s", "time to vzip's", "CPU s", "GB written to disk"}}
	for _, r := range results {
		t.add(r.name, number(r.time), ratio(r.time, results[0].time), number(r.cpu()), number(r.extra["written"]/1e9))
	}
	t.print(b.stdout)
	return rest()
}

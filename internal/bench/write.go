package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"vzip/internal/rig"
)

const (
	vzipWrite    = "vzip write, CRC-32s remembered"
	vzipWriteNew = "vzip write, nothing remembered"
	vzipCopy     = "cp from vzip mount, CRC-32s remembered"
)

// writeSets are the two archives: of the data that each file system holds, 8 GiB together.
var writeSets = []struct {
	name    string
	files   files
	largest bool // scale the size, not the number
}{
	{"large", files{8, 868 * mib}, true},
	{"small", files{20000, 64 * kib}, false},
}

// writePlaces are the file systems, one at a time.
var writePlaces = []struct {
	kind  rig.Kind
	peers bool // all of them, not 7z alone
	pair  bool // the sparse files, too
}{
	{rig.Kind{Name: "XFS", Type: "xfs", Mkfs: []string{"mkfs.xfs", "-q", "-f", "-m", "reflink=1"}}, true, true},
	{rig.Kind{Name: "btrfs", Type: "btrfs", Mkfs: []string{"mkfs.btrfs", "-q", "-f"}}, false, false},
	{rig.Kind{Name: "ext4", Type: "ext4", Mkfs: []string{"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"}}, false, false},
}

// write makes real files of archives on the file system that their sources are on.
func write(b *bench) error {
	total := int64(0)
	for _, set := range writeSets {
		total += int64(set.files.count) * set.files.size
	}
	total = int64(float64(total) * b.scale)
	part := b.scale * b.fit(total, 2.2)
	header := []string{"", "s", "7z's time there to it", "CPU s", "new on the disk, MB", "of the data, %"}
	tables, made := map[string]*table{}, 0
	for _, on := range writePlaces {
		kind := on.kind
		kind.Size = gib + total*9/4 // sources, one archive at a time, and room
		p, err := b.place(kind)
		if b.ctx.Err() != nil {
			return b.ctx.Err()
		}
		if err != nil {
			b.leaveOut(kind.Name, err)
			continue
		}
		made++
		var all []*dataset
		for _, set := range writeSets {
			f := set.files
			if set.largest {
				f.size = max(1, int64(float64(f.size)*part))
			} else {
				f.count = max(1, int(float64(f.count)*part))
			}
			d := b.writeSet(p, set.name)
			if err := errors.Join(b.fill(d, f), b.ctx.Err()); err != nil {
				return err
			}
			all = append(all, d)
			if tables[d.name] == nil {
				tables[d.name] = &table{title: fmt.Sprintf("An archive of %d files of %s, %.2f GB", f.count, inWords(f.size), float64(d.size)/1e9), header: header}
			}
		}
		for _, d := range all {
			if err := b.writeOn(p, d, d.size, on.peers, tables[d.name]); err != nil {
				return err
			}
		}
		if on.pair {
			d := b.writeSet(p, "sparse")
			data, err := b.fillSparse(d)
			if err != nil {
				return err
			}
			tables[d.name] = &table{title: fmt.Sprintf("Two sparse files, %.0f GB with %.2f GB of data", float64(d.size)/1e9, float64(data)/1e9), header: header}
			if err := b.writeOn(p, d, data, false, tables[d.name]); err != nil {
				return err
			}
		}
		if err := b.clean(); err != nil {
			return err
		}
	}
	for _, name := range []string{"large", "small", "sparse"} {
		if t := tables[name]; t != nil {
			t.print(b.stdout)
		}
	}
	if made == 0 {
		return errors.New("no file system could be made")
	}
	return nil
}

// inWords is a size.
func inWords(n int64) string {
	if n < mib {
		return fmt.Sprintf("%.3g KiB", float64(n)/kib)
	}
	return fmt.Sprintf("%.3g MiB", float64(n)/mib)
}

// place makes a file system in an image, past whose own pages in the kernel's cache it
// is read and written.
func (b *bench) place(kind rig.Kind) (*rig.Place, error) {
	b.progress("making %s", kind.Name)
	dir := b.path(kind.Name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	p, err := kind.Make(b.ctx, dir)
	if err != nil {
		return nil, err
	}
	b.places = append(b.places, p)
	mounts, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(p.Dir))
	if err != nil || len(mounts) == 0 {
		return nil, fmt.Errorf("%s is not mounted: %w", p.Dir, err)
	}
	if err := b.do("losetup", "--direct-io=on", mounts[0].Source); err != nil {
		b.note("The image is cached besides its file system: %v.", err)
	}
	return p, nil
}

// writeSet is a data set to be, on a place, whose archive has data at blocks.
func (b *bench) writeSet(p *rig.Place, name string) *dataset {
	return &dataset{name: name, dir: filepath.Join(p.Dir, name), layout: b.path(name + ".yaml"), keys: "align: 4KiB, "}
}

// writeOn measures an archive's rows on a place, and adds them to a table. Of its sources
// data bytes are no holes.
func (b *bench) writeOn(p *rig.Place, d *dataset, data int64, peers bool, t *table) error {
	if err := b.remember(d); err != nil {
		return err
	}
	if _, err := b.list(d); err != nil {
		return err
	}
	results, err := b.measure(d.name+" on "+p.Name, min(b.rounds, 3), b.writeRows(p, d, data, peers))
	if err != nil {
		return err
	}
	b.recordAll(p.Name+", "+d.name, d.size, results)
	for _, r := range results {
		t.add(p.Name+": "+r.name, number(r.time), ratio(find(results, sevenZip).time, r.time), number(r.cpu()),
			number(r.extra["new blocks"]/1e6), number(100*r.extra["new blocks to data"]))
	}
	return nil
}

// writeRows are the candidates. Each of them ends when its file is on the disk, and has
// it looked at after that.
func (b *bench) writeRows(p *rig.Place, d *dataset, data int64, peers bool) (rows []row) {
	out := filepath.Join(p.Dir, "out.zip")
	add := func(name string, run func() (sample, error), check func(*dataset, string) error) {
		rows = append(rows, row{name, func() (s sample, err error) {
			if err := b.rest(p, d, out); err != nil {
				return s, err
			}
			before, err := freeBytes(p.Dir)
			if err != nil {
				return s, err
			}
			if s, err = run(); err != nil {
				return s, err
			}
			after, err := freeBytes(p.Dir)
			s.extra["new blocks"] = float64(before - after)
			s.extra["new blocks to data"] = float64(before-after) / float64(data)
			return s, errors.Join(err, check(d, out))
		}})
	}
	vzip := func(flags ...string) (sample, error) {
		words := append([]string{b.vzip, "write", "--quiet"}, flags...)
		return b.run(command{words: append(words, d.layout, d.archive(), out)})
	}
	synced := func(c command) (sample, error) { // as vzip write does: the file, then its folder
		c.words = append([]string{"sh", "-c", `"$@" && sync "$OUT" "${OUT%/*}"`, "sh"}, c.words...)
		c.env = append(c.env, "OUT="+out)
		return b.run(c)
	}
	add(vzipWrite, func() (sample, error) { return vzip() }, b.checkWritten)
	add(vzipWriteNew, func() (sample, error) {
		cache := b.path("empty-cache")
		if err := os.RemoveAll(cache); err != nil {
			return sample{}, err
		}
		return vzip("--cache", cache)
	}, b.checkWritten)
	if data < d.size { // the others write holes, or take their time to read them
		return rows
	}
	for _, m := range zipMakers(out, d.name) {
		if peers || m.name == sevenZip {
			add(m.name, func() (sample, error) {
				if _, err := exec.LookPath(m.words[0]); err != nil {
					return sample{}, fmt.Errorf("%w: %w", errUnavailable, err)
				}
				return synced(command{dir: p.Dir, words: m.words, env: m.env})
			}, checkListed)
		}
	}
	if peers {
		add(vzipCopy, func() (sample, error) {
			return b.with(b.vzipPeer(vzipCopy), d, func(path string, _ *mount) (sample, error) {
				return synced(command{words: []string{"cp", path, out}})
			})
		}, b.checkWritten)
	}
	return rows
}

// rest removes what the last one wrote, and has the sources in memory and the disks at
// rest.
func (b *bench) rest(p *rig.Place, d *dataset, out string) error {
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if len(d.files) > 0 { // the sparse ones are in memory since they were hashed
		if err := b.do("sh", "-c", `tr '\n' '\0' <"$1" | xargs -0 cat >/dev/null`, "sh", b.path(d.name+".list")); err != nil {
			return err
		}
	}
	_, err := freeBytes(p.Dir)
	return errors.Join(err, b.settle())
}

// freeBytes is how much room a file system has, once all is written and it has taken back
// what was removed, which takes some of them a while.
func freeBytes(dir string) (int64, error) {
	f, err := os.Open(dir)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var last, now unix.Statfs_t
	for range 100 {
		if err := errors.Join(unix.Syncfs(int(f.Fd())), unix.Fstatfs(int(f.Fd()), &now)); err != nil {
			return 0, err
		}
		if now.Bfree == last.Bfree {
			return int64(now.Bfree) * now.Frsize, nil
		}
		last = now
		time.Sleep(50 * time.Millisecond)
	}
	return 0, fmt.Errorf("%s: the room that is left changes all the time: let nothing else use it", dir)
}

// checkListed looks whether a ZIP lists as many bytes as there are.
func checkListed(d *dataset, out string) error {
	z, err := zip.OpenReader(out)
	if err != nil {
		return err
	}
	defer z.Close()
	size := int64(0)
	for _, f := range z.File {
		size += int64(f.UncompressedSize64)
	}
	if size != d.size {
		return fmt.Errorf("%s has %d bytes of files, not %d", out, size, d.size)
	}
	return nil
}

// checkWritten compares a written archive with the sources, byte for byte, and what is
// between those with the archive in a mount.
func (b *bench) checkWritten(d *dataset, out string) error {
	c := command{words: []string{b.vzip, "list", "--json", d.layout, d.archive()}, out: &bytes.Buffer{}}
	if _, err := b.run(c); err != nil {
		return err
	}
	var listed struct {
		Size    int64
		Entries []struct {
			Name, Type string
			Size       int64
			Data       int64 `json:"data_offset"`
		}
	}
	if err := json.Unmarshal(c.out.Bytes(), &listed); err != nil {
		return err
	}
	w, err := os.Open(out)
	if err != nil {
		return err
	}
	defer w.Close()
	info, err := w.Stat()
	if err != nil {
		return err
	}
	if info.Size() != listed.Size {
		return fmt.Errorf("%s has %d bytes, not %d", out, info.Size(), listed.Size)
	}
	_, err = b.with(b.vzipPeer("check"), d, func(path string, _ *mount) (s sample, err error) {
		virtual, err := os.Open(path)
		if err != nil {
			return s, err
		}
		defer virtual.Close()
		s.extra = map[string]float64{}
		at, buffers := int64(0), [2][]byte{make([]byte, mib), make([]byte, mib)}
		for _, e := range listed.Entries {
			if e.Type != "file" {
				continue
			}
			source, err := os.Open(filepath.Join(d.dir, strings.TrimPrefix(e.Name, d.name+"/")))
			if err != nil {
				return s, err
			}
			err = errors.Join(b.ctx.Err(), same(virtual, at, w, at, e.Data-at, buffers), same(source, 0, w, e.Data, e.Size, buffers), source.Close())
			if err != nil {
				return s, err
			}
			at = e.Data + e.Size
		}
		return s, same(virtual, at, w, at, listed.Size-at, buffers)
	})
	return err
}

// same compares n bytes of two files, of x from xOff on and of y from yOff on. What is a
// hole in both is not read.
func same(x *os.File, xOff int64, y *os.File, yOff, n int64, buffers [2][]byte) error {
	for at := int64(0); ; {
		at = min(nextData(x, xOff+at)-xOff, nextData(y, yOff+at)-yOff)
		if at >= n {
			return nil
		}
		xs, ys := buffers[0][:min(n-at, mib)], buffers[1][:min(n-at, mib)]
		if _, err := x.ReadAt(xs, xOff+at); err != nil {
			return fmt.Errorf("%s: %w", x.Name(), err)
		}
		if _, err := y.ReadAt(ys, yOff+at); err != nil {
			return fmt.Errorf("%s: %w", y.Name(), err)
		}
		if !bytes.Equal(xs, ys) {
			return fmt.Errorf("%s from byte %d on is not %s from byte %d on", y.Name(), yOff+at, x.Name(), xOff+at)
		}
		at += int64(len(xs))
	}
}

// nextData is the offset of the first data from off on; MaxInt64 where there is none.
func nextData(f *os.File, off int64) int64 {
	data, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return math.MaxInt64
	case err != nil:
		return off // a file system that knows no holes
	}
	return data
}

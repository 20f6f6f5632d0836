package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// files are equal ones of a data set.
type files struct {
	count int
	size  int64
}

// dataset is a tree of sources, and the layout of one archive of it.
type dataset struct {
	name   string
	dir    string   // the tree
	files  []string // absolute
	size   int64    // of all files
	layout string
	keys   string // more of the archive's in the layout, as "align: auto, "
	zip    string // the archive as a file, once makeZIP has made it
}

func (d *dataset) archive() string { return d.name + ".zip" }

// makeData writes a tree of sources, a thousand files a folder, whose names sort in
// the order of d.files. No two blocks of 4 KiB are equal.
func (b *bench) makeData(name string, groups ...files) (*dataset, error) {
	d := &dataset{name: name, dir: b.path(name), layout: b.path(name + ".yaml")}
	return d, b.fill(d, groups...)
}

// fill is makeData for a tree and a layout at other places.
func (b *bench) fill(d *dataset, groups ...files) error {
	b.progress("making %s", d.name)
	w := newFiller()
	for g, group := range groups {
		for i := range group.count {
			folder := filepath.Join(d.dir, fmt.Sprintf("%d-%04d", g, i/1000))
			if i%1000 == 0 {
				if err := os.MkdirAll(folder, 0o755); err != nil {
					return err
				}
				if err := b.ctx.Err(); err != nil {
					return err
				}
			}
			file := filepath.Join(folder, fmt.Sprintf("file-%07d", i))
			if err := w.write(file, group.size); err != nil {
				return err
			}
			d.files = append(d.files, file)
			d.size += group.size
		}
	}
	return b.describe(d)
}

// describe writes the layout, and waits for the disk to be at rest.
func (b *bench) describe(d *dataset) error {
	text := fmt.Sprintf("version: 1\narchives: [{name: %s, %sentries: [{source: %q, as: %q}]}]\n", d.archive(), d.keys, d.dir, d.name)
	if err := os.WriteFile(d.layout, []byte(text), 0o644); err != nil {
		return err
	}
	return b.settle()
}

// settle writes out what is dirty, so that a disk that is busy with it slows nobody down.
func (b *bench) settle() error {
	f, err := os.Open(b.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}

// makeZIP writes the archive to a file, in the cache of pages as the sources are.
func (b *bench) makeZIP(d *dataset) error {
	b.progress("writing %s to disk", d.archive())
	d.zip = b.path("zip-"+d.name, d.archive())
	if err := os.MkdirAll(filepath.Dir(d.zip), 0o755); err != nil {
		return err
	}
	if err := b.do("sh", "-c", `"$1" cat --quiet "$2" "$3" >"$4"`, "sh", b.vzip, d.layout, d.archive(), d.zip); err != nil {
		return err
	}
	return b.settle()
}

// remember has every CRC remembered.
func (b *bench) remember(d *dataset) error { return b.do(b.vzip, "hash", "--quiet", d.layout) }

// makeHashed makes a dataset whose CRCs are remembered.
func (b *bench) makeHashed(name string, sets ...files) (*dataset, error) {
	d, err := b.makeData(name, sets...)
	if err != nil {
		return nil, err
	}
	return d, b.remember(d)
}

// filler writes files of random bytes, cheaply.
type filler struct {
	block []byte // 1 MiB
	next  uint64
}

func newFiller() *filler {
	f := &filler{block: make([]byte, mib)}
	rnd := rand.NewChaCha8([32]byte{1})
	_, _ = rnd.Read(f.block) // never fails
	return f
}

func (f *filler) write(path string, size int64) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for left := size; left > 0; {
		n := min(left, mib)
		if _, err := file.Write(f.fresh(n)); err != nil {
			return err
		}
		left -= n
	}
	return file.Close()
}

// fresh is a block that was not there before.
func (f *filler) fresh(n int64) []byte {
	for i := int64(0); i < n; i += 4096 {
		if i+8 <= n {
			binary.LittleEndian.PutUint64(f.block[i:], f.next)
		}
		f.next++
	}
	return f.block[:n]
}

// fit is the largest part of size bytes, up to all of it, of which copies fit in
// memory.
func (b *bench) fit(size int64, copies float64) float64 {
	part := float64(available()) * 0.85 / (float64(size) * copies)
	if part >= 1 {
		return 1
	}
	b.note("Memory is short: the data is %.0f %% of what it should be.", part*100)
	return part
}

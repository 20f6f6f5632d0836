package rig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// BlockLen is the unit of source bytes that vzip checks at once.
const BlockLen = 128 << 10

// Sizes are sizes of files around what matters to vzip and to the kernel.
var Sizes = []int64{
	0, 1, 100, 4095, 4096, 4097, 60000, BlockLen - 1, BlockLen, BlockLen + 1,
	2*BlockLen - 1, 2 * BlockLen, 3*BlockLen + 4097, 1<<20 + 13,
}

// fromDay is the modification time of what Grow makes, in seconds.
var fromDay = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// Grow makes a tree of files of the given sizes and random bytes, none of them
// zero, so that a hole is a change; those of every second file can be deflated.
// Paths of the files are returned, relative to dir. Folders and a symbolic link
// come with them.
func Grow(dir string, seed uint64, sizes []int64) (files []string, err error) {
	rnd := rand.New(rand.NewPCG(seed, uint64(len(sizes))))
	for i, size := range sizes {
		rel := fmt.Sprintf("d%d/f%03d", i%3, i)
		if i%5 == 0 {
			rel = fmt.Sprintf("f%03d with a longer name.dat", i)
		}
		path, data := filepath.Join(dir, rel), Noise(rnd, size)
		if i%2 == 1 {
			for j := range data {
				data[j] = data[j]&15 | 64
			}
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
			return nil, err
		}
		files = append(files, rel)
	}
	if err := errors.Join(os.Symlink("d0", filepath.Join(dir, "link")), os.Mkdir(filepath.Join(dir, "empty"), 0o755)); err != nil {
		return nil, err
	}
	return files, Age(dir)
}

// Noise returns random bytes without zeros.
func Noise(rnd *rand.Rand, n int64) []byte {
	p := make([]byte, n)
	var state [32]byte
	for i := range state {
		state[i] = byte(rnd.Uint32())
	}
	_, _ = rand.NewChaCha8(state).Read(p) // it never fails
	for i, b := range p {
		if b == 0 {
			p[i] = 0xa5
		}
	}
	return p
}

// Age gives everything in a tree, but for links, a time of its own in the past.
func Age(dir string) error {
	i := 0
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		i++
		day := fromDay.Add(time.Duration(i) * time.Minute)
		return os.Chtimes(path, day, day)
	})
}

// Freeze copies a tree with modes, times and links to dst, which must not exist.
func Freeze(ctx context.Context, dst, src string) error {
	return run(ctx, "cp", "-a", "--reflink=auto", "--", src, dst)
}

// Part is a source of an archive.
type Part struct {
	Source string // folder or file
	As     string // name inside; "." is the archive's root
}

// WriteLayout writes a layout file with one archive for each name; options are
// lines of YAML of the archive, as "symlinks: follow".
func WriteLayout(file string, archives map[string][]Part, options ...string) error {
	var b strings.Builder
	b.WriteString("version: 1\narchives:\n")
	for name, parts := range archives { // the order does not matter
		fmt.Fprintf(&b, "  - name: %q\n", name)
		for _, o := range options {
			fmt.Fprintf(&b, "    %s\n", o)
		}
		b.WriteString("    entries:\n")
		for _, p := range parts {
			fmt.Fprintf(&b, "      - {source: %q, as: %q}\n", p.Source, p.As)
		}
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

package rig

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"vzip/internal/strictzip"
)

// Oracle is an archive as it has to be: the bytes of one generation.
type Oracle struct {
	Archive string // its name in the layout
	File    string // where its bytes are
	Bytes   []byte // the same
	SHA256  [sha256.Size]byte
	Zip     *strictzip.Archive

	points []int64 // offsets where something begins or ends
}

// Freezer makes oracles of one layout: from copies of its sources, so that what
// happens to these meanwhile does not matter.
type Freezer struct {
	Program *Program
	Dir     string // for copies and archives; a folder that exists
	Options []string

	count int
}

// Oracle freezes the parts of an archive and has vzip write it. Nothing may write
// to the parts meanwhile. The archive is checked by [strictzip] and compared with
// the copies; see also [Oracle.CheckOutside].
func (f *Freezer) Oracle(ctx context.Context, archive string, parts []Part) (*Oracle, error) {
	f.count++
	dir := filepath.Join(f.Dir, fmt.Sprintf("frozen-%d", f.count))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var copies []Part
	for i, p := range parts {
		dst := filepath.Join(dir, fmt.Sprint(i))
		if err := Freeze(ctx, dst, p.Source); err != nil {
			return nil, err
		}
		copies = append(copies, Part{dst, p.As})
	}
	layout := filepath.Join(dir, "layout.yaml")
	if err := WriteLayout(layout, map[string][]Part{archive: copies}, f.Options...); err != nil {
		return nil, err
	}
	file := filepath.Join(f.Dir, fmt.Sprintf("oracle-%d.zip", f.count))
	if err := f.write(ctx, layout, archive, file); err != nil {
		return nil, err
	}
	o, err := openOracle(archive, file)
	if err != nil {
		return nil, err
	}
	if err := o.compare(copies); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

func (f *Freezer) write(ctx context.Context, layout, archive, file string) error {
	w, err := os.Create(file)
	if err != nil {
		return err
	}
	defer w.Close()
	cmd := f.Program.Command(ctx, "cat", "--no-cache", "--quiet", layout, archive)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("writing the oracle: vzip cat: %w: %s", err, stderr.String())
	}
	return w.Close()
}

// openOracle reads an archive and parses it.
func openOracle(archive, file string) (*Oracle, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	o, err := NewOracle(archive, b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	o.File = file
	return o, nil
}

// NewOracle takes an archive for the truth that is right in itself.
func NewOracle(archive string, b []byte) (o *Oracle, err error) {
	o = &Oracle{Archive: archive, Bytes: b, SHA256: sha256.Sum256(b)}
	if o.Zip, err = Parse(b); err != nil {
		return nil, err
	}
	o.points = o.findPoints()
	return o, nil
}

// Parse holds an archive to all that strictzip knows, its data's CRC-32 included.
func Parse(b []byte) (*strictzip.Archive, error) {
	z, err := strictzip.Parse(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return z, z.CheckData()
}

// Close removes the file.
func (o *Oracle) Close() error { return os.Remove(o.File) }

// Size is the archive's size in bytes.
func (o *Oracle) Size() int64 { return int64(len(o.Bytes)) }

// Inflated returns what the data of an entry of archive b is made of.
func Inflated(b []byte, e *strictzip.Entry) ([]byte, error) {
	data := b[e.DataAt : e.DataAt+e.CompressedSize]
	if e.Method == 0 {
		return data, nil
	}
	return io.ReadAll(flate.NewReader(bytes.NewReader(data)))
}

// compare holds the archive's entries to the files that they are of: each of them
// is there, and nothing else.
func (o *Oracle) compare(parts []Part) error {
	seen := 0
	for i := range o.Zip.Entries {
		e := &o.Zip.Entries[i]
		if strings.HasSuffix(e.Name, "/") {
			seen++
			continue
		}
		for _, p := range parts {
			rel, ok := strings.CutPrefix(e.Name, p.As)
			if p.As == "." {
				rel, ok = "/"+e.Name, true
			}
			if !ok || rel != "" && rel[0] != '/' {
				continue
			}
			path := p.Source + rel
			want, err := os.ReadFile(path)
			if link, lerr := os.Readlink(path); lerr == nil {
				want, err = []byte(link), nil
			}
			if err != nil {
				return err
			}
			got, err := Inflated(o.Bytes, e)
			if err != nil || !bytes.Equal(want, got) {
				return fmt.Errorf("the oracle's entry %q is not what %s holds; error %v", e.Name, path, err)
			}
			seen++
			break
		}
	}
	if seen != len(o.Zip.Entries) {
		return fmt.Errorf("%d entries of the oracle have no source", len(o.Zip.Entries)-seen)
	}
	return nil
}

// outside are other people's readers, which have to find nothing wrong.
var outside = [][]string{
	{"unzip", "-tqq"},
	{"7z", "t", "-bd"},
	{"bsdtar", "-tf"},
	{"python3", "-c", "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); sys.exit(z.testzip())"},
}

// Outside names the programs of CheckOutside, as for require.Needs.
func Outside() (names []string) {
	for _, args := range outside {
		names = append(names, args[0])
	}
	return names
}

// CheckOutside has other people's readers test the archive, and bsdtar extract it
// to compare with a tree that has stayed as it was. as is the tree's name inside.
func (o *Oracle) CheckOutside(ctx context.Context, tree, as string) error {
	for _, args := range outside {
		if err := run(ctx, args[0], append(args[1:len(args):len(args)], o.File)...); err != nil {
			return err
		}
	}
	if err := checkGo(o.Bytes); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(o.File), "extracted-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := run(ctx, "bsdtar", "-x", "-C", dir, "-f", o.File); err != nil {
		return err
	}
	return run(ctx, "diff", "-r", "--no-dereference", tree, filepath.Join(dir, as))
}

// pageLen is the unit of the kernel's memory, in bytes.
const pageLen = 4096

// findPoints returns where headers, data, blocks of sources and the directory
// begin and end, in order.
func (o *Oracle) findPoints() []int64 {
	points := []int64{0, o.Size(), o.Zip.DirectoryAt, o.Zip.DirectoryAt + o.Zip.DirectoryLen}
	for i := range o.Zip.Entries {
		e := &o.Zip.Entries[i]
		points = append(points, e.HeaderAt, e.DataAt, e.DataAt+e.CompressedSize, e.CentralAt)
		for at := int64(BlockLen); at < e.CompressedSize; at += BlockLen {
			points = append(points, e.DataAt+at)
		}
	}
	sort.Slice(points, func(i, j int) bool { return points[i] < points[j] })
	return points
}

// Where tells what is at an offset, in words.
func (o *Oracle) Where(off int64) string {
	z := o.Zip
	switch {
	case off >= z.DirectoryAt+z.DirectoryLen:
		return "end records"
	case off >= z.DirectoryAt:
		return "central directory"
	}
	i := sort.Search(len(z.Entries), func(i int) bool { return z.Entries[i].HeaderAt > off }) - 1
	e := &z.Entries[i]
	if off < e.DataAt {
		return fmt.Sprintf("local header of %q", e.Name)
	}
	return fmt.Sprintf("data of %q, byte %d of %d", e.Name, off-e.DataAt, e.CompressedSize)
}

// Overlapping calls visit with each entry that has data in a range of offsets,
// until visit returns false.
func (o *Oracle) Overlapping(from, to int64, visit func(*strictzip.Entry) bool) {
	entries := o.Zip.Entries
	for i := sort.Search(len(entries), func(i int) bool { return entries[i].DataAt+entries[i].CompressedSize > from }); i < len(entries); i++ {
		if e := &entries[i]; e.DataAt >= to {
			return
		} else if e.CompressedSize > 0 && !visit(e) {
			return
		}
	}
}

// Stat is what must be equal wherever and whenever the same archive is mounted.
type Stat struct {
	Ino   uint64
	Size  int64
	Mtime int64 // nanoseconds since 1970
}

// StatOf returns an archive's state.
func StatOf(path string) (Stat, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return Stat{}, err
	}
	return Stat{fi.Sys().(*syscall.Stat_t).Ino, fi.Size(), fi.ModTime().UnixNano()}, nil
}

// Digest reads a file to its end and returns its SHA-256 and length.
func Digest(path string) (sum [sha256.Size]byte, n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err = io.Copy(h, f)
	return [sha256.Size]byte(h.Sum(nil)), n, err
}

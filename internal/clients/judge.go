package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// verdict is what is to be said of a client in a scenario.
type verdict int

const (
	right   verdict = iota // exit code 0, and all bytes are there
	refused                // it tells that it failed
	silent                 // exit code 0, and the bytes are others
	hangs                  // it does not end
)

func (v verdict) String() string { return [...]string{"right", "refused", "SILENT", "HANGS"}[v] }

// cell is one place of the table.
type cell struct {
	verdict verdict
	exit    int
	left    string // what is at the target
	said    string // one line
	limit   *limit // what explains a verdict that would be a failure
	failed  bool
}

// judge looks at what a client left.
func (b *bench) judge(c client, s scenario, out outcome) cell {
	x := cell{exit: out.exit}
	whole := false
	switch c.makes {
	case aCopy:
		data, err := os.ReadFile(filepath.Join(out.target, archiveName))
		x.left, whole = b.compareArchive(data, err)
	case tarFile:
		x.left, whole = b.compareArchive(memberOf(filepath.Join(out.target, "archive.tar")))
	case aTree:
		x.left, whole = b.compareTree(out.target)
	case aVerdict:
		x.left, whole = "–", s.good
	}
	if out.exit != 0 {
		x.said = tellingLine(out.said)
	}
	switch {
	case out.hung:
		x.verdict = hangs
	case x.exit != 0:
		x.verdict = refused
	case !whole:
		x.verdict = silent
	}
	if x.failed = x.verdict != right && (x.verdict != refused || s.good); x.failed {
		x.limit = knownLimit(c, s, x)
		x.failed = x.limit == nil
	}
	return x
}

// compareArchive tells what a copy of the archive is.
func (b *bench) compareArchive(data []byte, err error) (left string, whole bool) {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "nothing", false
	case err != nil:
		return err.Error(), false
	case bytes.Equal(data, b.now):
		return "all", true
	case bytes.Equal(data, b.next):
		return "all of the next generation", true
	}
	return compareBytes(data, b.now), false
}

// compareBytes tells how a file that is not right differs.
func compareBytes(got, want []byte) string {
	switch {
	case len(got) == 0:
		return "an empty file"
	case bytes.HasPrefix(want, got):
		return "the start"
	case len(got) == len(want):
		return "full size, wrong bytes"
	case len(got) < len(want):
		return "a part, wrong bytes"
	}
	return "too many bytes"
}

// memberOf returns the archive from a tar file.
func memberOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := tar.NewReader(f)
	h, err := t.Next()
	if errors.Is(err, io.EOF) {
		return nil, os.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	if h.Name != archiveName {
		return nil, fmt.Errorf("a member %q", h.Name)
	}
	data, err := io.ReadAll(t)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // cut short; the bytes tell it
	}
	return data, err
}

// compareTree tells what an extracted tree is.
func (b *bench) compareTree(dir string) (left string, whole bool) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err.Error(), false
	}
	whole = len(list) == len(b.sources)
	var bad []string
	same := 0
	for _, f := range list {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		switch want, ok := b.sources[f.Name()]; {
		case err != nil:
			return err.Error(), false
		case !ok:
			bad = append(bad, "another file")
		case bytes.Equal(data, want):
			same++
		default:
			bad = append(bad, "one entry: "+compareBytes(data, want))
		}
	}
	if whole = whole && len(bad) == 0; whole {
		return "all", true
	}
	if len(list) == 0 {
		return "nothing", false
	}
	return strings.Join(append([]string{fmt.Sprintf("%d of %d entries right", same, len(b.sources))}, bad...), "; "), false
}

// telling are what lines that tell something have in them, the best first.
var telling = []*regexp.Regexp{
	regexp.MustCompile(`(?i)stale|input/output error|not connected|connection abort|no such file`),
	regexp.MustCompile(`(?i)error|fail|mismatch|incorrect|shrank|bad|cannot|can't|abort`),
	regexp.MustCompile(``),
}

var spaces = regexp.MustCompile(`\s+`)

// stamp is what rclone begins its lines with.
var stamp = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (ERROR|NOTICE) *: `)

// tellingLine returns the line of a client's messages that tells most.
func tellingLine(text string) string {
	best, rank := "", len(telling)
	for l := range strings.Lines(text) {
		l = stamp.ReplaceAllString(l, "")
		if l = strings.TrimSpace(spaces.ReplaceAllString(l, " ")); len(l) < len("an error") {
			continue
		}
		if r := slices.IndexFunc(telling, func(p *regexp.Regexp) bool { return p.MatchString(l) }); r < rank {
			best, rank = l, r
		}
	}
	if len(best) > 160 {
		best = strings.ToValidUTF8(best[:160], "") + "…"
	}
	return best
}

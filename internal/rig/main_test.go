package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/moby/sys/mountinfo"

	"vzip/internal/require"
)

// vzip is the program under test.
var vzip *Program

// TestMain runs the tests in a mount namespace of their own, so that they leave
// nothing behind even when they are killed.
func TestMain(m *testing.M) {
	if code, done := Private(); done {
		os.Exit(code)
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "vzip-rig-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	os.Setenv("TMPDIR", dir)
	if vzip, err = Build(context.Background(), dir); err != nil {
		return 1, err
	}
	os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache")) // where go build has its own, too
	os.Setenv("GORACE", "atexit_sleep_ms=1")
	code = m.Run()
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	slices.Reverse(mounts)
	for _, mount := range mounts {
		err = errors.Join(err, fmt.Errorf("left mounted: %s", mount.Mountpoint), Detach(mount.Mountpoint))
	}
	return code, err
}

// place makes a file system for a test.
func place(t *testing.T, k Kind) *Place {
	t.Helper()
	require.Needs(t, k.Needs...)
	p, err := k.Make(t.Context(), t.TempDir())
	must(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// site is a tree with an archive of it.
type site struct {
	t      *testing.T
	dir    string // for everything but sources
	src    string
	files  []string
	layout string
	cache  string
	mnt    string
	// options are lines of YAML of the archive.
	options []string
}

// methods are options of archives, whose data is read in other ways.
var methods = []struct {
	name    string
	options []string
	part    int // what part of the work is done: blocks take long to be deflated
}{
	{"stored", nil, 1},
	{"deflated", []string{"method: deflate", "level: 1"}, 10},
}

const (
	archive = "a.zip"
	inside  = "tree" // the tree's name in the archive
)

// newSite makes a tree below base, or with "" in a folder of its own.
func newSite(t *testing.T, base string, seed uint64, sizes []int64, options ...string) *site {
	t.Helper()
	must(t, DependOnSources("../.."))
	s := &site{t: t, dir: t.TempDir(), options: options}
	if base == "" {
		base = s.dir
	}
	s.src, s.layout, s.cache, s.mnt = filepath.Join(base, "src"), s.dir+"/layout.yaml", s.dir+"/cache", s.dir+"/mnt"
	var err error
	s.files, err = Grow(s.src, seed, sizes)
	must(t, errors.Join(err, os.Mkdir(s.mnt, 0o755)))
	must(t, WriteLayout(s.layout, map[string][]Part{archive: s.parts()}, options...))
	t.Cleanup(func() { _ = Detach(s.mnt) }) // where a failed test left it
	return s
}

func (s *site) parts() []Part { return []Part{{s.src, inside}} }

// oracle makes the oracle of the tree as it is.
func (s *site) oracle() *Oracle {
	s.t.Helper()
	f := Freezer{Program: vzip, Dir: s.t.TempDir(), Options: s.options}
	o, err := f.Oracle(s.t.Context(), archive, s.parts())
	must(s.t, err)
	s.t.Cleanup(func() {
		if err := o.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return o
}

// mount mounts the site; the caller closes it.
func (s *site) mount(flags ...string) *Mount {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), Patience)
	defer cancel()
	m, err := vzip.Mount(ctx, s.layout, s.mnt, append([]string{"--quiet", "--cache", s.cache}, flags...)...)
	must(s.t, err)
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func closing(t *testing.T, m *Mount) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

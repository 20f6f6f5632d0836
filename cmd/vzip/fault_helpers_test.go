package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"vzip/internal/faultfs"
	"vzip/internal/require"
)

// This test binary is the faulty file system and the readers of its archives, too.
func init() {
	switch {
	case faultfs.Asked():
		os.Exit(faultfs.Main(os.Args[1:]))
	case os.Getenv(readersVariable) != "":
		if err := readersMain(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

const (
	// block is the unit in which sources are checked, in bytes.
	block = 128 << 10
	// sourceTimeout is what tests let vzip wait for a source, and slack how much
	// later than that it may give up.
	sourceTimeout = 3 * time.Second
	slack         = 5 * time.Second
)

// faulty is a folder of sources seen through a file system with faults. Its
// archives are those of plain, but for what the faults do.
type faulty struct {
	t          *testing.T
	dir        string // a folder of the test's
	plain, bad string // the sources, and the sources with faults
	fs         *faultfs.Mount
}

// newFaulty makes sources: of each name, a path, that many random bytes.
func newFaulty(t *testing.T, sizes map[string]int) *faulty {
	t.Helper()
	require.Needs(t, "fuse")
	dir := t.TempDir()
	f := &faulty{t: t, dir: dir, plain: dir + "/plain", bad: dir + "/bad"}
	must(t, os.Mkdir(f.bad, 0o755))
	for name, size := range sizes {
		f.write(name, randomBytes(name, size))
	}
	f.start()
	t.Cleanup(func() {
		if f.fs != nil {
			must(t, f.fs.Close())
		}
	})
	return f
}

// randomBytes are the same at each run.
func randomBytes(seed string, size int) []byte {
	var key [32]byte
	copy(key[:], seed)
	data := make([]byte, size)
	rand.NewChaCha8(key).Read(data)
	return data
}

func (f *faulty) write(name string, data []byte) {
	f.t.Helper()
	must(f.t, os.MkdirAll(filepath.Dir(f.plain+"/"+name), 0o755))
	must(f.t, os.WriteFile(f.plain+"/"+name, data, 0o644))
}

// start mounts the file system with faults, none so far.
func (f *faulty) start() {
	f.t.Helper()
	self, err := os.Executable()
	must(f.t, err)
	f.fs, err = faultfs.Start([]string{self}, f.plain, f.bad, 0)
	must(f.t, err)
}

func (f *faulty) add(r faultfs.Rule) (id int) {
	f.t.Helper()
	id, err := f.fs.Add(r)
	must(f.t, err)
	return id
}

func (f *faulty) clear() {
	f.t.Helper()
	must(f.t, f.fs.Clear())
}

func (f *faulty) state() faultfs.State {
	f.t.Helper()
	s, err := f.fs.State()
	must(f.t, err)
	return s
}

// layout writes a layout with an archive of each of the sources' folders, and
// returns its path. Those that plain names have no faults.
func (f *faulty) layout(root string, plain ...string) string {
	f.t.Helper()
	folders, err := os.ReadDir(f.plain)
	must(f.t, err)
	text := "version: 1\narchives:\n"
	for _, folder := range folders {
		from := root
		if slices.Contains(plain, folder.Name()) {
			from = f.plain
		}
		text += fmt.Sprintf("  - {name: %s.zip, entries: [{source: %s/%[1]s, as: .}]}\n", folder.Name(), from)
	}
	file, err := os.CreateTemp(f.dir, "*.yaml")
	must(f.t, err)
	defer file.Close()
	_, err = file.WriteString(text)
	must(f.t, err)
	return file.Name()
}

// oracle is what an archive's bytes have to be, from the sources without faults.
func (f *faulty) oracle(archive string) []byte {
	f.t.Helper()
	return f.vzip("cat", "--no-cache", f.layout(f.plain), archive)
}

func (f *faulty) vzip(args ...string) []byte {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "vzip", args...)
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		f.t.Fatalf("vzip %s: %v: %s", args, err, exit.Stderr)
	}
	must(f.t, err)
	return out
}

// dataAt is where an entry's data starts in its archive.
func (f *faulty) dataAt(archive, entry string) int64 {
	f.t.Helper()
	var list struct {
		Entries []struct {
			Name       string
			DataOffset int64 `json:"data_offset"`
		}
	}
	must(f.t, json.Unmarshal(f.vzip("list", "--json", f.layout(f.plain), archive), &list))
	for _, e := range list.Entries {
		if e.Name == entry {
			return e.DataOffset
		}
	}
	f.t.Fatalf("%s has no entry %s", archive, entry)
	return 0
}

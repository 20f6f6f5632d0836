package output

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"vzip/internal/faultfs"
	"vzip/internal/generation"
	"vzip/internal/require"
	"vzip/internal/rig"
	"vzip/layout"
)

// TestMain runs the tests in a mount namespace of their own, so that they leave nothing
// mounted even when they are killed.
func TestMain(m *testing.M) {
	if faultfs.Asked() { // this program is the file system with faults, too
		os.Exit(faultfs.Main(os.Args[1:]))
	}
	if code, done := rig.Private(); done {
		os.Exit(code)
	}
	os.Exit(require.NoMounts(m))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// onEach runs a test on each kind of file system.
func onEach(t *testing.T, test func(t *testing.T, k rig.Kind, dir string)) {
	for _, k := range rig.Kinds {
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			test(t, k, place(t, k.Name))
		})
	}
}

// place makes a file system of a kind, and returns a folder on it.
func place(t *testing.T, kind string) (dir string) {
	t.Helper()
	k := rig.Kinds[slices.IndexFunc(rig.Kinds, func(k rig.Kind) bool { return k.Name == kind })]
	require.Needs(t, k.Needs...)
	p, err := k.Make(t.Context(), t.TempDir())
	must(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p.Dir
}

// shares tells whether files on a kind of file system can share blocks.
func shares(k rig.Kind) bool { return k.Name == "xfs" || k.Name == "btrfs" }

// noise writes files of bytes of no meaning, always the same: sizes by path below dir.
func noise(t *testing.T, dir string, sizes map[string]int64) {
	t.Helper()
	for name, size := range sizes {
		must(t, os.MkdirAll(filepath.Dir(dir+"/"+name), 0o755))
		var key [32]byte
		copy(key[:], name)
		f, err := os.Create(dir + "/" + name)
		must(t, err)
		_, err = io.CopyN(f, rand.NewChaCha8(key), size)
		must(t, err)
		must(t, f.Close())
	}
}

// archive builds the archive of the folder src in dir, with options.
func archive(t *testing.T, dir, options string) *generation.Archive {
	t.Helper()
	file := filepath.Join(t.TempDir(), "layout.yaml")
	must(t, os.WriteFile(file, fmt.Appendf(nil, "version: 1\narchives: [{name: a.zip, %s, entries: [{source: %s/src}]}]\n", options, dir), 0o644))
	l, err := layout.Load(file, os.LookupEnv)
	must(t, err)
	g, err := generation.Build(t.Context(), l, generation.Options{HashOptions: generation.HashOptions{Workers: 2}, Warn: func(text string) { t.Log(text) }})
	must(t, err)
	t.Cleanup(g.Close)
	return g.Archives[0]
}

func sumOf(t *testing.T, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	_, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, 1<<20))
	must(t, err)
	return fmt.Sprintf("%x", h.Sum(nil))
}

func sumOfFile(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	return sumOf(t, f)
}

func sumOfArchive(t *testing.T, a *generation.Archive) string {
	t.Helper()
	return sumOf(t, io.NewSectionReader(a, 0, a.Size()))
}

// Write does the job of making a file.
func Write(ctx context.Context, a *generation.Archive, path string, o Options) (Result, error) {
	return New(a, path, o).Run(ctx)
}

// write is Write, and checks that it counts each byte once.
func write(t *testing.T, a *generation.Archive, path string, o Options) Result {
	t.Helper()
	progress := make(chan int64, 1<<16)
	o.Progress = func(n int64) { progress <- n }
	r, err := Write(context.Background(), a, path, o)
	must(t, err)
	close(progress)
	told, want := int64(0), a.Size()
	for n := range progress {
		told += n
	}
	if o.ReadBack {
		want *= 2
	}
	if told != want || r.Cloned+r.Copied+r.Holes != a.Size() {
		t.Errorf("%d bytes: told of %d, and did %+v", a.Size(), told, r)
	}
	return r
}

// nothingIn checks that a folder has these names and no others, hidden ones included.
func nothingIn(t *testing.T, dir string, but ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range list {
		if !slices.Contains(but, e.Name()) {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

package generation

import (
	"archive/zip"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"vzip/internal/crccache"
	"vzip/layout"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// load saves a layout in dir and loads it.
func load(t testing.TB, dir, text string) *layout.Layout {
	t.Helper()
	file := filepath.Join(dir, "layout.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o644))
	l, err := layout.Load(file, func(string) (string, bool) { return "", false })
	must(t, err)
	return l
}

// write makes files below dir, by name and content.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
}

// read counts the bytes and files that a build reads.
type read struct {
	bytes atomic.Int64
	files int
}

func (r *read) options(t testing.TB, cache *crccache.Cache) Options {
	return Options{
		HashOptions: HashOptions{
			Workers: 2, Cache: cache,
			Start:    func(files int, _ int64) { r.files += files },
			Progress: func(n int64) { r.bytes.Add(n) },
		},
		Warn: func(s string) { t.Log(s) },
	}
}

// reports has the errors of sources kept, and returns what there are.
func (o *Options) reports() func() []string {
	var mu sync.Mutex
	var list []string
	o.Report = func(err error) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, err.Error())
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

func build(t testing.TB, l *layout.Layout, o Options) *Generation {
	t.Helper()
	g, err := Build(context.Background(), l, o)
	must(t, err)
	t.Cleanup(g.Close)
	return g
}

// checkZIP reads an archive with archive/zip, which checks every CRC, and returns
// the content by name.
func checkZIP(t *testing.T, a *Archive) map[string]string {
	t.Helper()
	z, err := zip.NewReader(a, a.Size())
	must(t, err)
	content := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		content[f.Name] = string(data)
	}
	return content
}

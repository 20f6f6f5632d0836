package uploads

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vzip/internal/rig"
)

// archiveName is each archive's path in its mount, and its name at the server.
const archiveName = "release.zip"

// archive is a layout with one archive.
type archive struct {
	layout, cache string
}

// makeMixed makes sources of some 200 MB in the folder dir: the Go tree, which has
// many small files, empty ones too, and programs of all sizes; more.bin, of 4 MiB; a
// large file; a sparse one.
func makeMixed(dir string) (*archive, error) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	random := rand.NewChaCha8([32]byte{1})
	for name, size := range map[string]int64{"more.bin": moreSize, "large/large.bin": 64 << 20, "large/empty.bin": 0} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := fill(path, random, size); err != nil {
			return nil, err
		}
	}
	if err := makeSparse(filepath.Join(dir, "large/sparse.img"), 32<<20, 0, 17<<20, 32<<20-4); err != nil {
		return nil, err
	}
	a := &archive{filepath.Join(dir, "layout.yaml"), filepath.Join(dir, "cache")}
	return a, os.WriteFile(a.layout, fmt.Appendf(nil, `version: 1
archives:
  - name: %s
    entries:
      - {source: more.bin, as: a/more.bin}
      - {source: %s/src, as: go/src}
      - {source: large, as: large}
`, archiveName, strings.TrimSpace(string(goroot))), 0o644)
}

// moreSize is the size of more.bin, which stands in front of nearly all else.
const moreSize = 4 << 20

func fill(path string, from io.Reader, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyN(f, from, size); err != nil {
		return err
	}
	return f.Close()
}

// makeSparse makes a file of holes, with marks at offsets.
func makeSparse(path string, size int64, marks ...int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, off := range marks {
		if _, err := f.WriteAt([]byte("mark"), off); err != nil {
			return err
		}
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Close()
}

// mixed is the archive that most tests upload, and its SHA-256.
var mixed = sync.OnceValues(func() (m struct {
	archive
	sum string
}, err error) {
	a, err := makeMixed(filepath.Join(work, "mixed"))
	if err != nil {
		return m, err
	}
	m.archive = *a
	m.sum, err = a.sum()
	return m, err
})

// cat returns the output of vzip cat, as a command that has not been started.
func (a *archive) cat(flags ...string) *exec.Cmd {
	args := append([]string{"cat", "--quiet", "--cache", a.cache}, flags...)
	return exec.Command(vzip.Path, append(args, a.layout, archiveName)...)
}

// sum returns the SHA-256 of the archive as vzip cat gives it, without a mount.
func (a *archive) sum() (string, error) {
	h := sha256.New()
	cmd := a.cat()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = h, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("vzip cat: %w: %s", err, stderr.String())
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// list is what vzip list --json tells of an archive.
type list struct {
	Size    int64
	Entries []struct {
		Name       string
		Size       int64
		DataOffset int64 `json:"data_offset"`
	}
}

// directorySize is that of the central directory and what stands behind it.
func (l *list) directorySize() int64 {
	last := l.Entries[len(l.Entries)-1]
	return l.Size - last.DataOffset - last.Size
}

func (a *archive) list(t *testing.T) *list {
	t.Helper()
	out, err := vzip.Run(t.Context(), "list", "--json", "--cache", a.cache, a.layout, archiveName)
	if err != nil {
		t.Fatal(err)
	}
	l := &list{}
	if err := json.Unmarshal(out, l); err != nil || l.Size == 0 || len(l.Entries) == 0 {
		t.Fatalf("vzip list --json: %v: %.200s", err, out)
	}
	return l
}

// mount shows the archive for the time of the test, by a vzip of its own.
func (a *archive) mount(t *testing.T) *rig.Mount {
	t.Helper()
	dir := t.TempDir()
	mnt := filepath.Join(dir, "mnt")
	if err := os.Mkdir(mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := vzip.Mount(t.Context(), a.layout, mnt, "--quiet", "--cache", a.cache)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// sumOf returns the SHA-256 of a file.
func sumOf(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

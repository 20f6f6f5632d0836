package layout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// deepTree makes folders one below the other, and in each a file that holds its
// depth. Its paths may be longer than a system call takes.
func deepTree(t *testing.T, dir, name string, levels int) {
	t.Helper()
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	for level := range levels {
		must(t, unix.Mkdirat(at, name, 0o755))
		next, err := unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(at)
		must(t, err)
		at = next
		fd, err := unix.Openat(at, "file", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
		must(t, err)
		_, err = unix.Write(fd, []byte(fmt.Sprint(level)))
		must(t, err)
		unix.Close(fd)
	}
	unix.Close(at)
}

func TestDeepTrees(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		levels   int
		symlinks string
	}{
		{"d", 2000, "store"},
		{strings.Repeat("n", 250), 40, "store"}, // 10,040 bytes
		{strings.Repeat("n", 250), 40, "follow"},
	} {
		t.Run(fmt.Sprintf("%d levels of %d bytes, %s", tt.levels, len(tt.name), tt.symlinks), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			deepTree(t, dir, tt.name, tt.levels)
			plans, _ := scanAll(t, load(t, dir, one("symlinks: "+tt.symlinks, "{source: ., as: ., exclude: [layout.yaml]}")))
			p := plans[0]
			if p.Len() != 2*tt.levels {
				t.Errorf("got %d entries, want %d", p.Len(), 2*tt.levels)
			}
			for _, level := range []int{0, 1, tt.levels / 2, tt.levels - 2, tt.levels - 1} {
				name := strings.Repeat(tt.name+"/", level+1) + "file"
				i, ok := p.Find(name)
				if !ok || content(t, p, i) != fmt.Sprint(level) {
					t.Errorf("level %d: found %v", level, ok)
				}
			}
		})
	}
}

// What has a name that is too long for an archive is told, and nothing below it.
func TestTooLongNames(t *testing.T) {
	t.Parallel()
	as := strings.Repeat("a/", 30_000)[:59_999]
	level := strings.Repeat("n", 250)
	dir := t.TempDir()
	deepTree(t, dir, level, 22)
	plans, _ := scanAll(t, load(t, dir, one("directories: false", "{source: "+level+", as: "+as+"}")))
	longest := as + "/" + strings.Repeat(level+"/", 21) + "file" // 65,275 bytes
	if i, ok := plans[0].Find(longest); !ok || content(t, plans[0], i) != "21" {
		t.Errorf("a name of %d bytes: found %v", len(longest), ok)
	}

	dir = t.TempDir()
	deepTree(t, dir, level, 25)
	got, sourcesOnly := attempt(t, save(t, dir, one("directories: false", "{source: "+level+", as: "+as+"}")), env())
	const want = "nnn: a name inside the archive has 65773 bytes, at most 65535 fit: exclude it"
	if lines := strings.Split(got, "\n"); len(lines) != 1 || !strings.HasSuffix(got, want) || sourcesOnly {
		t.Errorf("got %d lines (sources alone: %v), the first %q", len(lines), sourcesOnly, lines[0])
	}
}

func TestManyFiles(t *testing.T) {
	t.Parallel()
	const n = 10_000
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/src", 0o755))
	var want []string
	for i := range n {
		name := fmt.Sprintf("%x", i*7919)
		must(t, os.WriteFile(dir+"/src/"+name, []byte(name), 0o644))
		want = append(want, name+" = "+name)
	}
	slices.Sort(want)
	got, _ := shown(t, dir, one("", "{source: src, as: .}"))
	slices.SortFunc(want, func(a, b string) int {
		return strings.Compare(strings.Fields(a)[0], strings.Fields(b)[0])
	})
	wantLines(t, got, want)
}

// countdown is a context that ends when it has been asked so often.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A scan ends soon after its context does, wherever it is, and leaves nothing
// open.
func TestCancel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const folders = 40
	for i := range folders {
		tree(t, dir, fmt.Sprintf("src/%d/x", i))
	}
	l := load(t, dir, strings.Replace(one("", "{source: src}", "{source: src, as: y}"), "archives:", "archives:\n  - {name: b.zip, entries: [{source: src}]}", 1))
	done := false
	for left := 0; !done; left++ {
		ctx := &countdown{t.Context(), left}
		plans, err := l.Scan(ctx, ScanOptions{})
		switch {
		case err == nil && len(plans) == 2 && left > 3*folders:
			done = true
		case !errors.Is(err, context.Canceled) || plans != nil:
			t.Fatalf("after %d looks: got %d plans and error %v", left, len(plans), err)
		case ctx.left < -10:
			t.Fatalf("after %d looks: asked %d times more", left, -ctx.left)
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, fd := range fds {
		if path, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(path, filepath.Join(dir, "src")) {
			t.Errorf("%s is left open", path)
		}
	}
}

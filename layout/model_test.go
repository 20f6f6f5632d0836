package layout

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// modelEntry is an entry as the model works it out.
type modelEntry struct {
	shown    string // as show has it
	path     string // of its source
	modTime  int64
	mode     uint32
	invented bool
}

// model works out an archive with maps and whole walks, for sources without
// special files and bad names. It returns the entries, and the names that
// collide.
func model(t *testing.T, a Archive) (map[string]modelEntry, map[string]bool) {
	t.Helper()
	all, bad := map[string]modelEntry{}, map[string]bool{}
	for _, m := range a.Mappings {
		for name, e := range modelMapping(t, a.Options, m) {
			before, ok := all[name]
			switch {
			case !ok:
				all[name] = e
			case !strings.HasSuffix(name, "/"):
				if before.path != e.path {
					bad[name] = true
				}
			case before.invented && !e.invented, before.invented && e.modTime > before.modTime:
				all[name] = e
			}
		}
	}
	for name := range all {
		for i, c := range name {
			if _, isFile := all[name[:i]]; c == '/' && isFile {
				bad[name[:i]] = true
			}
		}
	}
	return all, bad
}

func modelMapping(t *testing.T, o Options, m Mapping) map[string]modelEntry {
	t.Helper()
	all := map[string]modelEntry{}
	info, err := os.Stat(m.Source)
	must(t, err)
	put := func(name string, e modelEntry) {
		if e.shown = name + e.shown; !strings.HasSuffix(name, "/") || o.Directories {
			all[name] = e
		}
	}
	// parents puts the folders that an entry needs: those of "as", and with an
	// include pattern those of the source too.
	parents := func(name string) {
		for i, c := range name {
			if c != '/' {
				continue
			}
			if _, ok := all[name[:i+1]]; ok {
				continue
			}
			e := modelEntry{path: m.Source, mode: 0o755, modTime: info.ModTime().Unix(), invented: true}
			if rel, ok := strings.CutPrefix(name[:i], m.As); ok && m.As != "" || m.As == "" {
				if info.IsDir() {
					stat, err := os.Lstat(filepath.Join(m.Source, rel))
					must(t, err)
					e = modelEntry{path: filepath.Join(m.Source, rel), mode: uint32(stat.Mode().Perm()), modTime: stat.ModTime().Unix()}
				}
			}
			put(name[:i+1], e)
		}
	}
	if !info.IsDir() {
		parents(m.As)
		put(m.As, modelEntry{shown: " = " + content1(t, m.Source), path: m.Source, mode: uint32(info.Mode().Perm()), modTime: info.ModTime().Unix()})
		return all
	}
	if m.Include == nil && m.As != "" {
		parents(m.As + "/")
	}
	must(t, filepath.WalkDir(m.Source, func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		rel, _ := filepath.Rel(m.Source, path)
		if rel == "." || covered(m.Exclude, rel, d.IsDir()) || m.Include != nil && !covered(m.Include, rel, d.IsDir()) {
			return nil
		}
		name := rel
		if m.As != "" {
			name = m.As + "/" + rel
		}
		stat, err := d.Info()
		must(t, err)
		e := modelEntry{path: path, mode: uint32(stat.Mode().Perm()), modTime: stat.ModTime().Unix()}
		switch {
		case d.IsDir():
			name += "/"
		case d.Type()&fs.ModeSymlink != 0:
			if o.Symlinks == SymlinksSkip {
				return nil
			}
			target, err := os.Readlink(path)
			must(t, err)
			e.shown = " -> " + target
		default:
			e.shown = " = " + content1(t, path)
		}
		parents(name)
		put(name, e)
		return nil
	}))
	return all
}

func content1(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

// covered tells whether a pattern matches a path or a folder above it.
func covered(globs []string, rel string, isDir bool) bool {
	for i := 0; i <= len(rel); i++ {
		if i < len(rel) && rel[i] != '/' {
			continue
		}
		for _, g := range globs {
			text, dirsOnly := strings.CutSuffix(g, "/")
			if (!dirsOnly || isDir || i < len(rel)) && doublestar.MatchUnvalidated(text, rel[:i]) {
				return true
			}
		}
	}
	return false
}

// Random layouts of random trees come out as the model says.
func TestScanAgainstModel(t *testing.T) {
	t.Parallel()
	good, broken := 0, 0
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(5, seed))
		dir := t.TempDir()
		folders, files := randomTrees(t, random, dir)
		for range 15 {
			text := randomLayout(random, folders, files)
			l := load(t, dir, text)
			plans, err := l.Scan(t.Context(), ScanOptions{})
			want, bad := model(t, l.Archives[0])
			if len(bad) > 0 {
				broken++
				for name := range bad {
					// Below a name that collides no other is told.
					below := slices.ContainsFunc(slices.Collect(maps.Keys(bad)), func(above string) bool { return strings.HasPrefix(name, above+"/") })
					if below {
						continue
					}
					if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("two sources for the entry %q", name)) && !strings.Contains(err.Error(), fmt.Sprintf("%q is a file", name)) {
						t.Errorf("%s collides, but got error %v\n%s", name, err, text)
					}
				}
				continue
			}
			if err != nil {
				t.Fatalf("got error %v\n%s", err, text)
			}
			good++
			compare(t, plans[0], want)
			if t.Failed() {
				t.Fatalf("in %s:\n%s", dir, text)
			}
		}
	}
	if good < 200 || broken < 100 {
		t.Errorf("got %d good layouts and %d broken ones: the test tests little", good, broken)
	}
}

func compare(t *testing.T, p *Plan, want map[string]modelEntry) {
	t.Helper()
	var list []string
	newest := int64(315532800)
	for i, name := range slices.Sorted(maps.Keys(want)) {
		e := want[name]
		list = append(list, e.shown)
		if newest = max(newest, e.modTime); i >= p.Len() || p.Entry(i).Name != name {
			continue // told below
		}
		if got := p.Entry(i); got.ModTime != e.modTime || got.Mode&0o7777 != e.mode {
			t.Errorf("%s: got mode %o, time %d, want %o, %d", name, got.Mode, got.ModTime, e.mode, e.modTime)
		}
	}
	wantLines(t, show(t, p), list)
	if p.ModTime != newest {
		t.Errorf("got the archive's time %d, want %d", p.ModTime, newest)
	}
}

// randomTrees makes three trees of few names, so that they have many in common.
func randomTrees(t *testing.T, random *rand.Rand, dir string) (folders, files []string) {
	t.Helper()
	names := []string{"a", "b", "a-b", "a.b", "a0", "ä"}
	for _, root := range []string{"one", "two", "three"} {
		tree(t, dir, root+"/")
		for range 2 + random.IntN(14) {
			rel := root
			for range 1 + random.IntN(3) {
				rel += "/" + names[random.IntN(len(names))]
			}
			if _, err := os.Lstat(dir + "/" + rel); err == nil {
				continue
			}
			if parent := filepath.Dir(rel); !isFolder(dir + "/" + parent) {
				if os.MkdirAll(dir+"/"+parent, 0o755) != nil {
					continue // a file is in the way
				}
			}
			switch random.IntN(6) {
			case 0:
				tree(t, dir, rel+"/")
			case 1:
				tree(t, dir, rel+" -> ../"+names[random.IntN(2)])
			default:
				tree(t, dir, rel)
			}
		}
	}
	var stamps []stamped
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		rel, _ := filepath.Rel(dir, path)
		if rel == "." {
			return nil
		}
		stamp := stamped{rel, []uint32{0o755, 0o644, 0o700, 0o777}[random.IntN(4)] | 0o400, time.Unix(1e9+random.Int64N(1000), 0)}
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			stamp.mode = 0
		case d.IsDir():
			stamp.mode |= 0o100
			folders = append(folders, rel)
		default:
			files = append(files, rel)
		}
		stamps = append(stamps, stamp)
		return nil
	}))
	touch(t, dir, stamps)
	return folders, files
}

func isFolder(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

func randomLayout(random *rand.Rand, folders, files []string) string {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	globs := func() string {
		var list []string
		for range 1 + random.IntN(2) {
			list = append(list, `"`+pick("a", "b", "*", "*/", "**/a", "**/b/", "a/*", "a/**", "a*/b", "?", "*.*", "a/b/a", "**/*-*", "{a,b}/a", "ä")+`"`)
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	var entries []string
	for range 1 + random.IntN(4) {
		as := pick("x", "x/a", "x/a/b", "y", "x/a-b", "x/b")
		if len(files) > 0 && random.IntN(3) == 0 {
			entries = append(entries, fmt.Sprintf("{source: %s, as: %s}", pick(files...), as))
			continue
		}
		entry := fmt.Sprintf("{source: %s, as: %s", pick(append(folders, "one", "two", "three", "one", "two", "three")...), pick(as, ".", ".", "x"))
		if random.IntN(3) == 0 {
			entry += ", include: " + globs()
		}
		if random.IntN(3) == 0 {
			entry += ", exclude: " + globs()
		}
		entries = append(entries, entry+"}")
	}
	options := pick("", "", "directories: false", "symlinks: skip")
	return one(options, entries...)
}

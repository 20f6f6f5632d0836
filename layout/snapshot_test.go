package layout

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vzip/internal/require"
	"vzip/internal/rig"
	"vzip/internal/snapshot"
)

// What a file was when it was cloned counts, not when its folder was listed: who may read
// the archive follows that, too.
func TestFrozenMeanwhile(t *testing.T) {
	t.Parallel()
	xfs := rig.Kinds[slices.IndexFunc(rig.Kinds, func(k rig.Kind) bool { return k.Name == "xfs" })]
	require.Needs(t, append(xfs.Needs, "mount")...)
	image := t.TempDir()
	must(t, os.Chmod(filepath.Dir(image), 0o755)) // all folders above have to be open to others
	p, err := xfs.Make(context.Background(), image)
	must(t, err)
	defer func() { must(t, p.Close()) }()
	must(t, os.Mkdir(filepath.Join(p.Dir, "clones"), 0o755))
	open := Access{Mode: 0o444}
	closed := Access{Mode: 0o400, HasUID: true}
	for _, tt := range []struct {
		name   string
		change func(dir string) error // between the listing of b and the clone of b/f
		want   Access
		mode   uint32 // of b/f; 0: it is not there
		size   int64
	}{
		{"nothing", func(string) error { return nil }, open, 0o644, 5},
		{"appended", func(dir string) error { return os.WriteFile(dir+"/b/f", []byte("1234567"), 0o644) }, open, 0o644, 7},
		{"closed to others", func(dir string) error { return os.Chmod(dir+"/b/f", 0o600) }, closed, 0o600, 5},
		{"replaced", func(dir string) error { return os.Rename(dir+"/secret", dir+"/b/f") }, closed, 0o600, 6},
		{"in another folder", func(dir string) error {
			if err := os.Rename(dir+"/b", dir+"/../old"); err != nil {
				return err
			}
			if err := os.Mkdir(dir+"/b", 0o700); err != nil {
				return err
			}
			return os.WriteFile(dir+"/b/f", nil, 0o644)
		}, closed, 0o644, 0},
		{"removed", func(dir string) error { return os.Remove(dir + "/b/f") }, open, 0, 0},
		{"a link now", func(dir string) error {
			if err := os.Remove(dir + "/b/f"); err != nil {
				return err
			}
			return os.Symlink("../a", dir+"/b/f")
		}, open, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(p.Dir, tt.name, "src")
			must(t, os.MkdirAll(dir+"/b", 0o755))
			must(t, os.MkdirAll(dir+"/d", 0o755))
			must(t, os.WriteFile(dir+"/a", []byte("a"), 0o644))
			must(t, os.WriteFile(dir+"/b/f", []byte("12345"), 0o644))
			must(t, os.WriteFile(dir+"/secret", []byte("secret"), 0o600))
			l := load(t, filepath.Dir(dir), "version: 1\narchives: [{name: a.zip, snapshot: ../clones, entries: [{source: src, exclude: [secret]}]}]\n")
			k := &snapshot.Keeper{Warn: func(s string) { t.Error(s) }}
			defer k.Close()
			plans, err := l.Scan(t.Context(), ScanOptions{Snapshot: k.Begin().Archive, Folder: func(path string) {
				if path == l.Sources()[0]+"/d" { // it is listed ahead, when b has been
					must(t, tt.change(dir))
				}
			}})
			must(t, err)
			i, ok := plans[0].Find("src/b/f")
			if ok != (tt.mode != 0) {
				t.Fatalf("found: %v", ok)
			}
			if got := plans[0].Access(); got != tt.want {
				t.Errorf("got access %+v, want %+v", got, tt.want)
			}
			if ok {
				if e := plans[0].Entry(i); e.Mode&0o777 != tt.mode || e.Size != tt.size {
					t.Errorf("got mode %o and %d bytes, want %o, %d", e.Mode, e.Size, tt.mode, tt.size)
				}
				ref, _ := plans[0].Source(i)
				if s, err := ref.Lstat(); err != nil || s.Identity != plans[0].Identity(i) || s.Dev != plans[0].Device(i) {
					t.Errorf("its clone is %+v, want %+v (%v)", s.Identity, plans[0].Identity(i), err)
				}
			}
		})
	}
}

// That a file system can't clone is found at the first file, if not before.
func TestCannotClone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ kind, want string }{
		{"ext4", ": its file system can't clone files: name a folder on one that can (XFS, Btrfs, "},
		{"tmpfs", ": its file system can't clone files: name a folder on one that can (XFS, Btrfs, "},
		{"overlay", "/src/a can't be cloned: operation not supported: its file system can't clone files: name a folder on one that can (XFS, Btrfs, "},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			t.Parallel()
			k := rig.Kinds[slices.IndexFunc(rig.Kinds, func(k rig.Kind) bool { return k.Name == tt.kind })]
			require.Needs(t, append(k.Needs, "mount")...)
			p, err := k.Make(context.Background(), t.TempDir())
			must(t, err)
			defer func() { must(t, p.Close()) }()
			must(t, os.MkdirAll(p.Dir+"/src", 0o755))
			must(t, os.Mkdir(p.Dir+"/clones", 0o755))
			must(t, os.WriteFile(p.Dir+"/src/a", []byte("a"), 0o644))
			must(t, os.WriteFile(p.Dir+"/src/b", []byte("b"), 0o644))
			keeper := &snapshot.Keeper{Warn: func(s string) { t.Error(s) }}
			defer keeper.Close()
			l, err := Load(save(t, p.Dir, "version: 1\narchives: [{name: a.zip, snapshot: clones, entries: [{source: src}]}]\n"), env())
			if err == nil {
				clones := keeper.Begin()
				_, err = l.Scan(t.Context(), ScanOptions{Snapshot: clones.Archive})
				clones.Remove()
			}
			if err == nil || !strings.Contains(err.Error(), "layout.yaml:2:36: snapshot "+p.Dir+"/clones: ") || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got error %v", err)
			}
			if left, err := os.ReadDir(p.Dir + "/clones"); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

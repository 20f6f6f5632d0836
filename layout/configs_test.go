package layout

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vzip/zipgen"
)

// What the example layouts make of folders such as they describe.
var examples = map[string]struct {
	files []string
	want  map[string][]string
	// packings are those of entries that are not stored, of all archives.
	packings []string
}{
	"vm-images.yaml": {
		files: []string{
			"builds/b1/win-server-x64/box.json", "builds/b1/win-server-x64/Virtual Hard Disks/c.vhdx", "builds/b1/win-server-x64/build.log",
			"builds/b1/debian-x64/disk.qcow2", "builds/b1/debian-x64/disk.json", "builds/b1/debian-x64/scratch/disk.qcow2", "builds/b1/README.txt",
		},
		want: map[string][]string{"vm-images.zip": {
			"README.txt = builds/b1/README.txt",
			"images/",
			"images/linux/",
			"images/linux/disk.json = builds/b1/debian-x64/disk.json",
			"images/linux/disk.qcow2 = builds/b1/debian-x64/disk.qcow2",
			"images/windows/",
			"images/windows/Virtual Hard Disks/",
			"images/windows/Virtual Hard Disks/c.vhdx = builds/b1/win-server-x64/Virtual Hard Disks/c.vhdx",
			"images/windows/box.json = builds/b1/win-server-x64/box.json",
		}},
	},
	"downloads.yaml": {
		files: []string{
			"photos/2025/a.jpg", "photos/2025/.thumbnails/a.jpg", "photos/2025/trip/b.tmp", "photos/2026/c.jpg", "photos/2026/latest -> c.jpg",
			"project/main.c", "project/main.o", "project/build/x", "project/.git/HEAD", "project/link -> main.c", "project/src/y.o", "LICENSE",
			"manuals/a.pdf", "manuals/more/b.epub", "manuals/notes.txt",
		},
		want: map[string][]string{
			"photos/2025.zip": {"2025/", "2025/a.jpg = photos/2025/a.jpg", "2025/trip/"},
			"photos/2026.zip": {"2026/", "2026/c.jpg = photos/2026/c.jpg"},
			"source-code.zip": {"project-1.4/", "project-1.4/LICENSE = LICENSE", "project-1.4/link -> main.c", "project-1.4/main.c = project/main.c", "project-1.4/src/"},
			"manuals.zip":     {"a.pdf = manuals/a.pdf", "more/", "more/b.epub = manuals/more/b.epub"},
		},
	},
	"logs.yaml": {
		files: []string{
			"logs/2026-01/web.log", "logs/2026-01/web.log.gz", "logs/current.log", "logs/old.xz",
			"reports/all.csv", "reports/old.csv.gz", "reports/charts/a.png", "index.db",
		},
		want: map[string][]string{"logs.zip": {
			"index.db = index.db",
			"logs/", "logs/2026-01/", "logs/2026-01/web.log = logs/2026-01/web.log", "logs/2026-01/web.log.gz = logs/2026-01/web.log.gz", "logs/old.xz = logs/old.xz",
			"reports/", "reports/all.csv = reports/all.csv", "reports/charts/", "reports/charts/a.png = reports/charts/a.png", "reports/old.csv.gz = reports/old.csv.gz",
		}},
		packings: []string{"logs/2026-01/web.log: 6 auto", "reports/all.csv: 9", "reports/old.csv.gz: 9"},
	},
	"reproducible.yaml": {
		files: []string{"release/bin/tool", "release/caf\xe9", "release/docs/.DS_Store", "release/latest -> bin"},
		want: map[string][]string{"release.zip": {
			"release-1.4/", "release-1.4/bin/", "release-1.4/bin/tool = release/bin/tool", "release-1.4/caf%E9 = release/caf\xe9",
			"release-1.4/docs/", "release-1.4/latest -> bin",
		}},
	},
}

func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../configs/*.yaml")
	must(t, err)
	if len(files) != len(examples) {
		t.Errorf("got %d examples in configs, want %d", len(files), len(examples))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			example := examples[filepath.Base(file)]
			dir := t.TempDir()
			tree(t, dir, example.files...)
			text, err := os.ReadFile(file)
			must(t, err)
			l, err := Load(save(t, dir, string(text)), env("BUILD", "b1"))
			must(t, err)
			plans, warnings := scanAll(t, l)
			wantLines(t, warnings, nil)
			if len(plans) != len(example.want) {
				t.Errorf("got %d archives, want %d", len(plans), len(example.want))
			}
			var packed []string
			for _, p := range plans {
				wantLines(t, show(t, p), example.want[p.Name])
				for _, line := range packings(t, p) {
					if !strings.HasSuffix(line, ": stored") {
						packed = append(packed, line)
					}
				}
			}
			wantLines(t, packed, example.packings)
		})
	}
}

// Made of other files, at another time, with other permissions, the archive of
// the reproducible example has the same entries.
func TestReproducibleExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../configs/reproducible.yaml")
	must(t, err)
	var all [][]zipgen.Entry
	for _, mode := range []os.FileMode{0o600, 0o777} {
		dir := t.TempDir()
		tree(t, dir, "release/b", "release/a", "release/c/d")
		must(t, os.Chmod(dir+"/release/b", mode))
		must(t, os.Chmod(dir+"/release/c", mode|0o700))
		plans, _ := scanAll(t, load(t, dir, string(text)))
		all = append(all, entries(plans[0]))
	}
	if !slices.Equal(all[0], all[1]) {
		t.Errorf("got different entries:\n%+v\n%+v", all[0], all[1])
	}
}

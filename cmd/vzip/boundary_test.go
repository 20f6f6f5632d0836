package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gopkg.in/yaml.v3"

	"vzip/internal/require"
	"vzip/internal/rig"
	"vzip/internal/strictzip"
	"vzip/vfs"
)

// part is an entry of a boundary's archive: a sparse file with a mark at each end.
type part struct {
	name  string
	size  int64
	mtime int64 // 0: 2024-02-29
}

const leapDay = 1709210096

// mark stands at both ends of a sparse file, so that no CRC-32 is that of zeros.
const mark = "a mark"

// headerLen is the length of the local header of a one-byte name.
const headerLen = 30 + 1 + 9

// boundaries are archives on both sides of each limit. ZIP64 in words: of the end
// records, then of each entry the version needed and the lengths of its fields.
var boundaries = []struct {
	name    string
	parts   []part
	options string
	zip64   string
}{
	{"size-fffffffe", []part{{"a", 20, 0}, {"b", 0xfffffffe, 0}}, "", "end true, a 10 0 0, b 10 0 0"},
	{"size-ffffffff", []part{{"a", 20, 0}, {"b", 0xffffffff, 0}}, "", "end true, a 10 0 0, b 45 16 16"},
	{"size-100000000", []part{{"a", 20, 0}, {"b", 0x100000000, 0}}, "", "end true, a 10 0 0, b 45 16 16"},
	{"size-40000000000", []part{{"a", 20, 0}, {"b", 0x40000000000, 0}}, "", "end true, a 10 0 0, b 45 16 16"},
	{"offset-fffffffe", []part{{"a", 0xfffffffe - headerLen, 0}, {"b", 20, 0}}, "", "end true, a 10 0 0, b 10 0 0"},
	{"offset-ffffffff", []part{{"a", 0xffffffff - headerLen, 0}, {"b", 20, 0}}, "", "end true, a 10 0 0, b 45 0 8"},
	{"offset-100000000", []part{{"a", 0x100000000 - headerLen, 0}, {"b", 20, 0}}, "", "end true, a 10 0 0, b 45 0 8"},
	{"sizes-and-offset", []part{{"a", 0xfffffffe, 0}, {"b", 0xffffffff, 0}, {"c", 0xfffffffe, 0}}, "", "end true, a 10 0 0, b 45 16 24, c 45 16 24"},
	{"behind-ffffffff", []part{{"a", 0xffffffff, 0}, {"b", 20, 0}, {"c", 20, 0}}, "", "end true, a 45 16 16, b 45 16 24, c 45 0 8"},
	{"directory-at-fffffffe", []part{{"a", 0xfffffffe - headerLen, 0}}, "", "end false, a 10 0 0"},
	{"directory-at-ffffffff", []part{{"a", 0xffffffff - headerLen, 0}}, "", "end true, a 10 0 0"},
	{"directory-at-100000000", []part{{"a", 0x100000000 - headerLen, 0}}, "", "end true, a 10 0 0"},
	{"empty", nil, "", "end false"},
	{"empty-file", []part{{"a", 0, 0}}, "", "end false, a 10 0 0"},
	{"comment-1", []part{{"a", 20, 0}}, "comment: c", "end false, a 10 0 0"},
	{"comment-65534", []part{{"a", 20, 0}}, "comment: " + strings.Repeat("c", 65534), "end false, a 10 0 0"},
	{"comment-65535", []part{{"a", 20, 0}}, "comment: " + strings.Repeat("c", 65535), "end false, a 10 0 0"},
	{"comment-65535-empty", nil, "comment: " + strings.Repeat("c", 65535), "end false"},
	{"comment-65535-zip64", []part{{"a", 0xffffffff, 0}}, "comment: " + strings.Repeat("c", 65535), "end true, a 45 16 16"},
	{"names", []part{{"n", 20, 0}, {strings.Repeat("o", 255), 20, 0}, {strings.Repeat("p", 4096), 20, 0}, {strings.Repeat("q", 65534), 20, 0}, {strings.Repeat("r/", 32767) + "r", 20, 0}}, "directories: false", ""},
	{"times", timeParts, "", ""},
	{"times-ntfs", timeParts, "ntfs_times: true", ""},
}

// timeParts have modification times around each limit, 1901 to 2200.
var timeParts = []part{
	{"a", 1, -1 << 31}, {"b", 1, -86400 * 365}, {"c", 1, -1}, {"d", 1, 1}, {"e", 1, 315532799}, {"f", 1, 315532800}, {"g", 1, 315532801}, {"h", 1, 951782399},
	{"i", 1, 1<<31 - 1}, {"j", 1, 1 << 31}, {"k", 1, 4354819198}, {"l", 1, 4354819199}, {"m", 1, 4354819200}, {"n", 1, 7258118400},
}

// Every boundary through a real mount: the strict parser, Python, 7z and zipinfo
// agree with the sources.
func TestBoundariesMounted(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse", "python3", "7z", "zipinfo")
	dir := t.TempDir()
	var archives []map[string]any
	times := map[string][]int64{}
	for _, b := range boundaries {
		a := map[string]any{"name": b.name + ".zip", "entries": []any{}}
		must(t, yaml.Unmarshal([]byte(b.options), &a))
		for i, p := range b.parts {
			source := fmt.Sprintf("%s/%s.%d", dir, b.name, i)
			times[b.name] = append(times[b.name], makeSparse(t, source, p))
			a["entries"] = append(a["entries"].([]any), map[string]string{"source": source, "as": p.name})
		}
		archives = append(archives, a)
	}
	mnt := mountArchives(t, dir, 2*patience, archives)
	for _, b := range boundaries {
		t.Run(b.name, func(t *testing.T) {
			a, file := parseMounted(t, mnt+"/"+b.name+".zip")
			if got := zip64Of(a); got != b.zip64 && b.zip64 != "" {
				t.Errorf("ZIP64: got %s, want %s", got, b.zip64)
			}
			if len(a.Entries) != len(b.parts) {
				t.Fatalf("got %d entries, want %d", len(a.Entries), len(b.parts))
			}
			for i, p := range b.parts {
				checkPart(t, file, &a.Entries[i], p, times[b.name][i], strings.Contains(b.options, "ntfs"))
			}
			if want := strings.TrimPrefix(b.options, "comment: "); len(want) < len(b.options) && a.Comment != want {
				t.Errorf("comment of %d bytes, want %d", len(a.Comment), len(want))
			}
		})
	}
	if got := fileSize(t, mnt+"/empty.zip"); got != 22 {
		t.Errorf("the empty archive has %d bytes, want 22", got)
	}
	askOthers(t, mnt, len(boundaries))
}

// Archives of 65,534 to 65,536 entries.
func TestCountsMounted(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse", "python3", "7z", "zipinfo")
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/src", 0o755))
	for i := range 65536 {
		must(t, os.WriteFile(fmt.Sprintf("%s/src/%05d", dir, i), nil, 0o644))
	}
	var archives []map[string]any
	for n := 65534; n <= 65536; n++ {
		exclude := []string{}
		for i := n; i < 65536; i++ {
			exclude = append(exclude, fmt.Sprint(i))
		}
		archives = append(archives, map[string]any{
			"name": fmt.Sprint(n, ".zip"), "directories": false,
			"entries": []any{map[string]any{"source": dir + "/src", "as": ".", "exclude": exclude}},
		})
	}
	mnt := mountArchives(t, dir, 2*patience, archives)
	for n := 65534; n <= 65536; n++ {
		a, _ := parseMounted(t, fmt.Sprintf("%s/%d.zip", mnt, n))
		if len(a.Entries) != n || a.ZIP64 != (n >= 65535) {
			t.Errorf("got %d entries, ZIP64 %v; want %d", len(a.Entries), a.ZIP64, n)
		}
	}
	askOthers(t, mnt, 3)
}

// makeSparse makes a part's source, and returns the time that the file system gave
// it: some have none after 2038 or 2106.
func makeSparse(t *testing.T, path string, p part) (mtime int64) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(p.size))
	data := mark[:min(int64(len(mark)), p.size)]
	for _, off := range []int64{0, p.size - int64(len(data))} {
		_, err := f.WriteAt([]byte(data), off)
		must(t, err)
	}
	at := unix.NsecToTimespec(0)
	if at.Sec = p.mtime; at.Sec == 0 {
		at.Sec = leapDay
	}
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{at, at}, 0))
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	return st.Mtim.Sec
}

// mountArchives mounts a layout of these archives below dir until the test ends.
// That may take most.
func mountArchives(t *testing.T, dir string, most time.Duration, archives []map[string]any) (mnt string) {
	t.Helper()
	text, err := yaml.Marshal(map[string]any{"version": 1, "archives": archives})
	must(t, err)
	mnt = dir + "/mnt"
	must(t, os.Mkdir(mnt, 0o755))
	must(t, os.WriteFile(dir+"/layout.yaml", text, 0o644))
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	cmd := exec.CommandContext(ctx, "vzip", "mount", "--daemon", "--no-cache", "--quiet", "--log-file", dir+"/log", dir+"/layout.yaml", mnt)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("vzip mount: %v: %s", err, out)
	}
	t.Cleanup(func() { must(t, rig.Idle(func() error { return vfs.Unmount(mnt, false) })) })
	return mnt
}

func parseMounted(t *testing.T, path string) (*strictzip.Archive, *os.File) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	a, err := strictzip.Parse(f, fileSize(t, path))
	must(t, err)
	return a, f
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	fi, err := os.Stat(path)
	must(t, err)
	return fi.Size()
}

func zip64Of(a *strictzip.Archive) string {
	s := fmt.Sprintf("end %v", a.ZIP64)
	for _, e := range a.Entries {
		s += fmt.Sprintf(", %s %d %d %d", e.Name, e.Needed, e.LocalZIP64, e.CentralZIP64)
	}
	return s
}

// checkPart compares an entry with its source, and the data at both ends.
func checkPart(t *testing.T, archive *os.File, e *strictzip.Entry, p part, want int64, ntfs bool) {
	t.Helper()
	if e.Name != p.name || e.Size != p.size {
		t.Fatalf("got %.40q with %d bytes, want %.40q with %d", e.Name, e.Size, p.name, p.size)
	}
	data := []byte(mark)[:min(int64(len(mark)), p.size)]
	for _, off := range []int64{0, p.size - int64(len(data))} {
		got := make([]byte, len(data))
		if _, err := archive.ReadAt(got, e.DataAt+off); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%.40q at %d: got %q, %v; want %q", e.Name, off, got, err, data)
		}
	}
	if p.size > 0 && p.size < 1<<20 {
		if err := e.CheckData(archive); err != nil {
			t.Errorf("%.40q: %v", e.Name, err)
		}
	}
	got, exact := e.ModifiedUnix()
	if fits := want >= 0 && want < 1<<31; exact != (fits || ntfs) || exact && got != want {
		t.Errorf("%.40q: got time %d (exact: %v), want %d", e.Name, got, exact, want)
	}
	if dos, err := e.DOSUnix(); err != nil || dos != min(max(want, 315532800), 4354819198)&^1 {
		t.Errorf("%.40q: got MS-DOS time %d, %v, for %d", e.Name, dos, err, want)
	}
}

// askOthers has three readers list all archives of a mount.
func askOthers(t *testing.T, mnt string, count int) {
	t.Helper()
	const script = `
import os, sys, zipfile
for name in sorted(os.listdir('.')):
    z = zipfile.ZipFile(name)
    at = 0
    for i in z.infolist():
        assert i.header_offset == at, (name, i)
        with z.open(i) as f:
            assert f.read(6) == b'a mark'[:i.file_size], (name, i)
        at += 30 + len(i.orig_filename.encode()) + i.file_size
        z.fp.seek(i.header_offset + 28)
        at += int.from_bytes(z.fp.read(2), 'little')
    assert at == z.start_dir, name
    print(name, len(z.infolist()), sum(i.file_size for i in z.infolist()))
`
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	run := func(words ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.Dir = mnt
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%.80q: %v: %.500s", words, err, out)
		}
		return string(out)
	}
	if got := strings.Count(run("python3", "-c", script), "\n"); got != count {
		t.Errorf("Python listed %d archives, want %d", got, count)
	}
	files, err := filepath.Glob(mnt + "/*.zip")
	must(t, err)
	for _, file := range files {
		name := filepath.Base(file)
		run("7z", "l", name)
		switch name {
		case "names.zip": // it cuts names of 4,096 bytes, and warns
		case "empty.zip", "comment-65535-empty.zip": // an error for it
		default:
			run("zipinfo", "-h", "-t", name)
		}
	}
}

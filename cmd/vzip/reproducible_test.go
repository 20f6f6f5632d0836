package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vzip/internal/require"
)

// reproducible is the archive of the twins, on every machine, at any time, for as
// long as the format stays what it is.
const reproducible = "69e38d240762a1d7767e28ace8341670329273ad1b94ce21853be71cf3f1a8b5"

// twinFiles have the same names and content in both trees.
var twinFiles = []string{
	"README.txt", "bin/tool", "bin/tool-copy", "data/0001", "data/0002", "data/large", "data/sub/deep/er", "empty", "été/naïve.txt", "Ünïcode/漢字", "z",
}

// twin makes one of two trees that have nothing in common but names and content:
// one is made backwards, with other times, permissions and owners, and hard links
// and holes where the other has copies and zeros.
func twin(t *testing.T, dir string, second bool) {
	t.Helper()
	files := slices.Clone(twinFiles)
	mode, when, umask := os.FileMode(0o644), time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC), os.FileMode(0o755)
	if second {
		slices.Reverse(files)
		mode, when, umask = 0o600, time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC), 0o711
	}
	for _, name := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), umask))
		content := strings.TrimSuffix(name, "-copy")
		data := []byte(strings.Repeat("content of "+content+"\n", 1+len(content)%3))
		switch name {
		case "empty":
			data = nil
		case "data/large":
			data = make([]byte, 3<<20)
			copy(data[1<<20:], "in the middle")
		}
		f, err := os.Create(path)
		must(t, err)
		if name == "data/large" && second {
			must(t, f.Truncate(int64(len(data))))
			_, err = f.WriteAt(data[1<<20:1<<20+4096], 1<<20)
		} else {
			_, err = f.Write(data)
		}
		must(t, err)
		must(t, f.Close())
	}
	must(t, os.Symlink("bin/tool", dir+"/link"))
	must(t, os.MkdirAll(dir+"/nothing in it", umask))
	if second {
		must(t, os.Remove(dir+"/bin/tool-copy"))
		must(t, os.Link(dir+"/bin/tool", dir+"/bin/tool-copy"))
	}
	must(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeSymlink != 0 {
			return err
		}
		if second && os.Geteuid() == 0 {
			must(t, os.Lchown(p, 1234, 5678))
		}
		if !d.IsDir() {
			must(t, os.Chmod(p, mode))
		}
		return os.Chtimes(p, when, when.Add(time.Duration(len(p))*time.Second))
	}))
}

// Two trees of the same names and content make the same bytes, on another day, in
// another time zone and locale, with other jobs, read in one way or another.
func TestReproducible(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse", "go")
	dir := t.TempDir()
	twin(t, dir+"/first", false)
	twin(t, dir+"/second", true)
	for _, which := range []string{"first", "second"} {
		must(t, os.WriteFile(fmt.Sprintf("%s/%s.yaml", dir, which), []byte(`version: 1
archives:
  - name: a.zip
    comment: For ever the same
    modes: fixed
    mtime: 2026-01-31T12:00:01+01:00
    entries: [{source: `+which+`, as: product-1.0}]
  - name: source.zip
    entries: [{source: `+which+`, as: product-1.0}]
`), 0o644))
	}
	another := anotherDay(t)

	hash := func(name, vzip string, env []string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), vzip, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), env...)
		h := sha256.New()
		cmd.Stdout, cmd.Stderr = h, os.Stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("%s: vzip %s: %v", name, args, err)
		}
		return hex.EncodeToString(h.Sum(nil))
	}
	for _, test := range []struct {
		name  string
		vzip  string
		env   []string
		flags []string
	}{
		{"plainly", "vzip", nil, nil},
		{"one job", "vzip", nil, []string{"--jobs", "1"}},
		{"seven jobs", "vzip", nil, []string{"--jobs", "7"}},
		{"one processor", "vzip", []string{"GOMAXPROCS=1"}, nil},
		{"Kathmandu", "vzip", []string{"TZ=Asia/Kathmandu"}, nil},
		{"Apia", "vzip", []string{"TZ=Pacific/Apia"}, nil},
		{"no time zone", "vzip", []string{"TZ=:/no/such/zone"}, nil},
		{"Turkish", "vzip", []string{"LC_ALL=tr_TR.UTF-8", "LANG=tr_TR.UTF-8"}, nil},
		{"Latin-1", "vzip", []string{"LC_ALL=de_DE.ISO-8859-1", "LC_COLLATE=de_DE"}, nil},
		{"another day", another, nil, nil},
		{"another day, elsewhere", another, []string{"TZ=America/St_Johns", "LC_ALL=ja_JP.UTF-8", "GOMAXPROCS=1"}, []string{"--jobs", "3"}},
	} {
		for _, which := range []string{"first", "second"} {
			args := slices.Concat([]string{"cat", "--quiet", "--no-cache"}, test.flags, []string{which + ".yaml", "a.zip"})
			if got := hash(test.name, test.vzip, test.env, args...); got != reproducible {
				t.Errorf("%s, %s tree: got %s, want %s", test.name, which, got, reproducible)
			}
		}
	}
	for _, which := range []string{"first", "second"} {
		got := hash("mounted", "vzip", nil, "exec", "--quiet", "--no-cache", which+".yaml", "--", "sh", "-c", `cat "$VZIP_MOUNT/a.zip"`)
		if got != reproducible {
			t.Errorf("mounted, %s tree: got %s, want %s", which, got, reproducible)
		}
	}
	// The trees do differ.
	first := hash("source", "vzip", nil, "cat", "--quiet", "--no-cache", "first.yaml", "source.zip")
	if first == hash("source", "vzip", nil, "cat", "--quiet", "--no-cache", "second.yaml", "source.zip") {
		t.Error("with modes and times of the sources the archives are equal, too")
	}
	t.Logf("SHA-256 %s: 24 times, two trees, 12 ways", reproducible)
}

// anotherDay builds vzip with a clock that is seven years and some ahead, and
// returns its path.
func anotherDay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	must(t, err)
	file := filepath.Join(strings.TrimSpace(string(root)), "src/time/time.go")
	text, err := os.ReadFile(file)
	must(t, err)
	const now = "\nfunc Now() Time {\n"
	// Without its monotonic part, which Since and Until know by themselves.
	changed := strings.Replace(string(text), now, "\nfunc Now() Time { return realNow().Round(0).Add(61234 * Hour) }\n\nfunc realNow() Time {\n", 1)
	if changed == string(text) {
		t.Fatalf("%s has no %q", file, now)
	}
	must(t, os.WriteFile(dir+"/time.go", []byte(changed), 0o644))
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: dir + "/time.go"}})
	must(t, err)
	must(t, os.WriteFile(dir+"/overlay.json", overlay, 0o644))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", dir+"/overlay.json", "-o", dir+"/vzip", ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// Its messages are of another day.
	out, _ := exec.CommandContext(t.Context(), dir+"/vzip", "check", "--log-format", "json", dir+"/no.yaml").CombinedOutput()
	var message struct{ Time time.Time }
	if err := json.Unmarshal(out, &message); err != nil || time.Until(message.Time) < 6*365*24*time.Hour {
		t.Fatalf("the clock was not changed: %v: %s", err, out)
	}
	return dir + "/vzip"
}

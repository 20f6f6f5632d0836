package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"vzip/internal/require"
)

// Programs that docs/ci.md names, as far as they matter here: other machines and S3
// are folders, and the size that aws expects must be the one that comes.
var otherMachines = map[string]string{
	"ssh": `#!/bin/sh
mkdir -p "$REMOTE/$1" && cd "$REMOTE/$1" && shift && exec sh -c "$*"
`,
	"rsync": `#!/bin/sh
mkdir -p "$REMOTE/backup" && exec cp "$1" "$REMOTE/backup/"
`,
	"rclone": `#!/bin/sh
mkdir -p "$REMOTE/storage" && exec cp "$2"/* "$REMOTE/storage/"
`,
	"aws": `#!/bin/sh
to=$REMOTE/s3/${4#s3://nightly/}
mkdir -p "$REMOTE/s3"
case "$2 $3" in
"rm "*) exec rm "$REMOTE/s3/${3#s3://nightly/}" ;;
"cp -") cat >"$to"; test "$5" = --expected-size && test "$6" = "$(stat -c %s "$to")" || echo "expected $6" >"$REMOTE/wrong" ;;
"cp "*) cp "$3" "$to" ;;
esac
`,
}

// TestCIPage runs what docs/ci.md tells people to run, and parses what it tells
// services.
func TestCIPage(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse", "bash", "jq", "unzip")
	text, err := os.ReadFile("../../docs/ci.md")
	must(t, err)
	blocks := map[string][]string{}
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		blocks[m[1]] = append(blocks[m[1]], m[2])
	}
	scripts := blocks["bash"]
	for _, block := range blocks["yaml"] {
		for _, run := range runsOf(t, block) {
			if strings.Contains(run, "vzip exec") || strings.Contains(run, "vzip cat") {
				scripts = append(scripts, run)
			} else if out, err := exec.Command("bash", "-n", "-c", run).CombinedOutput(); err != nil {
				t.Errorf("%q: %v\n%s", run, err, out)
			}
		}
	}
	for _, block := range blocks["groovy"] {
		_, script, _ := strings.Cut(block, "'''")
		script, _, _ = strings.Cut(script, "'''")
		scripts = append(scripts, script)
	}
	if len(scripts) != 8 || len(blocks["yaml"]) != 2 {
		t.Errorf("got %d scripts and %d blocks of YAML", len(scripts), len(blocks["yaml"]))
	}
	for i, script := range scripts {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			runCI(t, script)
		})
	}
}

// runsOf returns the scripts of a GitHub or GitLab job, those of one job as one.
func runsOf(t *testing.T, text string) (runs []string) {
	t.Helper()
	var doc struct {
		Jobs map[string]struct {
			Steps []struct{ Run string }
		}
		Archive struct {
			BeforeScript []string `yaml:"before_script"`
			Script       []string
		}
	}
	must(t, yaml.Unmarshal([]byte(text), &doc))
	for _, job := range doc.Jobs {
		for _, step := range job.Steps {
			runs = append(runs, step.Run)
		}
	}
	return append(runs, strings.Join(doc.Archive.BeforeScript, "\n"), strings.Join(doc.Archive.Script, "\n"))
}

// runCI runs a script of the page, which must leave the archive somewhere, and again
// when a source can't be read: then it must fail and leave none under its name.
func runCI(t *testing.T, script string) {
	dir := t.TempDir()
	for name, text := range otherMachines {
		must(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "bin", name), []byte(text), 0o755))
	}
	for _, name := range []string{"src", "tmp"} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	source := filepath.Join(dir, "src/a")
	must(t, os.WriteFile(source, []byte(strings.Repeat("vzip", 100_000)), 0o644))
	layout := "version: 1\narchives:\n  - name: vm-images.zip\n    entries:\n      - source: src\n"
	must(t, os.WriteFile(filepath.Join(dir, "nightly.yaml"), []byte(layout), 0o644))
	run := func(remote string) ([]byte, error) {
		must(t, os.MkdirAll(filepath.Join(dir, remote), 0o755))
		must(t, os.RemoveAll(filepath.Join(dir, "out")))
		must(t, os.Mkdir(filepath.Join(dir, "out"), 0o755))
		cmd := exec.Command("bash", "-e", "-o", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "REMOTE="+filepath.Join(dir, remote),
			"TMPDIR="+filepath.Join(dir, "tmp"), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "VZIP_TEST=")
		return cmd.CombinedOutput()
	}
	archives := func(remote string) (found []string) {
		for _, glob := range []string{"out/*.zip", remote + "/*/*.zip", remote + "/wrong"} {
			names, err := filepath.Glob(filepath.Join(dir, glob))
			must(t, err)
			found = append(found, names...)
		}
		return found
	}
	out, err := run("well")
	if err != nil {
		t.Fatalf("%s\n%v\n%s", script, err, out)
	}
	found := archives("well")
	if len(found) != 1 {
		t.Fatalf("%s\ngot %q, want one archive", script, found)
	}
	if out, err := exec.Command("unzip", "-tq", found[0]).CombinedOutput(); err != nil {
		t.Errorf("%s\nunzip: %v\n%s", script, err, out)
	}
	must(t, os.Remove(source))
	layout = strings.Replace(layout, "source: src\n", "source: src/a\n", 1)
	must(t, os.WriteFile(filepath.Join(dir, "nightly.yaml"), []byte(layout), 0o644))
	out, err = run("ill")
	if err == nil {
		t.Errorf("%s\nended well without its source\n%s", script, out)
	}
	for _, name := range archives("ill") {
		if !strings.HasPrefix(name, filepath.Join(dir, "out")) { // "vzip cat >FILE" can't help it, and fails
			t.Errorf("%s\ngot %s without its source", script, name)
		}
	}
}

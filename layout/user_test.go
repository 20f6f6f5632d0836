package layout

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const childVar = "VZIP_LAYOUT_TEST_CHILD"

// asOrdinaryUser runs the calling test again as a user who may not read all, and
// tells whether this is that run.
func asOrdinaryUser(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	if os.Getenv(childVar) != "" {
		t.Fatal("the user is still root")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// The test binary's folder may be closed to that user.
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Env = append(os.Environ(), childVar+"=1", "TMPDIR=/tmp")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// What can't be read is told by the scan, before anything is mounted, wherever it
// stands.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	if !asOrdinaryUser(t) {
		return
	}
	const deny = "permission denied"
	for _, tt := range []struct {
		name   string
		closed []string // mode 0
		text   string
		want   []string
	}{
		{"file", []string{"src/a"}, one("", "source: src"), []string{"5:17: source src/a: " + deny + ": make it readable, or exclude it"}},
		{"folder", []string{"src/d"}, one("", "source: src"), []string{"5:17: source folder src/d: " + deny + ": make it readable, or exclude it"}},
		{"two", []string{"src/b", "src/a"}, one("", "source: src"), []string{
			"5:17: source src/a: " + deny + ": make it readable, or exclude it", "5:17: source src/b: " + deny + ": make it readable, or exclude it"}},
		{"file as source", []string{"src/a"}, one("", "source: src/b", "source: src/a"), []string{"6:17: source src/a: " + deny + ": make it readable"}},
		{"folder as source", []string{"src/d"}, one("", "source: src/d"), []string{"5:17: source src/d: " + deny + ": check the path and its permissions"}},
		{"source below a closed folder", []string{"src/d"}, one("", "source: src/d/x"), []string{"5:17: source src/d/x: " + deny + ": check the path and its permissions"}},
		{"followed link", []string{"src/a"}, one("symlinks: follow", "{source: src, exclude: [a]}"), []string{"6:18: source src/to-a: " + deny + ": make it readable, or exclude it"}},
		{"stored link", []string{"src/a"}, one("", "{source: src, exclude: [a]}"), nil},
		{"FIFO", []string{"src/fifo"}, one("", "source: src"), nil},
		{"excluded", []string{"src/a", "src/d"}, one("", "{source: src, exclude: [a, d]}"), nil},
		{"not included", []string{"src/a", "src/d"}, one("", `{source: src, include: [b, "x*/y"]}`), nil},
		{"not looked into", []string{"src/d/e"}, one("", `{source: src, include: ["d/*.txt", "d/f/**", b]}`), nil},
		{"looked into", []string{"src/d/e"}, one("", `{source: src, include: ["d/**/*.txt", b]}`), []string{"5:18: source folder src/d/e: " + deny + ": make it readable, or exclude it"}},
		{"layout file", []string{"layout.yaml"}, one("", "source: src"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tree(t, dir, "src/a", "src/b", "src/d/x", "src/d/e/x", "src/to-a -> a", "src/fifo |")
			file := save(t, dir, tt.text)
			for _, name := range tt.closed {
				must(t, os.Chmod(dir+"/"+name, 0))
				t.Cleanup(func() { os.Chmod(dir+"/"+name, 0o700) })
			}
			got, sourcesOnly := attempt(t, file, env())
			if tt.name == "layout file" {
				if got != "layout.yaml: the layout file can't be read: permission denied: check the path and its permissions" || sourcesOnly {
					t.Errorf("got %q (sources alone: %v)", got, sourcesOnly)
				}
				return
			}
			if sourcesOnly != (tt.want != nil) {
				t.Errorf("of sources alone: got %v", sourcesOnly)
			}
			for i := range tt.want {
				tt.want[i] = "layout.yaml:" + tt.want[i]
			}
			wantLines(t, strings.Split(got, "\n"), append(tt.want, []string{""}[:max(0, 1-len(tt.want))]...))
		})
	}
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vzip/internal/require"
)

// Three clients that every test machine has; the whole table is for make clients.
// With them goes one that keeps errors to itself: it has to be found out.
func TestClients(t *testing.T) {
	require.Needs(t, "fuse", "root", "mkfs.ext4", "mount", "bash", "rsync", "curl", "go")
	vzip := filepath.Join(t.TempDir(), "vzip")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", vzip, "../../cmd/vzip").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var out strings.Builder
	report := filepath.Join(t.TempDir(), "report.md")
	err := run(t.Context(), options{
		vzip: vzip, report: report, patience: 2 * time.Second, sizes: [3]int{3 << 20, 1 << 20, 2 << 20}, all: append([]client{{name: "liar", words: `cat "$ARCHIVE" >"$NAME" || true`, packages: "coreutils"}}, allClients...),
		clients: regexp.MustCompile(`^(liar|cp|rsync|curl -T FILE)$`), scenarios: regexp.MustCompile(`^(ok|stale|EIO)$`),
	}, &out, os.Stderr)
	if err == nil || err.Error() != "2 of 12 failed" {
		t.Errorf("got error %v", err)
	}
	for _, want := range []string{
		"ok:          4 clients: 4 right, 0 refused, 0 known limits, 0 failed\n",
		"stale:       4 clients: 0 right, 3 refused, 0 known limits, 1 failed\n",
		"EIO:         4 clients: 0 right, 3 refused, 0 known limits, 1 failed\n",
		"FAIL liar, stale: SILENT: exit code 0, at the target the start: ",
		"FAIL liar, EIO: SILENT: exit code 0, at the target the start: ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got %swant %s", out.String(), want)
		}
	}
	text, err := os.ReadFile(report)
	if err != nil || !strings.Contains(string(text), "| cp | ✓ | refuses | refuses |") || strings.Contains(string(text), temp) {
		t.Errorf("the report is %v %s", err, text)
	}
	loops, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(loops, "/proc/self/mountinfo") {
		if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), temp) {
			t.Errorf("left behind: %s", data)
		}
	}
	if list, err := os.ReadDir(temp); err != nil || len(list) > 0 {
		t.Errorf("left behind: %v %v", list, err)
	}
}

package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"vzip/internal/require"
)

// What every test machine has reads light archives over HTTP, and -only http writes its
// section and no other.
func TestReadersOverHTTP(t *testing.T) {
	require.Needs(t, "root", "curl", "bsdtar", "python3", "bash", "go")
	dir := t.TempDir()
	vzip := filepath.Join(dir, "vzip")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", vzip, "../../cmd/vzip").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	report := filepath.Join(dir, "report.md")
	if err := os.WriteFile(report, []byte("# The mount's\n"+httpHeading+"of an earlier run\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var progress strings.Builder
	err := run(t.Context(), options{
		vzip: vzip, adapters: "adapters", out: dir, light: true, only: "http", report: report,
		readers: regexp.MustCompile(`^(curl|Python zipfile|bsdtar)$`), cases: regexp.MustCompile(``),
	}, io.Discard, &progress)
	if err != nil {
		t.Errorf("%v\n%s", err, &progress)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# The mount's\n\n## Over HTTP\n\n3 ways", "15 of these 15 readings are right", "| Python zipfile | python3 |", "| odd | plain | aligned | deflated | nested |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in the report:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "earlier") {
		t.Errorf("the report still has the earlier section:\n%s", text)
	}
}

// A download that is not the archive, and one that leaves something else, is found out.
func TestDownload(t *testing.T) {
	t.Parallel()
	w := &workplace{dir: t.TempDir(), extracts: t.TempDir()}
	_, _, sha, err := sums(strings.NewReader("right"))
	if err != nil {
		t.Fatal(err)
	}
	a := &webArchive{prepared: &prepared{testCase: testCase{name: "plain"}}, url: "http://there", size: 5, sha: sha}
	for _, test := range []struct{ script, want string }{
		{"printf right >got.zip", ""},
		{"printf wrong >got.zip", "5 bytes with SHA-256"},
		{"printf righ >got.zip", "4 bytes"},
		{"printf right >got.zip; printf x >got.zip.part", "2 files"},
		{"true", "0 files"},
		{"printf right >got.zip; echo because >&2; exit 3", "because (exit status 3)"},
		{`[ "URL" = http://there ] && printf right >got.zip`, ""},
	} {
		err := download(command("sh", "-c", test.script))(t.Context(), w, a)
		if got := errorText(err); test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.script, got, test.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A program that is resumed has been interrupted in the middle, and is run again then.
func TestResumed(t *testing.T) {
	t.Parallel()
	w := &workplace{dir: t.TempDir(), extracts: t.TempDir()}
	_, _, sha, err := sums(strings.NewReader("right"))
	if err != nil {
		t.Fatal(err)
	}
	a := &webArchive{prepared: &prepared{testCase: testCase{name: "plain"}}, size: 5, sha: sha}
	for _, test := range []struct{ name, script, want string }{
		{"goes on", `[ -e got ] && printf ght >>got || { printf ri >got; exec sleep 60; }`, ""},
		{"starts again, and appends", `printf ri >>got; [ RATE = 0 ] && printf ght >>got || exec sleep 60`, "7 bytes"},
		{"is not to be stopped", `printf right >got`, "always came to its end"},
		{"fails by itself", `exit 7`, "before it was interrupted: exit status 7"},
	} {
		err := download(resumed(syscall.SIGKILL, "sh", "-c", test.script))(t.Context(), w, a)
		if got := errorText(err); test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// The report keeps what -only leaves out.
func TestWriteReport(t *testing.T) {
	t.Parallel()
	mount := newTable(&workplace{}, nil, nil, "mnt")
	web := &webTable{}
	file := filepath.Join(t.TempDir(), "report.md")
	for _, test := range []struct {
		name, before, only string
		t                  *table
		web                *webTable
		want               string
	}{
		{"both", "old" + httpHeading + "old", "", mount, web, mount.document().String() + web.markdown()},
		{"http", "old" + httpHeading + "older", "http", nil, web, "old" + web.markdown()},
		{"http, for the first time", "old", "http", nil, web, "old" + web.markdown()},
		{"mount", "old" + httpHeading + "older", "mount", mount, nil, mount.document().String() + httpHeading + "older"},
		{"nothing of it", "old" + httpHeading + "older", "http", nil, nil, "old" + httpHeading + "older"},
	} {
		if err := os.WriteFile(file, []byte(test.before), 0o644); err != nil {
			t.Fatal(err)
		}
		err := writeReport(options{report: file, only: test.only}, test.t, test.web)
		got, readErr := os.ReadFile(file)
		if err = errors.Join(err, readErr); err != nil || string(got) != test.want {
			t.Errorf("%s: got %v %q, want %q", test.name, err, got, test.want)
		}
	}
}

// A server that does not begin to serve says why.
func TestServeHTTPFails(t *testing.T) {
	t.Parallel()
	w := &workplace{dir: t.TempDir(), vzip: "/bin/false"}
	if _, _, err := w.serveHTTP(t.Context(), "layout"); err == nil {
		t.Error("no error")
	}
}

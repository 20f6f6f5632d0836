package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// What a client left and its exit code make the verdict.
func TestJudge(t *testing.T) {
	t.Parallel()
	b := &bench{now: []byte("archive of now"), next: []byte("archive o next"), sources: map[string][]byte{"1": []byte("one"), "2": []byte("two")}}
	inTar := func(data string) string {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		if err := w.WriteHeader(&tar.Header{Name: archiveName, Size: int64(len(b.now)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(data)) // cut short where it is shorter
		return buf.String()
	}
	cp, tarS, unzip, test := client{name: "cp"}, client{name: "tar", makes: tarFile}, client{name: "unzip", makes: aTree}, client{name: "test", makes: aVerdict}
	good, bad := scenario{name: "ok", good: true}, scenario{name: "EIO"}
	for _, test := range []struct {
		client client
		in     scenario
		exit   int
		files  map[string]string
		want   string // word, what is left
	}{
		{cp, good, 0, map[string]string{archiveName: "archive of now"}, "right, all"},
		{cp, good, 0, map[string]string{archiveName: "archive o next"}, "right, all of the next generation"},
		{cp, good, 0, map[string]string{archiveName: "archive onow??"}, "FAIL, full size, wrong bytes"},
		{cp, good, 0, map[string]string{archiveName: "archive of"}, "FAIL, the start"},
		{cp, good, 0, map[string]string{archiveName: ""}, "FAIL, an empty file"},
		{cp, good, 0, nil, "FAIL, nothing"},
		{cp, good, 1, nil, "FAIL, nothing"},
		{cp, bad, 0, nil, "FAIL, nothing"},
		{cp, bad, 0, map[string]string{archiveName: "archive of"}, "FAIL, the start"},
		{cp, bad, 1, map[string]string{archiveName: "archive of"}, "refused, the start"},
		{cp, bad, 1, map[string]string{archiveName: "archives"}, "refused, a part, wrong bytes"},
		{cp, bad, 1, map[string]string{archiveName: "archive of now and more"}, "refused, too many bytes"},
		{client{name: "curl -T -"}, bad, 0, map[string]string{archiveName: "archive of"}, "limit, the start"},
		{client{name: "curl -T -"}, good, 0, map[string]string{archiveName: "archive of"}, "FAIL, the start"},
		{client{name: "curl -T -"}, bad, 0, nil, "FAIL, nothing"},
		{tarS, good, 0, map[string]string{"archive.tar": inTar("archive of now")}, "right, all"},
		{tarS, bad, 0, map[string]string{"archive.tar": inTar("archive")}, "FAIL, the start"},
		{tarS, bad, 2, map[string]string{"archive.tar": ""}, "refused, nothing"},
		{unzip, good, 0, map[string]string{"1": "one", "2": "two"}, "right, all"},
		{unzip, good, 0, map[string]string{"1": "one"}, "FAIL, 1 of 2 entries right"},
		{unzip, good, 0, map[string]string{"1": "one", "2": "tw"}, "FAIL, 1 of 2 entries right; one entry: the start"},
		{unzip, good, 0, map[string]string{"1": "one", "2": "two", "3": ""}, "FAIL, 2 of 2 entries right; another file"},
		{unzip, bad, 3, nil, "refused, nothing"},
		{test, good, 0, nil, "right, –"},
		{test, bad, 0, nil, "FAIL, –"},
		{test, bad, 3, nil, "refused, –"},
	} {
		dir := t.TempDir()
		for name, data := range test.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		x := b.judge(test.client, test.in, outcome{exit: test.exit, target: dir})
		if got := x.word() + ", " + x.left; got != test.want {
			t.Errorf("%s, %s, exit code %d, %q: got %q, want %q", test.client.name, test.in.name, test.exit, test.files, got, test.want)
		}
	}
	if x := b.judge(cp, bad, outcome{exit: -1, hung: true, target: t.TempDir()}); !x.failed {
		t.Error("a client that hangs passes")
	}
}

// The line that tells most is found.
func TestTellingLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "a\n\nfirst line\nnext": "first line", "an error\n  cp: Stale  file handle \nno such file": "cp: Stale file handle",
		"2026/01/02 03:04:05 ERROR : x: Failed\n": "x: Failed",
	} {
		if got := tellingLine(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

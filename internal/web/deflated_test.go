package web

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// Of an archive with deflated entries the archive is served as it is, and an entry as it
// was before, at any range.
func TestDeflated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := []byte(strings.Repeat("all lines of a log are alike\n", 90_000)) // over two blocks
	copy(text[1<<20-50:], randomBytes("middle", 100))
	noise := randomBytes("noise", 1<<20+17)
	must(t, os.Mkdir(dir+"/src", 0o755))
	for name, data := range map[string][]byte{"text": text, "noise": noise, "empty": nil, "one": {'1'}} {
		must(t, os.WriteFile(dir+"/src/"+name, data, 0o644))
	}
	layout := "version: 1\narchives:\n"
	for _, method := range []string{"store", "deflate", "auto"} {
		layout += fmt.Sprintf("  - {name: %s.zip, method: %s, mtime: 2026-01-31T12:00:00Z, entries: [{source: src}]}\n", method, method)
	}
	layout += "  - {name: nine.zip, method: deflate, level: 9, mtime: 2026-01-31T12:00:00Z, entries: [{source: src}]}\n"
	s := serve(t, dir, DefaultLimits, layout)
	tags, entryTags := map[string]bool{}, map[string]bool{}
	for _, name := range []string{"store.zip", "deflate.zip", "auto.zip", "nine.zip"} {
		want := s.oracle(name)
		resp, body, err := s.ask("GET", "/"+name)
		must(t, err)
		same(t, body, want)
		tag := resp.Header.Get("ETag")
		if tag == "" || tags[tag] {
			t.Errorf("%s: ETag %s is that of another one", name, tag)
		}
		tags[tag] = true
		z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
		must(t, err)
		for _, f := range z.File {
			r, err := f.Open()
			must(t, err)
			_, err = io.Copy(io.Discard, r) // checks the CRC-32
			must(t, err)
		}
		for _, x := range [][2]int{{0, 1}, {len(want) / 3, len(want) / 2}, {len(want) - 1000, len(want)}} {
			resp, body, err := s.ask("GET", "/"+name, fmt.Sprintf("Range: bytes=%d-%d", x[0], x[1]-1), "If-Range: "+tag)
			must(t, err)
			if resp.StatusCode != 206 {
				t.Errorf("%s: got %s", name, resp.Status)
			}
			same(t, body, want[x[0]:x[1]])
		}
		for entry, data := range map[string][]byte{"text": text, "noise": noise, "empty": nil, "one": {'1'}} {
			path := "/" + name + "/src/" + entry
			resp, body, err := s.ask("GET", path)
			must(t, err)
			if resp.StatusCode != 200 || int(resp.ContentLength) != len(data) || resp.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s: got %s, %v", path, resp.Status, resp.Header)
			}
			same(t, body, data)
			entryTags[resp.Header.Get("ETag")] = true
			if resp, body, err := s.ask("HEAD", path); err != nil || int(resp.ContentLength) != len(data) || len(body) > 0 {
				t.Errorf("%s: HEAD: got %s, %v, %v", path, resp.Status, resp.Header, err)
			}
			if len(data) < 1<<20 {
				continue
			}
			for _, x := range [][2]int{{0, 1}, {1<<20 - 60, 1<<20 + 10}, {1 << 20, len(data)}, {7, len(data) - 7}, {len(data) - 1, len(data)}} {
				resp, body, err := s.ask("GET", path, fmt.Sprintf("Range: bytes=%d-%d", x[0], x[1]-1), "If-Range: "+resp.Header.Get("ETag"))
				must(t, err)
				if resp.StatusCode != 206 {
					t.Errorf("%s: got %s", path, resp.Status)
				}
				same(t, body, data[x[0]:x[1]])
			}
			if resp, _, err := s.ask("GET", path, fmt.Sprintf("Range: bytes=%d-", len(data))); err != nil || resp.StatusCode != 416 {
				t.Errorf("%s: behind the end: got %s, %v", path, resp.Status, err)
			}
		}
	}
	// An entry is the same in whatever archive.
	if len(entryTags) != 4 {
		t.Errorf("4 entries have %d ETags", len(entryTags))
	}
	// What was changed is not shown, inflated or not.
	must(t, os.WriteFile(dir+"/src/text", append(text[1:], 'x'), 0o644))
	for _, path := range []string{"/store.zip/src/text", "/deflate.zip/src/text", "/auto.zip/src/text"} {
		if resp, body, _ := s.ask("GET", path); resp.StatusCode != 503 || strings.Contains(string(body), dir) {
			t.Errorf("%s: got %s, %.100q", path, resp.Status, body)
		}
	}
}

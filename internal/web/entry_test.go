package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/faultfs"
)

// TestEntry: an entry is as much of a resource as an archive is.
func TestEntry(t *testing.T) {
	t.Parallel()
	s := showSite(t)
	data := randomBytes("linux", 1_700_017)
	const path, date = "/vm-images.zip/images/linux/disk.vhdx", "Tue, 24 Nov 2026 03:10:00 GMT"
	resp, body, err := s.ask("GET", path)
	must(t, err)
	same(t, body, data)
	tag := resp.Header.Get("ETag")
	for field, want := range map[string]string{
		"Content-Length": fmt.Sprint(len(data)), "Last-Modified": date, "Accept-Ranges": "bytes",
		"Content-Disposition": `attachment; filename="disk.vhdx"`, "Cache-Control": "no-cache",
	} {
		if got := resp.Header.Get(field); got != want {
			t.Errorf("got %s: %s, want %s", field, got, want)
		}
	}
	if len(tag) != 34 {
		t.Errorf("got ETag %s", tag)
	}
	for _, test := range []struct {
		name, method, field string
		status              int
		first, end          int // of the body
	}{
		{"HEAD", "HEAD", "X: y", 200, 0, 0},
		{"a range", "GET", "Range: bytes=100000-200000", 206, 100000, 200001},
		{"the first byte", "GET", "Range: bytes=0-0", 206, 0, 1},
		{"the last bytes", "GET", "Range: bytes=-17", 206, len(data) - 17, len(data)},
		{"past the end", "GET", "Range: bytes=1700000-9999999", 206, 1700000, len(data)},
		{"behind the end", "GET", "Range: bytes=1700017-", 416, 0, 0},
		{"as it was", "GET", "If-None-Match: " + tag, 304, 0, 0},
		{"other", "GET", `If-None-Match: "x"`, 200, 0, len(data)},
		{"since then", "GET", "If-Modified-Since: " + date, 200, 0, len(data)}, // it may have been changed and keep its time
		{"go on", "GET", "Range: bytes=5-\nIf-Range: " + tag, 206, 5, len(data)},
		{"go on with another", "GET", "Range: bytes=5-\nIf-Range: \"x\"", 200, 0, len(data)},
		{"go on with one of that time", "GET", "Range: bytes=5-\nIf-Range: " + date, 200, 0, len(data)},
	} {
		resp, body, err := s.ask(test.method, path, strings.Split(test.field, "\n")...)
		must(t, err)
		if resp.StatusCode != test.status {
			t.Errorf("%s: got %s, want %d", test.name, resp.Status, test.status)
			continue
		}
		if test.status < 400 {
			same(t, body, data[test.first:test.end])
		}
	}

	// Equal bytes have one ETag, wherever they are; empty ones, too.
	tags := map[string]string{}
	for _, path := range []string{path, "/linux.zip/disk.vhdx", "/vm-images.zip/images/windows/disk.vhdx", "/linux.zip/empty", "/many.zip/sub/x", "/many.zip/f0000", "/many.zip/f0256", "/many.zip/f0001"} {
		resp, body, err := s.ask("GET", path)
		must(t, err)
		if resp.StatusCode != 200 || int(resp.ContentLength) != len(body) {
			t.Errorf("%s: got %s, %d", path, resp.Status, len(body))
		}
		tags[path] = resp.Header.Get("ETag")
		if tags[path] == "" {
			t.Errorf("%s has no ETag", path)
		}
	}
	for _, pair := range []struct {
		a, b  string
		equal bool
	}{
		{path, "/linux.zip/disk.vhdx", true}, {path, "/vm-images.zip/images/windows/disk.vhdx", false},
		{"/linux.zip/empty", "/many.zip/sub/x", true}, {"/many.zip/f0000", "/many.zip/f0256", true}, {"/many.zip/f0000", "/many.zip/f0001", false},
	} {
		if (tags[pair.a] == tags[pair.b]) != pair.equal {
			t.Errorf("%s and %s: got %s and %s", pair.a, pair.b, tags[pair.a], tags[pair.b])
		}
	}
	if resp, _, err := s.ask("GET", "/odd.zip/evil.html"); err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		t.Errorf("got %s, %v", resp.Header.Get("Content-Type"), err)
	}
	if resp, _, _ := s.ask("POST", path); resp.StatusCode != 405 {
		t.Errorf("POST: got %s", resp.Status)
	}

	// Before it is hashed there is no ETag; a read waits until it is, also that of nothing.
	end := s.early()
	resp, _, err = s.ask("HEAD", path)
	must(t, err)
	if resp.StatusCode != 200 || resp.ContentLength != int64(len(data)) || resp.Header.Get("ETag") != "" {
		t.Errorf("before it is hashed: got %s, %v", resp.Status, resp.Header)
	}
	end()
	_, body, err = s.ask("GET", path, "Range: bytes=7-", "If-Range: "+date)
	must(t, err)
	same(t, body, data)
	if resp, body, err := s.ask("GET", "/linux.zip/empty"); err != nil || resp.StatusCode != 200 || len(body) > 0 {
		t.Errorf("an empty file: got %s, %q, %v", resp.Status, body, err)
	}
}

// An entry that is deflated is shown, and served, with the size and the bytes of its source.
func TestEntryDeflated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := []byte(strings.Repeat("a line that comes again\n", 90_000)) // three blocks
	must(t, os.WriteFile(dir+"/log", data, 0o644))
	s := serve(t, dir, DefaultLimits, "version: 1\narchives:\n"+
		"  - {name: a.zip, method: deflate, entries: [{source: log}]}\n"+
		"  - {name: b.zip, entries: [{source: log}]}\n")
	if size := s.g.Archives[0].Size(); size > int64(len(data)/20) {
		t.Fatalf("the archive has %d bytes: it is not compressed", size)
	}
	for _, test := range []struct {
		field      string
		first, end int
	}{
		{"X: y", 0, len(data)},
		{"Range: bytes=1048570-1048600", 1048570, 1048601},
		{"Range: bytes=-5", len(data) - 5, len(data)},
	} {
		resp, body, err := s.ask("GET", "/a.zip/log", test.field)
		must(t, err)
		same(t, body, data[test.first:test.end])
		if got := resp.Header.Get("Content-Encoding"); got != "" {
			t.Errorf("%s: got Content-Encoding: %s", test.field, got)
		}
	}
	for archive, compressed := range map[string]bool{"a.zip": true, "b.zip": false} {
		p := s.page(t, "/"+archive+"/")
		if got := strings.Contains(textOf(p.all("header")[0]), "its data compressed to 0 %"); got != compressed {
			t.Errorf("%s: %q tells of compression: %v", archive, textOf(p.all("header")[0]), got)
		}
		if got := p.rows()[0][1]; got != "2.2 MB" {
			t.Errorf("%s: got size %s, want that of the source", archive, got)
		}
	}
}

// TestEntryChanged: after a reload an entry that was changed and keeps size and time has
// another ETag, and nobody gets parts of both.
func TestEntryChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	put := func(seed string) {
		must(t, errors.Join(os.WriteFile(dir+"/x", randomBytes(seed, 300_000), 0o644), os.Chtimes(dir+"/x", at, at)))
	}
	put("one")
	s := serve(t, dir, DefaultLimits, "version: 1\narchives:\n  - {name: a.zip, entries: [{source: x}]}\n")
	was, _, err := s.ask("GET", "/a.zip/x")
	must(t, err)
	put("two")
	// The old state does not show what was changed.
	resp, body, err := s.ask("GET", "/a.zip/x")
	must(t, err)
	if resp.StatusCode != 503 || resp.Header.Get("ETag")+resp.Header.Get("Content-Disposition") != "" || strings.Contains(string(body), dir) {
		t.Errorf("got %s, %q", resp.Status, body)
	}
	if rows := s.page(t, "/").rows(); rows[0][4] != "source changed" {
		t.Errorf("got %q", rows)
	}
	s.publish()
	for _, condition := range []string{"If-Range: " + was.Header.Get("ETag"), "If-Range: " + was.Header.Get("Last-Modified")} {
		resp, body, err := s.ask("GET", "/a.zip/x", "Range: bytes=1000-", condition)
		must(t, err)
		if resp.StatusCode != 200 || resp.Header.Get("ETag") == was.Header.Get("ETag") || resp.Header.Get("Last-Modified") != was.Header.Get("Last-Modified") {
			t.Errorf("%s: got %s, %v", condition, resp.Status, resp.Header)
		}
		same(t, body, randomBytes("two", 300_000))
	}
	if resp, _, _ := s.ask("GET", "/a.zip/x", "If-Modified-Since: "+was.Header.Get("Last-Modified")); resp.StatusCode != 200 {
		t.Errorf("got %s", resp.Status)
	}
}

// TestEntryFault: an entry whose source fails in the middle is cut off, as an archive is.
func TestEntryFault(t *testing.T) {
	t.Parallel()
	s, fs, _ := faultSite(t)
	_, err := fs.Add(faultfs.Rule{Path: "large", Ops: []faultfs.Op{faultfs.Read}, Offset: 28 << 20, Length: 4 << 20, Errno: unix.EIO})
	must(t, err)
	whole := randomBytes("large", 32<<20)
	for _, part := range []struct {
		fields string
		first  int
	}{{"", 0}, {"bytes=1000-", 1000}, {"bytes=-16000000", 32<<20 - 16000000}} {
		req, err := http.NewRequest("GET", s.url+"/a.zip/bad/large", nil)
		must(t, err)
		if part.fields != "" {
			req.Header.Set("Range", part.fields)
		}
		resp, err := s.client.Do(req)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil || len(body) >= int(resp.ContentLength) {
			t.Errorf("%q: got %d bytes of %d, %v", part.fields, len(body), resp.ContentLength, err)
		}
		same(t, body, whole[part.first:][:len(body)])
	}
	if n := s.metric("vzip_http_cut_off_total"); n != 3 {
		t.Errorf("counted %v", n)
	}
	resp, body, err := s.ask("GET", "/a.zip/bad/large", "Range: bytes=30000000-30000010")
	must(t, err)
	if resp.StatusCode != 500 || string(body) != "a.zip: bad/large: a source can't be read: vzip's log says why\n" {
		t.Errorf("got %s, %q", resp.Status, body)
	}
	resp, body, err = s.ask("GET", "/a.zip/bad/small")
	must(t, err)
	if resp.StatusCode != 200 || string(body) != "small" {
		t.Errorf("another entry: got %s, %q", resp.Status, body)
	}
}

package web

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestConformance holds answers to RFC 9110, a row a request.
func TestConformance(t *testing.T) {
	t.Parallel()
	s := plainSite(t)
	whole := s.oracle("a.zip")
	size := len(whole)
	tag := tagOf(t, s.g, 0)
	at := time.Unix(s.g.Archives[0].Time, 0).UTC()
	date := at.Format(http.TimeFormat)
	before, after := at.Add(-time.Second).Format(http.TimeFormat), at.Add(time.Second).Format(http.TimeFormat)
	all := fmt.Sprintf("bytes=0-%d", size-1)
	many := func(n int) string { return "Range: bytes=" + strings.TrimSuffix(strings.Repeat("0-0,", n), ",") }
	type part struct{ first, last int }
	nothing := []part{}
	for _, test := range []struct {
		name   string
		method string // "" for GET
		path   string // "" for /a.zip
		fields []string
		status int
		parts  []part // of the archive; nil: all of it, or where the status is an error anything
	}{
		{name: "whole", status: 200},
		{name: "HEAD", method: "HEAD", status: 200, parts: nothing},
		{name: "one byte", fields: []string{"Range: bytes=0-0"}, status: 206, parts: []part{{0, 0}}},
		{name: "a range", fields: []string{"Range: bytes=1000-300000"}, status: 206, parts: []part{{1000, 300000}}},
		{name: "blanks", fields: []string{"Range: bytes= 7 - 9 "}, status: 206, parts: []part{{7, 9}}},
		{name: "unit in capitals", fields: []string{"Range: BYTES=7-9"}, status: 206, parts: []part{{7, 9}}},
		{name: "to the end", fields: []string{"Range: bytes=1000-"}, status: 206, parts: []part{{1000, size - 1}}},
		{name: "from 0 to the end", fields: []string{"Range: bytes=0-"}, status: 206, parts: []part{{0, size - 1}}},
		{name: "all as a range", fields: []string{"Range: " + all}, status: 206, parts: []part{{0, size - 1}}},
		{name: "the last byte", fields: []string{fmt.Sprintf("Range: bytes=%d-", size-1)}, status: 206, parts: []part{{size - 1, size - 1}}},
		{name: "past the end", fields: []string{fmt.Sprintf("Range: bytes=%d-%d", size-10, size+10)}, status: 206, parts: []part{{size - 10, size - 1}}},
		{name: "far past the end", fields: []string{"Range: bytes=5-99999999999999999999999"}, status: 206, parts: []part{{5, size - 1}}},
		{name: "suffix", fields: []string{"Range: bytes=-22"}, status: 206, parts: []part{{size - 22, size - 1}}},
		{name: "suffix of more than all", fields: []string{fmt.Sprintf("Range: bytes=-%d", size+1)}, status: 206, parts: []part{{0, size - 1}}},
		{name: "endless suffix", fields: []string{"Range: bytes=-99999999999999999999999"}, status: 206, parts: []part{{0, size - 1}}},
		{name: "suffix of nothing", fields: []string{"Range: bytes=-0"}, status: 416},
		{name: "suffix of nothing, and a range", fields: []string{"Range: bytes=-0,3-4"}, status: 206, parts: []part{{3, 4}}},
		{name: "behind the end", fields: []string{fmt.Sprintf("Range: bytes=%d-", size)}, status: 416},
		{name: "far behind the end", fields: []string{"Range: bytes=99999999999999999999999-"}, status: 416},
		{name: "backwards", fields: []string{"Range: bytes=9-7"}, status: 416},
		{name: "no numbers", fields: []string{"Range: bytes=a-b"}, status: 416},
		{name: "no dash", fields: []string{"Range: bytes=7"}, status: 416},
		{name: "another unit", fields: []string{"Range: lines=1-2"}, status: 200},
		{name: "no unit", fields: []string{"Range: 1-2"}, status: 200},
		{name: "two fields", fields: []string{"Range: bytes=0-0", "Range: bytes=1-1"}, status: 200},
		{name: "several", fields: []string{"Range: bytes=0-3, 100-199 ,-22"}, status: 206, parts: []part{{0, 3}, {100, 199}, {size - 22, size - 1}}},
		{name: "several large, out of order", fields: []string{"Range: bytes=2000000-3000000,0-1000000"}, status: 206, parts: []part{{2000000, 3000000}, {0, 1000000}}},
		{name: "several, one of them behind the end", fields: []string{fmt.Sprintf("Range: bytes=%d-,1-2", size)}, status: 206, parts: []part{{1, 2}}},
		{name: "several, all behind the end", fields: []string{fmt.Sprintf("Range: bytes=%d-,%d-", size, size+1)}, status: 416},
		{name: "as many ranges as there may be", fields: []string{many(maxRanges)}, status: 206, parts: make([]part, maxRanges)},
		{name: "one range too many", fields: []string{many(maxRanges + 1)}, status: 200},
		{name: "more bytes in ranges than there are", fields: []string{"Range: bytes=0-,0-"}, status: 200},
		{name: "HEAD with a range", method: "HEAD", fields: []string{"Range: bytes=0-0"}, status: 200, parts: nothing},

		{name: "If-None-Match", fields: []string{"If-None-Match: " + tag}, status: 304, parts: nothing},
		{name: "If-None-Match, weak", fields: []string{"If-None-Match: W/" + tag}, status: 304, parts: nothing},
		{name: "If-None-Match, list", fields: []string{`If-None-Match: "x", ` + tag}, status: 304, parts: nothing},
		{name: "If-None-Match, any", fields: []string{"If-None-Match: *"}, status: 304, parts: nothing},
		{name: "If-None-Match, other", fields: []string{`If-None-Match: "x"`}, status: 200},
		{name: "If-None-Match with HEAD", method: "HEAD", fields: []string{"If-None-Match: " + tag}, status: 304, parts: nothing},
		{name: "If-None-Match before a range", fields: []string{"If-None-Match: " + tag, "Range: bytes=0-0"}, status: 304, parts: nothing},
		{name: "If-None-Match before a date", fields: []string{`If-None-Match: "x"`, "If-Modified-Since: " + date}, status: 200},
		{name: "If-Modified-Since then", fields: []string{"If-Modified-Since: " + date}, status: 200},
		{name: "If-Modified-Since later", fields: []string{"If-Modified-Since: " + after}, status: 200},
		{name: "If-Modified-Since with a range", fields: []string{"If-Modified-Since: " + before, "Range: bytes=1-2"}, status: 200},
		{name: "If-Modified-Since before", fields: []string{"If-Modified-Since: " + before}, status: 200},
		{name: "If-Modified-Since nonsense", fields: []string{"If-Modified-Since: yesterday"}, status: 200},
		{name: "If-Match", fields: []string{"If-Match: " + tag}, status: 200},
		{name: "If-Match, any", fields: []string{"If-Match: *"}, status: 200},
		{name: "If-Match, weak", fields: []string{"If-Match: W/" + tag}, status: 412},
		{name: "If-Match, other", fields: []string{`If-Match: "x"`}, status: 412},
		{name: "If-Unmodified-Since then", fields: []string{"If-Unmodified-Since: " + date}, status: 200},
		{name: "If-Unmodified-Since before", fields: []string{"If-Unmodified-Since: " + before}, status: 412},
		{name: "If-Unmodified-Since then, with a range", fields: []string{"If-Unmodified-Since: " + date, "Range: bytes=1-2"}, status: 200},
		{name: "If-Unmodified-Since before, with a range", fields: []string{"If-Unmodified-Since: " + before, "Range: bytes=1-2"}, status: 412},
		{name: "If-Unmodified-Since and If-Match, with a range", fields: []string{"If-Unmodified-Since: " + before, "If-Match: " + tag, "Range: bytes=1-2"}, status: 206, parts: []part{{1, 2}}},
		{name: "If-Unmodified-Since and any If-Match, with a range", fields: []string{"If-Unmodified-Since: " + date, "If-Match: *", "Range: bytes=1-2"}, status: 200},
		{name: "If-Unmodified-Since and If-Range, with a range", fields: []string{"If-Unmodified-Since: " + date, "If-Range: " + tag, "Range: bytes=1-2"}, status: 206, parts: []part{{1, 2}}},
		{name: "If-Match with a range", fields: []string{"If-Match: " + tag, "Range: bytes=1-2"}, status: 206, parts: []part{{1, 2}}},
		{name: "If-Range", fields: []string{"If-Range: " + tag, "Range: bytes=1-2"}, status: 206, parts: []part{{1, 2}}},
		{name: "If-Range, weak", fields: []string{"If-Range: W/" + tag, "Range: bytes=1-2"}, status: 200},
		{name: "If-Range, other", fields: []string{`If-Range: "x"`, "Range: bytes=1-2"}, status: 200},
		{name: "If-Range then", fields: []string{"If-Range: " + date, "Range: bytes=1-2"}, status: 200},
		{name: "If-Range before", fields: []string{"If-Range: " + before, "Range: bytes=1-2"}, status: 200},
		{name: "If-Range later", fields: []string{"If-Range: " + after, "Range: bytes=1-2"}, status: 200},
		{name: "If-Range without a range", fields: []string{"If-Range: " + tag}, status: 200},
		{name: "no compression", fields: []string{"Accept-Encoding: gzip, br"}, status: 200},

		{name: "POST", method: "POST", status: 405},
		{name: "PUT", method: "PUT", status: 405},
		{name: "DELETE", method: "DELETE", status: 405},
		{name: "OPTIONS", method: "OPTIONS", status: 405},
		{name: "TRACE", method: "TRACE", status: 405},
		{name: "another method", method: "BREW", status: 405},
		{name: "no archive", path: "/b.zip", status: 404},
		{name: "escaped", path: "/%61.zip", status: 200},
		{name: "query", path: "/a.zip?x=y", status: 200},
		{name: "in capitals", path: "/A.zip", status: 404},
		{name: "two slashes", path: "//a.zip", status: 404},
		{name: "dots", path: "/sub/../a.zip", status: 404},
		{name: "escaped dots", path: "/sub/%2e%2e/a.zip", status: 404},
		{name: "a dot", path: "/./a.zip", status: 404},
		{name: "out of it", path: "/../../../../etc/passwd", status: 404},
		{name: "escaped slash", path: "/sub%2f%C3%BC%20b.zip", status: 404},
		{name: "NUL", path: "/a.zip%00", status: 404},
		{name: "backslash", path: "/sub%5ca.zip", status: 404},
		{name: "not UTF-8", path: "/%ff%fe", status: 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := *s
			s.t = t
			method, path := test.method, test.path
			if method == "" {
				method = "GET"
			}
			if path == "" {
				path = "/a.zip"
			}
			resp, body, err := s.ask(method, path, test.fields...)
			must(t, err)
			if resp.StatusCode != test.status {
				t.Fatalf("got status %s, want %d", resp.Status, test.status)
			}
			field := func(name, want string) {
				t.Helper()
				if got := resp.Header.Get(name); got != want {
					t.Errorf("got %s: %s, want %s", name, got, want)
				}
			}
			field("X-Content-Type-Options", "nosniff")
			field("Content-Encoding", "")
			if test.status >= 400 {
				for _, name := range []string{"ETag", "Last-Modified", "Content-Disposition"} {
					if test.status != 412 {
						field(name, "")
					}
				}
				switch test.status {
				case 405:
					field("Allow", "GET, HEAD")
				case 416:
					if test.name != "backwards" && !strings.HasPrefix(test.name, "no ") {
						field("Content-Range", fmt.Sprintf("bytes */%d", size))
					}
				}
				if strings.Count(string(body), "\n") > 1 || len(body) > 200 {
					t.Errorf("got %q, want one line", body)
				}
				return
			}
			field("ETag", tag)
			if test.status != 304 { // the ETag is enough
				field("Last-Modified", date)
			}
			field("Accept-Ranges", "bytes")
			field("Cache-Control", "no-cache")
			if test.status == 304 {
				same(t, body, nil)
				return
			}
			field("Content-Disposition", `attachment; filename="a.zip"`)
			switch {
			case len(test.parts) < 2:
				field("Content-Type", "application/zip")
				want, n := whole, size
				if len(test.parts) == 1 {
					p := test.parts[0]
					want, n = whole[p.first:p.last+1], p.last+1-p.first
					field("Content-Range", fmt.Sprintf("bytes %d-%d/%d", p.first, p.last, size))
				} else {
					field("Content-Range", "")
				}
				field("Content-Length", strconv.Itoa(n))
				if method == "HEAD" {
					want = nil
				}
				same(t, body, want)
			default:
				field("Content-Length", strconv.Itoa(len(body)))
				kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
				if err != nil || kind != "multipart/byteranges" {
					t.Fatalf("got Content-Type %s, %v", kind, err)
				}
				r := multipart.NewReader(strings.NewReader(string(body)), params["boundary"])
				for _, p := range test.parts {
					part, err := r.NextRawPart()
					must(t, err)
					wantHeader := textproto.MIMEHeader{"Content-Type": {"application/zip"}, "Content-Range": {fmt.Sprintf("bytes %d-%d/%d", p.first, p.last, size)}}
					if fmt.Sprint(part.Header) != fmt.Sprint(wantHeader) {
						t.Errorf("got %v, want %v", part.Header, wantHeader)
					}
					got, err := io.ReadAll(part)
					must(t, err)
					same(t, got, whole[p.first:p.last+1])
				}
				if _, err := r.NextRawPart(); err != io.EOF {
					t.Errorf("then: %v", err)
				}
			}
		})
	}
}

// TestConformanceRaw are requests that Go's client does not make.
func TestConformanceRaw(t *testing.T) {
	t.Parallel()
	s := plainSite(t)
	whole := s.oracle("a.zip")
	for _, test := range []struct {
		name, request string
		status        int // 0: no answer at all
		whole, closes bool
	}{
		{"HTTP/1.0", "GET /a.zip HTTP/1.0\r\n\r\n", 200, true, true},
		{"HTTP/1.0, kept", "GET /a.zip HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, true, false},
		{"absolute form", "GET http://anywhere/a.zip HTTP/1.1\r\nHost: x\r\n\r\n", 200, true, false},
		{"line feeds alone", "GET /a.zip HTTP/1.1\nHost: x\n\n", 200, true, false},
		{"closing", "GET /a.zip HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, true, true},
		{"no host", "GET /a.zip HTTP/1.1\r\n\r\n", 400, false, true},
		{"two hosts", "GET /a.zip HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, false, true},
		{"HTTP/2 over this", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405, false, true},
		{"no path", "GET HTTP/1.1\r\nHost: x\r\n\r\n", 400, false, true},
		{"a path without a slash", "GET a.zip HTTP/1.1\r\nHost: x\r\n\r\n", 400, false, true},
		{"NUL", "GET /a.zip\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, false, true},
		{"a wrong escape", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, false, true},
		{"dots", "GET /x/../a.zip HTTP/1.1\r\nHost: x\r\n\r\n", 404, false, false},
		{"a name with a blank", "GET /a.zip HTTP/1.1\r\nHost: x\r\nRange : bytes=0-0\r\n\r\n", 400, false, true},
		{"a folded field", "GET /a.zip HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 200, true, false},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200, false, false},
		{"CONNECT", "CONNECT a.zip:80 HTTP/1.1\r\nHost: x\r\n\r\n", 405, false, false},
		{"a body", "GET /a.zip HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 413, false, true},
		{"a body in chunks", "GET /a.zip HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413, false, true},
		{"two lengths", "GET /a.zip HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, false, true},
		{"an unknown coding", "GET /a.zip HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked\r\n\r\n", 501, false, true},
		{"POST with a body", "POST /a.zip HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405, false, true},
		{"too long", "GET /" + strings.Repeat("x", 2*maxHeader) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := *s
			s.t = t
			resp, body, err := s.raw(strings.Fields(test.request)[0], test.request)
			must(t, err)
			if resp.StatusCode != test.status {
				t.Fatalf("got status %s, want %d", resp.Status, test.status)
			}
			if resp.Close != test.closes {
				t.Errorf("got close %v, want %v", resp.Close, test.closes)
			}
			if test.whole {
				same(t, body, whole)
				if resp.ContentLength != int64(len(whole)) {
					t.Errorf("got length %d", resp.ContentLength)
				}
			}
		})
	}
}

// TestNames: archives in folders, and with odd names, have one path each.
func TestNames(t *testing.T) {
	t.Parallel()
	s := plainSite(t)
	resp, body, err := s.ask("GET", "/sub/%C3%BC%20b.zip")
	must(t, err)
	same(t, body, s.oracle("sub/ü b.zip"))
	if got, want := resp.Header.Get("Content-Disposition"), `attachment; filename="_ b.zip"; filename*=UTF-8''%C3%BC%20b.zip`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, ok := range map[string]bool{
		"a.zip": true, "healthz.zip": true, "sub/healthz": true, "Metrics": true,
		"healthz": false, "readyz/a.zip": false, "metrics": false, ".vzip/x": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

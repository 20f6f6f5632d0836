package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/faultfs"
	"vzip/internal/generation"
	"vzip/internal/require"
	"vzip/layout"
)

// faultSite serves a.zip of a large and a small file, seen through a file system with
// faults.
func faultSite(t *testing.T) (s *site, fs *faultfs.Mount, src string) {
	t.Helper()
	require.Needs(t, "fuse")
	dir := t.TempDir()
	src, bad := filepath.Join(dir, "src"), filepath.Join(dir, "bad")
	must(t, errors.Join(os.Mkdir(src, 0o755), os.Mkdir(bad, 0o755)))
	must(t, os.WriteFile(src+"/large", randomBytes("large", 32<<20), 0o644))
	must(t, os.WriteFile(src+"/small", []byte("small"), 0o644))
	self, err := os.Executable()
	must(t, err)
	fs, err = faultfs.Start([]string{self}, src, bad, 0)
	must(t, err)
	t.Cleanup(func() { must(t, fs.Close()) })
	return serve(t, dir, DefaultLimits, "version: 1\narchives:\n  - {name: a.zip, entries: [{source: bad}]}\n"), fs, src
}

// TestFaultInBody: where a source fails in the middle of a body the client is told, by
// the end of the connection, and what it has until then is right.
func TestFaultInBody(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for fault, do := range map[string]func(t *testing.T, fs *faultfs.Mount, src string){
		"unreadable": func(t *testing.T, fs *faultfs.Mount, _ string) {
			_, err := fs.Add(faultfs.Rule{Path: "large", Ops: []faultfs.Op{faultfs.Read}, Offset: 28 * mib, Length: 4 * mib, Errno: unix.EIO})
			must(t, err)
		},
		"truncated": func(t *testing.T, _ *faultfs.Mount, src string) { must(t, os.Truncate(src+"/large", 28*mib)) },
		"other bytes": func(t *testing.T, _ *faultfs.Mount, src string) {
			f, err := os.OpenFile(src+"/large", os.O_WRONLY, 0)
			must(t, err)
			defer f.Close()
			_, err = f.WriteAt([]byte("other"), 29*mib)
			must(t, err)
		},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s, fs, src := faultSite(t)
			whole := s.oracle("a.zip")
			// An archive is not opened any more once it is known that a source was changed:
			// all requests begin before. Of each some MiB are on the way by then.
			asked := map[string]*http.Response{}
			for _, r := range []string{"", "bytes=1000-", "bytes=-16000000", "bytes=0-99,17000000-33000000"} {
				req, err := http.NewRequest("GET", s.url+"/a.zip", nil)
				must(t, err)
				if r != "" {
					req.Header.Set("Range", r)
				}
				resp, err := s.client.Do(req)
				must(t, err)
				defer resp.Body.Close()
				asked[r] = resp
			}
			do(t, fs, src)
			for r, resp := range asked {
				body, err := io.ReadAll(resp.Body)
				if err == nil {
					t.Errorf("range %q: ended as if it were whole, after %d bytes of %d", r, len(body), resp.ContentLength)
				}
				want := whole
				switch r {
				case "bytes=1000-":
					want = whole[1000:]
				case "bytes=-16000000":
					want = whole[len(whole)-16000000:]
				case "bytes=0-99,17000000-33000000":
					want = multiRange(t, resp, whole, [][2]int{{0, 99}, {17000000, 33000000}})
				}
				if int64(len(want)) != resp.ContentLength {
					t.Errorf("range %q: length %d, want %d", r, resp.ContentLength, len(want))
				}
				if len(body) == 0 || !bytes.HasPrefix(want, body) {
					t.Errorf("range %q: got %d bytes, right are %d", r, len(body), commonLen(body, want))
				}
				if len(body) >= int(resp.ContentLength) {
					t.Errorf("range %q: %d bytes of %d", r, len(body), resp.ContentLength)
				}
			}
			// New requests get a status, over connections that can be used on.
			for _, method := range []string{"GET", "HEAD"} {
				resp, body, err := s.ask(method, "/a.zip", "Range: bytes=30408704-30408710")
				must(t, err)
				switch {
				case method == "HEAD" && fault == "unreadable": // it reads nothing
					if resp.StatusCode != 200 {
						t.Errorf("HEAD: got %s", resp.Status)
					}
				case resp.StatusCode < 500:
					t.Errorf("%s: got %s", method, resp.Status)
				default:
					for _, name := range []string{"ETag", "Content-Range", "Content-Disposition"} {
						if got := resp.Header.Get(name); got != "" {
							t.Errorf("%s: got %s: %s", method, name, got)
						}
					}
					if method == "GET" && (!strings.HasPrefix(string(body), "a.zip: a source ") || strings.Contains(string(body), src)) {
						t.Errorf("got %q", body)
					}
				}
			}
			resp, _, err := s.ask("GET", "/healthz")
			must(t, err)
			if resp.StatusCode != 200 {
				t.Errorf("then %s", resp.Status)
			}
			if n := s.metric("vzip_http_cut_off_total"); n != float64(len(asked)) {
				t.Errorf("counted %v bodies that were cut off, want %d", n, len(asked))
			}
		})
	}
}

// multiRange returns the body of an answer with several ranges of an archive.
func multiRange(t *testing.T, resp *http.Response, whole []byte, ranges [][2]int) []byte {
	t.Helper()
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	must(t, err)
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	must(t, w.SetBoundary(params["boundary"]))
	for _, r := range ranges {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Type": {"application/zip"}, "Content-Range": {fmt.Sprintf("bytes %d-%d/%d", r[0], r[1], len(whole))},
		})
		must(t, err)
		_, err = part.Write(whole[r[0] : r[1]+1])
		must(t, err)
	}
	must(t, w.Close())
	return body.Bytes()
}

// TestDefect: a defect cuts one connection off, is told, and ends nothing else.
func TestDefect(t *testing.T) {
	t.Parallel()
	s := plainSite(t)
	told := make(chan string, 1)
	s.Handler.Warn = func(text string) { told <- text }
	s.Handler.Served = func(int) { panic("a test") }
	resp, err := s.client.Get(s.url + "/a.zip")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("the body has a good end")
	}
	if got, want := <-told, "a defect in vzip made a request fail: a test"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if resp, _, err := s.ask("GET", "/healthz"); err != nil || resp.StatusCode != 200 {
		t.Errorf("then %s, %v", resp.Status, err)
	}
}

// metric returns a number of /metrics.
func (s *site) metric(name string) (n float64) {
	s.t.Helper()
	_, body, err := s.ask("GET", "/metrics")
	must(s.t, err)
	for line := range strings.Lines(string(body)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			_, err := fmt.Sscan(rest, &n)
			must(s.t, err)
			return n
		}
	}
	s.t.Errorf("no metric %s in %s", name, body)
	return 0
}

// TestReload: who downloads goes on in the old state, and who goes on with a download
// that was broken off gets the new one from its start.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, errors.Join(os.Mkdir(dir+"/one", 0o755), os.Mkdir(dir+"/two", 0o755)))
	must(t, os.WriteFile(dir+"/one/large", randomBytes("one", 16<<20), 0o644))
	must(t, os.WriteFile(dir+"/two/large", randomBytes("two", 16<<20), 0o644))
	text := func(source string) string {
		return "version: 1\narchives:\n  - {name: a.zip, entries: [{source: " + source + ", as: x}]}\n"
	}
	s := serve(t, dir, DefaultLimits, text("one"))
	first, tag := s.oracle("a.zip"), tagOf(t, s.g, 0)
	resp, err := s.client.Get(s.url + "/a.zip")
	must(t, err)
	defer resp.Body.Close()
	head := make([]byte, 1000)
	_, err = io.ReadFull(resp.Body, head)
	must(t, err)

	must(t, os.WriteFile(s.file, []byte(text("two")), 0o644))
	s.publish()
	second := s.oracle("a.zip")
	rest, err := io.ReadAll(resp.Body)
	must(t, err)
	same(t, append(head, rest...), first)

	again, body, err := s.ask("GET", "/a.zip", "Range: bytes=1000-", "If-Range: "+tag)
	must(t, err)
	if again.StatusCode != 200 || again.Header.Get("ETag") == tag || again.Header.Get("Last-Modified") == resp.Header.Get("Last-Modified") {
		t.Errorf("got %s, %v", again.Status, again.Header)
	}
	same(t, body, second)
	if again, _, err = s.ask("GET", "/a.zip", "If-None-Match: "+tag); err != nil || again.StatusCode != 200 {
		t.Errorf("got %s, %v", again.Status, err)
	}
}

// TestBeforeHashed: there is all but the ETag before files are hashed, and no archive
// before there are any; /readyz tells when to ask.
func TestBeforeHashed(t *testing.T) {
	t.Parallel()
	s := plainSite(t)
	whole := s.oracle("a.zip")
	l, err := layout.Load(s.file, os.LookupEnv)
	must(t, err)
	g, err := generation.Scan(context.Background(), l, generation.Options{Warn: func(string) {}})
	must(t, err)
	defer g.Close()
	must(t, g.Date(nil))
	s.Publish(g)
	resp, _, err := s.ask("HEAD", "/a.zip", `If-None-Match: "x"`, `If-Range: "x"`)
	must(t, err)
	if resp.StatusCode != 200 || resp.ContentLength != int64(len(whole)) || resp.Header.Get("ETag") != "" || resp.Header.Get("Last-Modified") == "" {
		t.Errorf("got %s, %v", resp.Status, resp.Header)
	}
	finished := make(chan int, 1)
	g.Start(generation.StartOptions{HashOptions: generation.HashOptions{Workers: 1}, Finished: func(n int) { finished <- n }})
	_, body, err := s.ask("GET", "/a.zip")
	must(t, err)
	same(t, body, whole)
	<-finished
	if resp, _, err := s.ask("GET", "/readyz"); err != nil || resp.StatusCode != 200 {
		t.Errorf("/readyz: got %s, %v", resp.Status, err)
	}
	resp, _, err = s.ask("HEAD", "/a.zip")
	must(t, err)
	if got, want := resp.Header.Get("ETag"), tagOf(t, s.g, 0); got != want {
		t.Errorf("got ETag %s, want %s", got, want)
	}

	s.Drain()
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/a.zip": 200} {
		if resp, _, err := s.ask("GET", path); err != nil || resp.StatusCode != want {
			t.Errorf("%s while it ends: got %s, %v, want %d", path, resp.Status, err, want)
		}
	}
	s.shown.Store(nil)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/a.zip": 503, "/": 503, "/metrics": 200} {
		if resp, _, err := s.ask("GET", path); err != nil || resp.StatusCode != want {
			t.Errorf("%s: got %s, %v, want %d", path, resp.Status, err, want)
		}
	}
}

// TestStall: a client that takes nothing is cut off, one that is slow is not.
func TestStall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/large", randomBytes("large", 24<<20), 0o644))
	limits := DefaultLimits
	limits.Stall = 3 * time.Second
	s := serve(t, dir, limits, "version: 1\narchives:\n  - {name: a.zip, entries: [{source: large}]}\n")
	dial := func() net.Conn {
		c, err := net.Dial("tcp", s.addr)
		must(t, err)
		t.Cleanup(func() { c.Close() })
		must(t, c.(*net.TCPConn).SetReadBuffer(64<<10))
		must(t, c.SetDeadline(time.Now().Add(2*patience)))
		_, err = io.WriteString(c, "GET /a.zip HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		must(t, err)
		return c
	}
	stalled, slow := dial(), dial()
	// It takes a little all the time, for several times as long as it may stall: too little
	// for the kernel to say that there is room again for more.
	var got bytes.Buffer
	for begin := time.Now(); time.Since(begin) < 2*limits.Stall; time.Sleep(limits.Stall / 60) {
		_, err := io.CopyN(&got, slow, 4<<10)
		must(t, err)
	}
	_, err := io.Copy(&got, slow)
	must(t, err)
	if whole := s.oracle("a.zip"); !bytes.HasSuffix(got.Bytes(), whole) {
		t.Errorf("the slow one got %d bytes, want %d and headers", got.Len(), len(whole))
	}
	if n, err := io.Copy(io.Discard, stalled); err == nil && n >= int64(len(s.oracle("a.zip"))) {
		t.Errorf("the stalled one got all %d bytes", n)
	}
}

// TestIdle: connections that ask for nothing, or never end to ask, are closed.
func TestIdle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/small", []byte("small"), 0o644))
	s := serve(t, dir, Limits{Connections: 2, Stall: patience, Header: time.Second, Idle: time.Second}, "version: 1\narchives:\n  - {name: a.zip, entries: [{source: small}]}\n")
	for name, text := range map[string]string{
		"silent":        "",
		"half a line":   "GET /a.z",
		"half a header": "GET /a.zip HTTP/1.1\r\nHost: x\r\nX: ",
		"idle":          "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"half a body":   "GET /a.zip HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // more of them than there may be: those behind wait
			c, err := net.Dial("tcp", s.addr)
			must(t, err)
			defer c.Close()
			must(t, c.SetDeadline(time.Now().Add(2*patience)))
			_, err = io.WriteString(c, text)
			must(t, err)
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("it is still open")
			}
		})
	}
}

// TestConnections: more connections than there may be wait, and are answered in the end.
func TestConnections(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/small", []byte("small"), 0o644))
	limits := DefaultLimits
	limits.Connections = 1
	s := serve(t, dir, limits, "version: 1\narchives:\n  - {name: a.zip, entries: [{source: small}]}\n")
	first, err := net.Dial("tcp", s.addr)
	must(t, err)
	defer first.Close()
	_, err = io.WriteString(first, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	_, err = io.ReadFull(first, make([]byte, 15)) // it has the place
	must(t, err)
	second, err := net.Dial("tcp", s.addr)
	must(t, err)
	defer second.Close()
	_, err = io.WriteString(second, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	must(t, second.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	if n, err := second.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %d bytes, %v, while there is no place", n, err)
	}
	first.Close()
	must(t, second.SetReadDeadline(time.Now().Add(patience)))
	if _, err = io.ReadFull(second, make([]byte, 15)); err != nil {
		t.Error(err)
	}
}

package web

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vzip/internal/faultfs"
	"vzip/internal/generation"
	"vzip/internal/verified"
	"vzip/layout"
)

// This test binary is the faulty file system, too.
func TestMain(m *testing.M) {
	if faultfs.Asked() {
		os.Exit(faultfs.Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what should happen at once.
const patience = 30 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// randomBytes are the same at each run.
func randomBytes(seed string, size int) []byte {
	var key [32]byte
	copy(key[:], seed)
	data := make([]byte, size)
	rand.NewChaCha8(key).Read(data)
	return data
}

// site is a server of a layout, with one client that keeps its connections.
type site struct {
	*Handler
	t      testing.TB
	file   string // the layout
	g      *generation.Generation
	url    string // without a slash at the end
	addr   string
	client *http.Client
}

// plainSite serves a.zip of a folder, and sub/ü b.zip of a file.
func plainSite(t testing.TB) *site {
	dir := t.TempDir()
	src := filepath.Join(dir, "src")
	must(t, os.Mkdir(src, 0o755))
	must(t, os.WriteFile(src+"/large", randomBytes("large", 3<<20+17), 0o644))
	must(t, os.WriteFile(src+"/small", []byte("small"), 0o644))
	return serve(t, dir, DefaultLimits, "version: 1\narchives:\n"+
		"  - {name: a.zip, entries: [{source: src}]}\n"+
		"  - {name: \"sub/ü b.zip\", entries: [{source: src/small}]}\n")
}

// serve serves a layout, kept in dir, until the test ends.
func serve(t testing.TB, dir string, l Limits, text string) *site {
	t.Helper()
	s := &site{t: t, file: filepath.Join(dir, "layout.yaml")}
	s.Handler = New(Options{Warn: func(text string) { t.Log(text) }})
	must(t, os.WriteFile(s.file, []byte(text), 0o644))
	s.publish()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.addr = in.Addr().String()
	s.url = "http://" + s.addr
	server := l.NewServer(s.Handler, slog.DiscardHandler)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(l.Listener(in))
	}()
	transport := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil { // little is to be on the way to who does not read yet
			err = c.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
		return c, err
	}}
	s.client = &http.Client{Transport: transport, Timeout: patience}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-ended
		for end := time.Now().Add(patience); s.Active() > 0 || s.g.InUse(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("left behind: %d bodies; archives are open: %v", s.Active(), s.g.InUse())
				break
			}
		}
		s.g.Close()
	})
	return s
}

// publish shows the state that layout and sources have now.
func (s *site) publish() {
	s.t.Helper()
	l, err := layout.Load(s.file, os.LookupEnv)
	must(s.t, err)
	g, err := generation.Build(context.Background(), l, generation.Options{
		HashOptions: generation.HashOptions{Workers: 2}, Warn: func(string) {}, Before: s.g,
		Reader: verified.NewReader(verified.Options{Timeout: patience}),
	})
	must(s.t, err)
	must(s.t, g.Date(s.g))
	s.Publish(g)
	if s.g != nil {
		s.g.Close()
	}
	s.g = g
}

// oracle is what an archive's bytes have to be.
func (s *site) oracle(name string) []byte {
	s.t.Helper()
	for _, a := range s.g.Archives {
		if a.Name == name {
			b := make([]byte, a.Size())
			if _, err := a.ReadAt(b, 0); err != nil && err != io.EOF {
				s.t.Fatal(err)
			}
			return b
		}
	}
	s.t.Fatalf("no archive %s", name)
	return nil
}

// ask sends a request with fields "Name: value", and reads the answer. The error is that
// of the body.
func (s *site) ask(method, path string, fields ...string) (*http.Response, []byte, error) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, nil)
	must(s.t, err)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Add(name, value)
	}
	resp, err := s.client.Do(req)
	must(s.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// raw sends text as it is over a connection of its own, and reads an answer to a request
// of that method.
func (s *site) raw(method, text string) (*http.Response, []byte, error) {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	must(s.t, err)
	defer c.Close()
	must(s.t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, text)
	must(s.t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// same fails unless got is want, without printing either.
func same(t testing.TB, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %d from the start on right, want %d", len(got), commonLen(got, want), len(want))
	}
}

func commonLen(a, b []byte) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func tagOf(t testing.TB, g *generation.Generation, i int) string {
	t.Helper()
	tag, ok := g.Archives[i].Tag()
	if !ok {
		t.Fatal("no tag")
	}
	return fmt.Sprintf("%q", tag)
}

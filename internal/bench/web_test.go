package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"vzip/internal/require"
)

// A tiny run has every server send the archive and ranges of it, and counts what the
// servers used.
func TestOverHTTP(t *testing.T) {
	require.Needs(t, "curl")
	o := tiny(t, "http")
	var text, progress strings.Builder
	if err := run(t.Context(), o, &text, &progress); err != nil {
		t.Fatalf("%v\n%s\n%s", err, &text, &progress)
	}
	candidates := []string{vzipServe, vzipServeStat, fileServer}
	if _, err := exec.LookPath("nginx"); err == nil {
		candidates = append(candidates, nginx)
	} else if !strings.Contains(text.String(), "Left out: "+nginx) {
		t.Errorf("nginx is not there, and nothing says so:\n%s", &text)
	}
	f := &figures{}
	if err := f.load(o.figures); err != nil {
		t.Fatal(err)
	}
	for _, candidate := range candidates {
		if n := strings.Count(text.String(), "| "+candidate+" | "); n != 2 {
			t.Errorf("%s is in %d tables, want 2:\n%s", candidate, n, &text)
		}
		for _, metric := range []string{"throughput", "daemon cpu", "reader cpu", "VmHWM"} {
			if !(f.get("http", "download", candidate, metric) > 0) {
				t.Errorf("%s has no %s of a download", candidate, metric)
			}
		}
		for _, metric := range []string{"p50", "p99", "rate", "daemon cpu"} {
			if !(f.get("http", "ranges", candidate, metric) > 0) {
				t.Errorf("%s has no %s of ranges", candidate, metric)
			}
		}
	}
}

// The child that asks for ranges takes no other answer for one.
func TestRangesChild(t *testing.T) {
	t.Parallel()
	b := &bench{ctx: t.Context(), dir: t.TempDir()}
	var err error
	if b.self, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	if err := newFiller().write(b.path("file"), mib); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, want string
		handler    http.HandlerFunc
	}{
		{"right", "", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, b.path("file")) }},
		{"the whole", "200 OK", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			http.ServeFile(w, r, b.path("file"))
		}},
		{"another range", `206 Partial Content, "bytes 0-65535/1048576"`, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				r.Header.Set("Range", "bytes=0-65535")
			}
			http.ServeFile(w, r, b.path("file"))
		}},
		{"cut off", "EOF", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				panic(http.ErrAbortHandler)
			}
			http.ServeFile(w, r, b.path("file"))
		}},
	} {
		s := httptest.NewServer(test.handler)
		out, err := b.askRanges(256, &webServer{url: s.URL + "/file"})
		s.Close()
		switch {
		case test.want == "" && (err != nil || !(out.extra["p50"] > 0 && out.extra["p99"] >= out.extra["p50"])):
			t.Errorf("%s: got %v, %v", test.name, out.extra, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

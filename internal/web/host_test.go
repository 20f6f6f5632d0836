package web

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHost: no page of another site reads archives by a name that leads here.
func TestHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		local bool
		hosts string // parted by blanks
		path  string
		host  string
		code  int
	}{
		{true, "", "/", "evil.example", 421},
		{true, "", "/", "evil.example:8080", 421},
		{true, "", "/a.zip", "evil.example.", 421},
		{true, "", "/metrics", "evil.example", 421},
		{true, "", "/.vzip/style.css", "evil.example", 421},
		{true, "", "/", "localhost.evil.example", 421},
		{true, "", "/", "127.0.0.1.evil.example", 421},
		{true, "", "/", "notlocalhost", 421},
		{true, "", "/healthz", "evil.example", 200},
		{true, "", "/readyz", "evil.example", 503},
		{true, "", "/", "127.0.0.1:8080", 503},
		{true, "", "/", "10.1.2.3", 503},
		{true, "", "/", "[::1]:8080", 503},
		{true, "", "/", "[::1]", 503},
		{true, "", "/", "localhost", 503},
		{true, "", "/", "LocalHost.:80", 503},
		{true, "", "/", "a.localhost:80", 503},
		{true, "", "/", "", 503},
		{true, "zips.example b.example", "/", "zips.example", 503},
		{true, "zips.example b.example", "/", "B.example:81", 503},
		{true, "zips.example", "/", "evil.example", 421},
		{true, "zips.example", "/", "sub.zips.example", 421},
		{false, "", "/", "evil.example", 503},
		{false, "zips.example", "/", "evil.example", 421},
		{false, "zips.example", "/", "zips.example:8080", 503},
		{false, "zips.example", "/", "10.1.2.3:8080", 503},
	} {
		h := New(Options{Local: test.local, Hosts: strings.Fields(test.hosts)})
		r := httptest.NewRequest("GET", test.path, nil)
		r.Host = test.host
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != test.code {
			t.Errorf("%+v: got %d", test, w.Code)
		}
		if text := w.Body.String(); w.Code == 421 && (strings.Count(text, "\n") != 1 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain")) {
			t.Errorf("%+v: got %q, want one plain line", test, text)
		}
	}
}

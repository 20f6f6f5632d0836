package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// TestPagesInTurn: no more pages are made at once than there may be, and who goes away
// does not wait.
func TestPagesInTurn(t *testing.T) {
	t.Parallel()
	s := plainSite(t)
	for range maxPages {
		s.pages <- struct{}{}
	}
	for _, path := range []string{"/", "/a.zip/"} {
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if v := recover(); v != http.ErrAbortHandler {
					t.Errorf("%s: got %v, %d", path, v, w.Code)
				}
			}()
			s.ServeHTTP(w, httptest.NewRequest("GET", path, nil).WithContext(gone))
		}()
		if w.Body.Len() > 0 {
			t.Errorf("%s: got a page though there is no turn", path)
		}
	}
	<-s.pages
	for range 3 { // each gives its turn back
		if rows := s.page(t, "/a.zip/").rows(); len(rows) == 0 {
			t.Error("nothing")
		}
	}
	if resp, _, err := s.ask("GET", "/none", "Accept: text/html"); err != nil || resp.StatusCode != 404 {
		t.Errorf("got %s, %v", resp.Status, err)
	}
	if n := len(s.pages); n != maxPages-1 {
		t.Errorf("%d turns are taken, want %d", n, maxPages-1)
	}
}

// TestLongNames: what is shown of a name, or a link's target, has an end.
func TestLongNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := strings.Repeat("x\n", 1500)
	must(t, os.Mkdir(dir+"/src", 0o755))
	must(t, os.Symlink(target, dir+"/src/link"))
	s := serve(t, dir, DefaultLimits, "version: 1\ndefaults: {symlinks: store}\narchives:\n  - {name: a.zip, entries: [{source: src, as: .}]}\n")
	row := s.page(t, "/a.zip/").rows()[0]
	if want := "link → " + strings.Repeat(`x\n`, shownLen/2) + "…"; row[0] != want {
		t.Errorf("got %q, want %q", row[0], want)
	}
	_, body, err := s.ask("GET", "/a.zip/")
	must(t, err)
	if n := len(body); n > 10_000 {
		t.Errorf("the page has %d bytes", n)
	}
	for name, want := range map[string]int{
		strings.Repeat("ü", shownLen): 2 * shownLen, strings.Repeat("ü", shownLen+1): 2*shownLen + len(`<i class="odd">…</i>`),
		strings.Repeat("\xff", 5000): len(`<i class="odd"></i>`) + 4*shownLen + len(`<i class="odd">…</i>`),
	} {
		if got := len(shownName(name)); got != want {
			t.Errorf("%.20q: got %d bytes, want %d", name, got, want)
		}
	}
}

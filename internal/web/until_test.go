package web

import (
	"context"
	"net/http/httptest"
	"testing"

	"vzip/internal/generation"
)

// bounds is a handle that keeps how far it was told that reads go.
type bounds struct {
	generation.Handle
	end int64
}

func (b *bounds) Until(end int64) { b.end = end; b.Handle.Until(end) }

// TestReadsNoFurther: nothing is read ahead behind the part of an archive that was asked for.
func TestReadsNoFurther(t *testing.T) {
	t.Parallel()
	s := plainSite(t)
	const first, size = 100, 1 << 20
	for asked, end := range map[string]int64{"": first + size, "bytes=5-600000": first + 600001, "bytes=-7": first + size} {
		f := s.g.Files()[0]
		h, err := f.Open(true)
		must(t, err)
		b := &bounds{Handle: h}
		c := newContent(context.Background(), f, b, first, size)
		r := httptest.NewRequest("GET", "/a.zip", nil)
		if asked != "" {
			r.Header.Set("Range", asked)
		}
		w := &sender{w: httptest.NewRecorder(), h: s.Handler, url: r.URL}
		s.serveContent(w, r, c)
		c.close()
		if b.end != end {
			t.Errorf("%q: got %d, want %d", asked, b.end, end)
		}
	}
}

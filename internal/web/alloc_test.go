package web

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"vzip/internal/require"
)

// discard is a ResponseWriter that counts bytes.
type discard struct {
	header http.Header
	n      int64
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	d.n += int64(len(p))
	return len(p), nil
}

// TestAlloc: what a long body takes is what a short one takes.
func TestAlloc(t *testing.T) {
	s := plainSite(t)
	size := s.g.Archives[0].Size()
	get := func(length int64) float64 {
		return testing.AllocsPerRun(20, func() {
			w := &discard{header: http.Header{}}
			r := httptest.NewRequest("GET", "/a.zip", nil)
			r.Header.Set("Range", "bytes=0-"+strconv.FormatInt(length-1, 10))
			s.ServeHTTP(w, r)
			if w.n != length {
				t.Fatalf("got %d bytes, want %d", w.n, length)
			}
		})
	}
	const pieces = 12
	if size < pieces*pieceLen {
		t.Fatalf("the test itself: %d bytes", size)
	}
	short, long := get(2*pieceLen), get(pieces*pieceLen)
	// Reading ahead has buffers of its own, which it may find in use once in a while.
	if (long > short+pieces/2 || short > 150) && !require.RaceDetector { // a pool forgets some of what it is given then
		t.Errorf("got %v and %v allocations", short, long)
	}
	t.Logf("%v and %v allocations", short, long)
}

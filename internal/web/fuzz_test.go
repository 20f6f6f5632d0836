package web

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// FuzzRange: whatever a Range says, the answer is the whole, the part that it names
// itself, or a refusal.
func FuzzRange(f *testing.F) {
	for _, seed := range []string{
		"bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-", "bytes=0-1,3-4", "bytes=1-0", "bytes=,", "bytes=0-18446744073709551616", "bytes= 1 - 2 ,-3",
		"lines=0-0", "bytes", "bytes=", "bytes==1-2", "bytes=--1", "bytes=+1-2", "bytes=1-2-3", "BYTES=0-0", "bytes=-9223372036854775808",
	} {
		f.Add(seed)
	}
	s := plainSite(f)
	const small = 1 // the archive of one small file
	whole := s.oracle(s.g.Archives[small].Name)
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest("GET", "/sub/%C3%BC%20b.zip", nil)
		r.Header.Set("Range", header)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		body := w.Body.Bytes()
		if got := w.Header().Get("Content-Length"); got != "" && got != strconv.Itoa(len(body)) {
			t.Errorf("got Content-Length %s, and %d bytes", got, len(body))
		}
		switch w.Code {
		case 200:
			same(t, body, whole)
		case 206:
			if strings.HasPrefix(w.Header().Get("Content-Type"), "multipart/") {
				return
			}
			var first, last, size int
			if _, err := fmt.Sscanf(w.Header().Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size); err != nil || size != len(whole) || first > last || last >= size {
				t.Fatalf("got Content-Range %s", w.Header().Get("Content-Range"))
			}
			if !bytes.Equal(body, whole[first:last+1]) {
				t.Errorf("got other bytes than %d-%d", first, last)
			}
		case 416:
		default:
			t.Errorf("got status %d", w.Code)
		}
	})
}

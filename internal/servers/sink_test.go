package servers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The sink keeps whole bodies alone.
func TestSink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := httptest.NewServer(&Sink{Dir: dir, Patience: 10 * time.Second})
	defer s.Close()
	for i, test := range []struct {
		body   string
		length int64 // -1: a chunked body
		want   bool
	}{{"hello", 5, true}, {"hello", -1, true}, {"hell", 5, false}} {
		name := fmt.Sprint("f", i)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/"+name, struct{ *strings.Reader }{strings.NewReader(test.body)})
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = test.length
		got := false
		if answer, err := s.Client().Do(r); err == nil {
			got = answer.StatusCode == http.StatusCreated
			answer.Body.Close()
		}
		if _, err := os.Stat(filepath.Join(dir, name)); got != test.want || (err == nil) != test.want {
			t.Errorf("%q with length %d: got %v, %v, want %v", test.body, test.length, got, err, test.want)
		}
	}
}

package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
	"vzip/internal/generation"
)

// TestReloadsUnderReaders: every answer is of one generation, the one that its ETag
// names, and none fails for a reload.
func TestReloadsUnderReaders(t *testing.T) {
	t.Parallel()
	const reloads, readers = 30, 4
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/large", randomBytes("large", 1<<20), 0o644))
	text := func(i int) string {
		return fmt.Sprintf("version: 1\narchives:\n  - {name: a.zip, entries: [{source: large, as: state%d}]}\n", i%2)
	}
	s := serve(t, dir, DefaultLimits, text(0))
	var mu sync.Mutex
	wants := map[string][]byte{}
	learn := func() {
		mu.Lock()
		defer mu.Unlock()
		wants[tagOf(t, s.g, 0)] = s.oracle("a.zip")
	}
	learn()
	must(t, os.WriteFile(s.file, []byte(text(1)), 0o644))
	s.publish()
	learn()
	done := make(chan struct{})
	var group sync.WaitGroup
	for i := range readers {
		group.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					if n == 0 {
						t.Error("a reader did not come to read")
					}
					return
				default:
				}
				req, err := http.NewRequest("GET", s.url+"/a.zip", nil)
				if err == nil && i%2 == 1 {
					req.Header.Set("Range", "bytes=-300000")
				}
				resp, err2 := s.client.Do(req)
				if err = errors.Join(err, err2); err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				mu.Lock()
				want := wants[resp.Header.Get("ETag")]
				mu.Unlock()
				if i%2 == 1 && len(want) > 300000 {
					want = want[len(want)-300000:]
				}
				if err != nil || want == nil || string(body) != string(want) {
					t.Errorf("got %s, %d bytes, %v", resp.Status, len(body), err)
					return
				}
			}
		})
	}
	for i := range reloads {
		must(t, os.WriteFile(s.file, []byte(text(i)), 0o644))
		s.publish()
	}
	close(done)
	group.Wait()
}

// TestClientGone: who goes away in the middle leaves nothing behind, as each test's end
// makes sure, and is no failure of a source.
func TestClientGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/large", randomBytes("large", 24<<20), 0o644))
	s := serve(t, dir, DefaultLimits, "version: 1\narchives:\n  - {name: a.zip, entries: [{source: large}]}\n")
	for _, r := range []string{"bytes=0-", "bytes=0-1000,2000-20000000"} {
		req, err := http.NewRequest("GET", s.url+"/a.zip", nil)
		must(t, err)
		req.Header.Set("Range", r)
		resp, err := s.client.Do(req)
		must(t, err)
		_, err = io.ReadFull(resp.Body, make([]byte, 1000))
		must(t, err)
		resp.Body.Close()
	}
	for end := time.Now().Add(patience); s.metric("vzip_http_cut_off_total") < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("they are sent for ever")
		}
	}
	for _, c := range generation.CauseNames {
		if n := s.metric(fmt.Sprintf("vzip_http_errors_total{cause=%q}", c)); n != 0 {
			t.Errorf("%v errors: %s", n, c)
		}
	}
}

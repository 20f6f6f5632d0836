package source

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Files that come and go while their folder is listed are in the list or not,
// and no reason to fail.
func TestReadDirVanishing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(dir, "stays"+strconv.Itoa(i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := filepath.Join(dir, "goes"+strconv.Itoa(i%50))
			if i/50%2 == 0 {
				_ = os.WriteFile(name, nil, 0o644)
			} else {
				_ = os.Remove(name)
			}
		}
	}()
	for range 300 {
		_, children, err := Ref{Root: dir, Rel: "."}.ReadDir(true)
		if err != nil {
			t.Fatal(err)
		}
		stays := 0
		for _, c := range children {
			if c.Err != nil {
				t.Fatal(c.Err)
			}
			if c.Name[0] == 's' {
				stays++
			}
		}
		if stays != 300 {
			t.Fatalf("got %d files that stay, want 300", stays)
		}
	}
	close(stop)
	<-done
}

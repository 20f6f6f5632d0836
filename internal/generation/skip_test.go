package generation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Files that come and go do not keep an archive that leaves busy files out from
// being built.
func TestSkipComesAndGoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345"})
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		var old []string
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				p := filepath.Join(dir, "src", fmt.Sprint("tmp", n))
				_ = os.WriteFile(p, []byte("t"), 0o644)
				if old = append(old, p); len(old) > 5 {
					_ = os.Remove(old[0])
					old = old[1:]
				}
				time.Sleep(time.Millisecond)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var r read
	g, err := Build(ctx, load(t, dir, "version: 1\narchives: [{name: a.zip, on_busy: skip, entries: [{source: src}]}]\n"), r.options(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
}

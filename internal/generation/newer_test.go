package generation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vzip/internal/source"
)

// Waiting for a file to rest ends when a newer state is asked for.
func TestWaitEndsForNewer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345"})
	f, err := os.OpenFile(filepath.Join(dir, "src/x"), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var r read
	o := r.options(t, nil)
	asked := 0
	o.Newer = func() bool { asked++; return asked > 2 }
	_, err = Build(ctx, load(t, dir, "version: 1\narchives: [{name: a.zip, on_busy: wait, entries: [{source: src}]}]\n"), o)
	if !errors.As(err, new(*source.BusyError)) || asked != 3 {
		t.Errorf("got error %v after %d questions, want a BusyError after 3", err, asked)
	}
}

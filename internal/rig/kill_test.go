package rig

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"vzip/internal/figure"
	"vzip/internal/require"
)

// back is how soon a mount with remembered CRCs is there again.
const back = 2 * time.Second

// copiers copy a file with programs that people use; $1 is the source, $2 the copy.
var copiers = []string{
	`cp "$1" "$2"`,
	`cat "$1" > "$2"`,
	`dd if="$1" of="$2" bs=64K status=none`,
	`rsync "$1" "$2"`,
	`python3 -c 'import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])' "$1" "$2"`,
	`cp --reflink=never --sparse=always "$1" "$2"`,
	`dd if="$1" of="$2" bs=1M iflag=direct status=none`,
	`tail -c +1 "$1" > "$2"`,
}

// When vzip is killed under programs that copy, each of them either has the whole
// archive or says that it failed; and a new vzip takes the dead mount's place.
func TestKilledUnderCopies(t *testing.T) {
	t.Parallel()
	require.Needs(t, "fuse", "rsync", "python3")
	s := newSite(t, "", 9, []int64{16 << 20, 16<<20 - 1, 16<<20 + 1})
	o := s.oracle()

	rounds := figure.N(2, 100)
	rnd := rand.New(rand.NewPCG(9, 9))
	// As long as all copies take, to know when to kill.
	mount := s.mount()
	failed, whole := copyAll(t, mount, o, nil)
	if failed > 0 {
		t.Fatalf("%d copies failed without cause", failed)
	}
	var slowest time.Duration
	copies := 0
	for round := range rounds {
		kill := time.Duration(rnd.Int64N(int64(whole) * 2 / 3))
		killed := make(chan struct{})
		time.AfterFunc(kill, func() {
			mount.Kill()
			close(killed)
		})
		n, _ := copyAll(t, mount, o, killed)
		failed += n
		copies += len(copiers)
		<-killed
		begin := time.Now()
		mount = s.mount()
		if err := readFirst(mount.Path(archive), o); err != nil {
			t.Errorf("round %d: after the kill: %v", round, err)
		}
		slowest = max(slowest, time.Since(begin))
		if t.Failed() {
			break
		}
	}
	if n, _ := copyAll(t, mount, o, nil); n > 0 {
		t.Errorf("%d copies from the last mount failed: %s", n, mount.Log())
	}
	closing(t, mount)
	if figure.Full() && slowest > back {
		t.Errorf("a mount was back after %v, want %v", slowest, back)
	}
	figure.Print(t, "kill -9 under %d copies: %d times; %d of %d copies failed and said so, the others are whole; back after %v at most",
		len(copiers), rounds, failed, copies, slowest.Round(time.Millisecond))
}

// copyAll copies an archive with all copiers at once, and returns how many said
// that they failed, and how long all took; a copy of those that did not fail has
// to be the oracle's. killed is closed when vzip is dead; nil: nobody kills it.
func copyAll(t *testing.T, m *Mount, o *Oracle, killed <-chan struct{}) (failed int, took time.Duration) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "copies-")
	must(t, err)
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	errs := make([]error, len(copiers))
	begin := time.Now()
	var wg sync.WaitGroup
	for i, script := range copiers {
		wg.Go(func() {
			cmd := exec.CommandContext(ctx, "sh", "-c", script, "sh", m.Path(archive), filepath.Join(dir, fmt.Sprint(i)))
			out, err := cmd.CombinedOutput()
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w: %s", script, err, out)
			}
		})
	}
	wg.Wait()
	took = time.Since(begin)
	if ctx.Err() != nil {
		t.Errorf("not all copies end: %v", errs)
	}
	for i, script := range copiers {
		if errs[i] != nil {
			failed++
			if killed == nil {
				t.Log(errs[i])
			}
			continue
		}
		if sum, n, err := Digest(filepath.Join(dir, fmt.Sprint(i))); err != nil || sum != o.SHA256 {
			t.Errorf("VIOLATION: %s ended well, but its copy of %d bytes is not the archive of %d (%v)", script, n, o.Size(), err)
		}
	}
	return failed, took
}

// readFirst reads the start of an archive.
func readFirst(path string, o *Oracle) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p := make([]byte, pageLen)
	if _, err := f.ReadAt(p, 0); err != nil {
		return err
	}
	if !bytes.Equal(p, o.Bytes[:pageLen]) {
		return fmt.Errorf("the first %d bytes are wrong", pageLen)
	}
	return nil
}

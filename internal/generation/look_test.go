package generation

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vzip/internal/checksum"
	"vzip/internal/crccache"
	"vzip/internal/require"
	"vzip/internal/source"
	"vzip/internal/verified"
)

// A source that is opened again and again while it is looked at, and goes on
// changing, ends in a state, not in a crash.
func TestLookedAtTwice(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdef", 40*checksum.BlockLen/16)
	dir := t.TempDir()
	a, _ := served(t, dir, content, nil)
	path := filepath.Join(dir, "src/x")
	i, _ := a.Find("src/x")
	key := a.key(i)
	stop := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				_ = os.Chmod(path, 0o600+os.FileMode(n%2)*0o40)
				time.Sleep(time.Duration(n%3) * time.Millisecond)
			}
		}
	}()
	defer close(stop)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		a.g.Changed(key, source.Identity{}) // as a read of a missing file does
		for range 3 {                       // as opens do, a second apart
			a.g.drifts.mu.Lock()
			a.g.drifts.by[key].since = time.Time{}
			a.g.drifts.mu.Unlock()
			if l, err := a.Open(false); err == nil {
				l.Close()
			}
		}
		for range 10 {
			_, _ = readData(a)
			time.Sleep(time.Millisecond)
		}
	}
	a.g.drifts.mu.Lock()
	defer a.g.drifts.mu.Unlock()
	if n := len(a.g.drifts.queue); n > 1 {
		t.Errorf("one source is queued %d times", n)
	}
}

// coarse mounts a file system that keeps whole seconds.
func coarse(t *testing.T) string {
	t.Helper()
	require.Needs(t, "root", "mkfs.ext4", "mount")
	dir := t.TempDir()
	img, mnt := filepath.Join(dir, "img"), filepath.Join(dir, "mnt")
	must(t, os.WriteFile(img, nil, 0o600))
	must(t, os.Truncate(img, 64<<20))
	must(t, os.Mkdir(mnt, 0o755))
	for _, c := range [][]string{{"mkfs.ext4", "-q", "-F", "-I", "128", "-O", "^has_journal", img}, {"mount", "-o", "loop", img, mnt}} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", c, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", mnt).Run() })
	return mnt
}

func writeAt(t *testing.T, path, text string, off int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte(text), off)
	must(t, err)
	must(t, f.Close())
}

// nextSecond waits until a second begins.
func nextSecond() {
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1010 * time.Millisecond)))
}

// A file that was found equal is taken for what it is only once a further change
// is sure to show in its times.
func TestEqualWithinTick(t *testing.T) {
	t.Parallel()
	mnt := coarse(t)
	write(t, mnt, map[string]string{"src/x": "12345"})
	var r read
	o := r.options(t, nil)
	o.Reader = verified.NewReader(verified.Options{Timeout: time.Minute, StatOnly: true})
	t.Cleanup(o.Reader.Close)
	a := build(t, load(t, t.TempDir(), strings.ReplaceAll("version: 1\narchives: [{name: a.zip, entries: [{source: MNT/src}]}]\n", "MNT", mnt)), o).Archives[0]
	path := filepath.Join(mnt, "src/x")
	nextSecond()
	writeAt(t, path, "1", 0)
	_, err := readData(a)
	must(t, err)
	time.Sleep(300 * time.Millisecond)
	writeAt(t, path, "X", 0)
	for range 30 {
		if got, err := readData(a); err == nil && got != "12345" {
			t.Fatalf("served %q", got)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// What is remembered of a file that drifted was read after its times had rested.
func TestRememberedAtRest(t *testing.T) {
	t.Parallel()
	mnt, dir := coarse(t), t.TempDir()
	const size = 2 << 30 // takes longer to read than times need to rest
	write(t, mnt, map[string]string{"src/x": "12345"})
	path := filepath.Join(mnt, "src/x")
	must(t, os.Truncate(path, size))
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	var r read
	l := load(t, dir, strings.ReplaceAll("version: 1\narchives: [{name: a.zip, entries: [{source: MNT/src}]}]\n", "MNT", mnt))
	a := build(t, l, r.options(t, cache)).Archives[0]
	i, _ := a.Find("src/x")
	first := func(a *Archive) (string, error) {
		d, err := a.Read(context.Background(), a.DataOffset(i), 5)
		if err != nil {
			return "", err
		}
		defer d.Release()
		return string(d.Bytes()), nil
	}
	nextSecond()
	writeAt(t, path, "1", 0)
	_, err = first(a)
	must(t, err)
	time.Sleep(400 * time.Millisecond)
	writeAt(t, path, "X", 0)
	eventually(t, "looked at", func() bool { s, _ := a.g.stateOf(a.key(i)); return s != looking })
	got, err := first(build(t, l, r.options(t, cache)).Archives[0])
	if err != nil || got != "X2345" {
		t.Errorf("the next run: got %q and error %v", got, err)
	}
}

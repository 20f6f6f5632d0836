package generation

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/crccache"
	"vzip/internal/source"
	"vzip/internal/verified"
	"vzip/layout"
)

const twoArchives = `version: 1
archives:
  - name: a.zip
    entries: [{source: src}]
  - name: sub/b.zip
    entries: [{source: src, as: other}, {source: src/x, as: file.txt}]
`

// A file is read once, however many entries and names it has.
func TestReadOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345", "src/d/y": "1234567", "src/empty": ""})
	must(t, os.Link(filepath.Join(dir, "src/x"), filepath.Join(dir, "src/hard-link")))
	must(t, os.Symlink("x", filepath.Join(dir, "src/link")))
	var r read
	g := build(t, load(t, dir, twoArchives), r.options(t, nil))
	if got := r.bytes.Load(); got != 12 || r.files != 3 {
		t.Errorf("read %d bytes of %d files, want 12 of 3", got, r.files)
	}
	want := map[string]string{"src/": "", "src/d/": "", "src/d/y": "1234567", "src/x": "12345", "src/hard-link": "12345", "src/link": "x", "src/empty": ""}
	if got := checkZIP(t, g.Archives[0]); !maps.Equal(got, want) {
		t.Errorf("a.zip: got %q, want %q", got, want)
	}
	if got := checkZIP(t, g.Archives[1]); got["file.txt"] != "12345" || got["other/d/y"] != "1234567" || len(got) != len(want)+1 {
		t.Errorf("sub/b.zip: got %q", got)
	}
}

func TestRemembered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345", "src/d/y": "1234567"})
	l := load(t, dir, twoArchives)
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	steps := []struct {
		name  string
		do    func()
		files int
		bytes int64
	}{
		{"first", func() {}, 2, 12},
		{"again", func() {}, 0, 0},
		{"one changed", func() { write(t, dir, map[string]string{"src/x": "54321"}) }, 1, 5},
		{"one new", func() { write(t, dir, map[string]string{"src/z": "z"}) }, 1, 1},
		{"touched", func() { must(t, os.Chtimes(filepath.Join(dir, "src/z"), time.Time{}, time.Unix(1e9, 0))) }, 1, 1},
		{"rewritten with its time kept", func() {
			path := filepath.Join(dir, "src/x")
			stat, err := os.Stat(path)
			must(t, err)
			must(t, os.WriteFile(path, []byte("00000"), 0o644))
			must(t, os.Chtimes(path, time.Time{}, stat.ModTime()))
		}, 1, 5},
		{"moved", func() { must(t, os.Rename(filepath.Join(dir, "src/z"), filepath.Join(dir, "src/w"))) }, 1, 1},
		{"again at the end", func() {}, 0, 0},
	}
	for _, s := range steps {
		s.do()
		var r read
		g := build(t, l, r.options(t, cache))
		if r.files != s.files || r.bytes.Load() != s.bytes {
			t.Errorf("%s: read %d bytes of %d files, want %d of %d", s.name, r.bytes.Load(), r.files, s.bytes, s.files)
		}
		checkZIP(t, g.Archives[0])
		checkZIP(t, g.Archives[1])
	}
}

// What changes between scan and hashing is looked at again, but not for ever.
func TestChangesMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		changes int // how often
		ok      bool
	}{{"once", 1, true}, {"twice", 2, true}, {"always", 100, false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"src/x": "12345", "src/y": "y"})
			l := load(t, dir, twoArchives)
			var r read
			o := r.options(t, nil)
			scans := 0
			o.Start = func(int, int64) {
				if scans++; scans <= tt.changes {
					write(t, dir, map[string]string{"src/x": strings.Repeat("x", 10+scans)})
				}
			}
			g, err := Build(context.Background(), l, o)
			if !tt.ok {
				var failed SourceErrors
				if !errors.As(err, &failed) || !errors.Is(err, unix.ESTALE) || !strings.Contains(err.Error(), "src/x: changed since it was scanned: size was") {
					t.Errorf("got error %v", err)
				}
				if scans != tries {
					t.Errorf("looked %d times, want %d", scans, tries)
				}
				return
			}
			must(t, err)
			defer g.Close()
			if got, want := checkZIP(t, g.Archives[0])["src/x"], strings.Repeat("x", 10+tt.changes); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// A source that can't be read is no reason to look again; all of them are named.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	g := New(nil, nil, nil)
	if err, _ := g.Hash(context.Background(), HashOptions{}, &places{}); err != nil {
		t.Errorf("nothing to hash: got %v", err)
	}
	failed := SourceErrors{&source.ChangedError{Path: "/a", What: "x"}, errors.New("/b\nvzip: all is well")}
	if !unsettled(failed[0]) || unsettled(failed[1]) {
		t.Error("an error that is no change was taken for one, or the other way round")
	}
	if got, want := failed.Error(), "/a: changed since it was scanned: x\n/b\\nvzip: all is well"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := strings.Count(make(SourceErrors, 0).Error(), "\n"); got != 0 {
		t.Errorf("no errors: got %d lines", got)
	}
	many := SourceErrors{}
	for range 103 {
		many = append(many, errors.New("x"))
	}
	if lines := strings.Split(many.Error(), "\n"); len(lines) != 101 || lines[100] != "and 3 sources more" {
		t.Errorf("got %d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// A cache that fails stops nothing, unless remembering is the purpose.
func TestCacheFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345"})
	l := load(t, dir, twoArchives)
	cache, err := crccache.Open(filepath.Join(dir, "cache"))
	must(t, err)
	must(t, os.Remove(filepath.Join(dir, "cache")))
	must(t, os.WriteFile(filepath.Join(dir, "cache"), nil, 0o600))
	var r read
	o := r.options(t, cache)
	var warned []string
	o.Warn = func(s string) { warned = append(warned, s) }
	g := build(t, l, o)
	checkZIP(t, g.Archives[0])
	if len(warned) != 2 || !strings.HasPrefix(warned[1], "CRCs are not remembered: ") {
		t.Errorf("got warnings %q", warned)
	}
	o.MustRemember = true
	if _, err := Build(context.Background(), l, o); err == nil || !strings.Contains(err.Error(), "the CRCs that were worked out are lost") {
		t.Errorf("got error %v", err)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	local := func() source.Kind { return source.Local }
	for _, tt := range []struct {
		name         string
		ctime, begin time.Duration // from now
		least        time.Duration
	}{
		{"long ago", -time.Hour, -time.Second, 0},
		{"just now", 0, -time.Hour, 10 * time.Millisecond},
		{"just now, at the beginning", 0, 0, 10 * time.Millisecond},
		{"in the future", time.Hour, 0, 10 * time.Millisecond},
		{"in the future, not the first", time.Hour, -time.Hour, 0},
	} {
		now := time.Now()
		must(t, settle(context.Background(), source.Identity{Ctime: now.Add(tt.ctime).UnixNano() | 1}, local, now.Add(tt.begin)))
		took := time.Since(now)
		if took < tt.least {
			t.Errorf("%s: waited %v, want at least %v", tt.name, took, tt.least)
		}
		if tt.least == 0 && took > time.Minute {
			t.Errorf("%s: waited %v, want nothing", tt.name, took)
		}
	}
	now := time.Now()
	whole := now.Truncate(time.Second)
	must(t, settle(context.Background(), source.Identity{Ctime: whole.UnixNano()}, local, now))
	if end := time.Now(); end.Before(whole.Add(2 * time.Second)) {
		t.Errorf("a time in whole seconds: waited until %v after it, want 2 s at least", end.Sub(whole))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := settle(ctx, source.Identity{Ctime: time.Now().Add(time.Hour).Truncate(time.Second).UnixNano()}, local, time.Now()); err != context.Canceled {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// What changes after it was read, but before the run ends, is looked at again.
func TestChangesAfterRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345"})
	time.Sleep(30 * time.Millisecond)
	l := load(t, dir, twoArchives)
	var r read
	o := r.options(t, nil)
	once := sync.OnceFunc(func() { write(t, dir, map[string]string{"src/x": "54321"}) })
	o.Progress = func(int64) { once() }
	g := build(t, l, o)
	if got := checkZIP(t, g.Archives[0])["src/x"]; got != "54321" {
		t.Errorf("got %q, want what is there now", got)
	}
}

// A file is read only when it rests: nobody could write to it, and a change would
// show in its times.
func TestOpenAtRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"src/x": "12345"})
	plans, err := load(t, dir, oneArchive).Scan(context.Background(), layout.ScanOptions{})
	must(t, err)
	g := New(plans, verified.NewReader(verified.Options{Timeout: time.Minute}), nil)
	defer g.Close()
	a := g.Archives[0]
	i, _ := a.Find("src/x")
	f, err := g.openAtRest(context.Background(), a.key(i), nil, time.Now().Add(-time.Hour))
	must(t, err)
	f.Close()
	if since := time.Since(time.Unix(0, a.Identity(i).Ctime)); since < 15*time.Millisecond {
		t.Errorf("it was opened %v after it was written", since)
	}
	writer, err := os.OpenFile(filepath.Join(dir, "src/x"), os.O_WRONLY, 0)
	must(t, err)
	defer writer.Close()
	if f, err := g.openAtRest(context.Background(), a.key(i), nil, time.Now()); !errors.As(err, new(*source.BusyError)) {
		t.Errorf("open for writing: got %v and error %v, want a BusyError", f, err)
	}
}

// on_busy says what becomes of a file that is open for writing.
func TestOnBusy(t *testing.T) {
	t.Parallel()
	for _, policy := range []layout.OnBusy{layout.OnBusyFail, layout.OnBusySkip, layout.OnBusyWait} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"src/x": "12345", "src/y": "y"})
			l := load(t, dir, twoArchives+"defaults: {on_busy: "+string(policy)+"}\n")
			writer, err := os.OpenFile(filepath.Join(dir, "src/x"), os.O_WRONLY, 0)
			must(t, err)
			defer writer.Close()
			var r read
			o := r.options(t, nil)
			var mu sync.Mutex
			var warned []string
			o.Warn = func(s string) {
				mu.Lock()
				defer mu.Unlock()
				if warned = append(warned, s); policy == layout.OnBusyWait {
					time.AfterFunc(300*time.Millisecond, func() { writer.Close() })
				}
			}
			g, err := Build(context.Background(), l, o)
			if policy == layout.OnBusyFail {
				if !errors.As(err, new(SourceErrors)) || !errors.As(err, new(*source.BusyError)) || !strings.Contains(err.Error(), "src/x: a program has it open for writing") {
					t.Errorf("got error %v", err)
				}
				return
			}
			must(t, err)
			defer g.Close()
			content := checkZIP(t, g.Archives[0])
			if _, stored := content["src/x"]; stored != (policy == layout.OnBusyWait) || content["src/y"] != "y" {
				t.Errorf("got %q", content)
			}
			mu.Lock()
			defer mu.Unlock()
			word := map[layout.OnBusy]string{layout.OnBusySkip: "left out because of on_busy: skip", layout.OnBusyWait: "waiting until it rests"}[policy]
			if len(warned) == 0 || !strings.Contains(warned[0], word) {
				t.Errorf("got warnings %q", warned)
			}
		})
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"

	"vzip/internal/require"
	"vzip/internal/rig"
)

func TestMain(m *testing.M) {
	if code, done := child(); done {
		os.Exit(code)
	}
	if code, done := rig.Private(); done {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// tiny are options of a run of seconds, below a folder of the test's own.
func tiny(t *testing.T, section string) options {
	t.Helper()
	require.Needs(t, "root", "fuse", "fusermount3")
	if err := rig.DependOnSources("../.."); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("GORACE", "atexit_sleep_ms=0") // of each vzip
	program, err := rig.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	loopback := filepath.Join(dir, "loopback")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", loopback, "github.com/hanwen/go-fuse/v2/example/loopback").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	scratch := filepath.Join(dir, "scratch")
	if err := os.Mkdir(scratch, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := os.ReadDir(scratch)
		if len(left) > 0 || err != nil {
			t.Errorf("%v is left, %v", left, err)
		}
		mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(scratch))
		if len(mounts) > 0 || err != nil {
			t.Errorf("%d mounts are left, %v", len(mounts), err)
		}
	})
	o := options{scale: 0.002, rounds: 1, dir: scratch, vzip: program.Path, loopback: loopback, figures: filepath.Join(dir, "figures")}
	if o.only, err = choose(section); err != nil {
		t.Fatal(err)
	}
	return o
}

// A tiny run reads through real mounts, prints its tables, writes its figures, says
// which aims hold, and leaves nothing behind.
func TestSequential(t *testing.T) {
	o := tiny(t, "sequential")
	sets, readers := sequentialSets, sequentialReaders
	defer func() { sequentialSets, sequentialReaders = sets, readers }()
	sequentialSets, sequentialReaders = sets[:1], readers[:1]

	var text, progress strings.Builder
	if err := run(t.Context(), o, &text, &progress); err != nil {
		t.Fatalf("%v\n%s\n%s", err, &text, &progress)
	}
	for _, want := range []string{sources, vzipCRC, vzipStat, shippedServed, shippedKernel, vzipCat} {
		if !strings.Contains(text.String(), "| "+want+" | ") {
			t.Errorf("the table has no %q:\n%s", want, &text)
		}
	}
	f := &figures{}
	if err := f.load(o.figures); err != nil {
		t.Fatal(err)
	}
	get := func(candidate, metric string) float64 { return f.get("sequential", "large, cat", candidate, metric) }
	for _, candidate := range []string{sources, vzipCRC, shippedServed, bestOf} {
		if !(get(candidate, "throughput") > 0) {
			t.Errorf("%s has no throughput", candidate)
		}
	}
	// CPU of another process is counted, and of this one's child.
	for _, metric := range []string{"reader cpu", "daemon cpu", allocatedBytes} {
		if !(get(vzipCRC, metric) > 0) {
			t.Errorf("vzip mount has no %s", metric)
		}
	}
	if got := get(sources, "daemon cpu"); got != 0 {
		t.Errorf("reading the sources took %v s of a daemon that is not there", got)
	}
	text.Reset()
	_ = run(t.Context(), options{from: o.figures, check: true}, &text, &progress) // at this size nothing need hold
	for _, want := range []string{"scale 0.002", "throughput to the best loopback: at least 0.85: ", "4 aims"} {
		if !strings.Contains(strings.ReplaceAll(text.String(), "of 4", "4"), want) {
			t.Errorf("no %q in:\n%s", want, &text)
		}
	}
}

// A signal in the middle ends it soon, and leaves nothing behind.
func TestBrokenOff(t *testing.T) {
	o := tiny(t, "profile") // has a mount for ten seconds
	o.scale = 0.1
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	var text, progress strings.Builder
	go func() { done <- run(ctx, o, &text, &progress) }()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(o.dir)); err == nil && len(mounts) > 0 {
			break
		}
	}
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Errorf("no error; %s", &progress)
		}
	case <-time.After(8 * time.Second):
		t.Fatal("it goes on")
	}
}

// What a candidate writes is counted, also by its descendants, and its CPU time.
func TestRun(t *testing.T) {
	t.Parallel()
	b := &bench{ctx: t.Context(), dir: t.TempDir()}
	s, err := b.run(command{dir: b.dir, words: []string{"sh", "-c", "(dd if=/dev/zero of=f bs=1M count=8) 2>/dev/null"}})
	if err != nil {
		t.Fatal(err)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(b.dir, &st); err != nil {
		t.Fatal(err)
	}
	const tmpfs = 0x01021994 // statfs(2): nothing is written there
	if st.Type != tmpfs && s.extra["written"] < 8*mib {
		t.Errorf("written: got %v bytes, want 8 MiB", s.extra["written"])
	}
	if s.reader <= 0 || s.time <= 0 {
		t.Errorf("got %v by the clock and %v of CPU", s.time, s.reader)
	}
	if _, err := b.run(command{words: []string{"sh", "-c", "echo why >&2; exit 3"}}); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("a failure: got %v, want what it says", err)
	}
	if _, err := b.run(command{words: []string{"vzip-no-such-program"}}); !strings.Contains(fmt.Sprint(err), errUnavailable.Error()) {
		t.Errorf("no such program: got %v, want %v", err, errUnavailable)
	}
}

func TestCPUTime(t *testing.T) {
	t.Parallel()
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); time.Since(begin) < 50*time.Millisecond; {
	}
	after, err := cpuTime(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("got %v, then %v, %v", before, after, err)
	}
	if _, err := cpuTime(1 << 22); err == nil {
		t.Error("no error for a process that is not there")
	}
}

// Each block at random is inside the span, and whole.
func TestRandomChild(t *testing.T) {
	t.Parallel()
	b := &bench{ctx: t.Context(), dir: t.TempDir()}
	var err error
	if b.self, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	file := b.path("file")
	if err := newFiller().write(file, 3*mib+1); err != nil {
		t.Fatal(err)
	}
	s, err := b.readRandom("-size", "131072", "-readers", "4", "-count", "400", file)
	if err != nil {
		t.Fatal(err)
	}
	if !(s.extra["p50"] > 0 && s.extra["p99"] >= s.extra["p50"] && s.extra["rate"] > 0) {
		t.Errorf("got %v", s.extra)
	}
	if _, err := b.readRandom("-size", "131072", "-span", "4096", file); err == nil {
		t.Error("no error for blocks larger than where they are to be")
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "figures")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f := &figures{to: file}
	nan := f.get("s", "c", "x", "m")
	for _, one := range []figure{{"s", "c", "x", "m", 1, "s"}, {"s", "c", "x", "m", 2, "s"}, {"s", "c", "y", "m", nan, ""}} {
		if err := f.add(one); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	var back figures
	if err := back.load(path); err != nil {
		t.Fatal(err)
	}
	if got := back.get("s", "c", "x", "m"); got != 2 || len(back.list) != 2 {
		t.Errorf("got %v of %d figures, want the last, 2, of 2", got, len(back.list))
	}
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := back.load(path); err == nil {
		t.Error("no error for half a line")
	}
	if line, err := json.Marshal(figure{"s", "c", "x", "m", 1.5, "s"}); err != nil || string(line) != `{"section":"s","case":"c","candidate":"x","metric":"m","value":1.5,"unit":"s"}` {
		t.Errorf("got %s, %v", line, err)
	}
}

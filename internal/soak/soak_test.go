package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"vzip/internal/require"
	"vzip/internal/rig"
)

func TestMain(m *testing.M) {
	if code, done := rig.Private(); done {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// A soak of a few seconds finds nothing, and tells so.
func TestSoak(t *testing.T) {
	require.Needs(t, append(rig.Outside(), "fuse", "rsync")...)
	if err := rig.DependOnSources("../.."); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	for _, method := range []string{"store", "deflate"} {
		t.Run(method, func(t *testing.T) { testSoak(t, method) })
	}
}

func testSoak(t *testing.T, method string) {
	var text strings.Builder
	o := options{
		method: method,
		time:   6 * time.Second, every: time.Second, report: 2 * time.Second, pause: 20 * time.Millisecond, clients: 6, seed: 1,
		print: func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) },
	}
	if err := run(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, &text)
	}
	t.Log(text.String())
	for _, want := range []string{"violations 0", "slope", "descriptors"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in what it prints", want)
		}
	}
}

func TestSlope(t *testing.T) {
	t.Parallel()
	var samples []sample
	for i := range int64(100) {
		s := sample{at: time.Duration(i) * time.Minute, resident: 50 << 20}
		if i < 20 {
			s.resident = i << 25 // the first half does not count
		} else if i >= 50 {
			s.resident += i << 20
		}
		samples = append(samples, s)
	}
	if got := slope(samples); got < 59.9 || got > 60.1 {
		t.Errorf("got %v MiB/h, want 60", got)
	}
	if got := slope(samples[:1]); got != 0 {
		t.Errorf("of one sample: got %v, want 0", got)
	}
}

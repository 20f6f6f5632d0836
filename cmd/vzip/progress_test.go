package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newProgress(quiet bool) (*progress, *bytes.Buffer) {
	var out bytes.Buffer
	a := &app{stderr: &out, logFormat: "text", quiet: quiet}
	level := slog.LevelInfo
	if quiet {
		level = slog.LevelWarn
	}
	a.log = slog.New(newTextHandler(&out, level))
	return &progress{app: a}, &out
}

// Without a terminal there is a line every 5 s.
func TestProgressLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, out := newProgress(false)
		p.start(2, 100e6)
		time.Sleep(4900 * time.Millisecond)
		p.add(20e6)
		p.add(5e6)
		time.Sleep(200 * time.Millisecond) // 5.1 s
		p.add(50e6)
		time.Sleep(5 * time.Second)
		// Sources that changed are looked at again, from the beginning.
		p.start(3, 3e12)
		time.Sleep(5100 * time.Millisecond)
		p.add(1.5e12)
		time.Sleep(5 * time.Second)
		p.add(1.5e12)
		p.stop(true)
		time.Sleep(time.Minute) // nothing more
		want := `vzip: CRC-32: 25 MB of 100 MB (25 %), 5.0 MB/s, 15s left
vzip: CRC-32: 75 MB of 100 MB (75 %), 7.5 MB/s, 3s left
vzip: CRC-32: 0 B of 3.0 TB (0 %), 0 B/s, unknown left
vzip: CRC-32: 1.5 TB of 3.0 TB (50 %), 150 GB/s, 10s left
vzip: worked out the CRC-32 of 3 files, 3.0 TB in 10.1s (297 GB/s)
`
		if got := out.String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// While archives are shown a service manager is told all the time, a daemon's log now
// and then, and at the end what was told first stands alone.
func TestProgressMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, out := newProgress(false)
		var told []string
		p.background, p.status = true, func(s string) { told = append(told, s) }
		p.start(2, 100e6)
		p.tell("1 archives at /mnt")
		for end := 4 * time.Second; end < time.Minute; end += 5 * time.Second {
			time.Sleep(end - time.Since(p.begin))
			p.add(5e6)
		}
		time.Sleep(2 * time.Second) // 61 s
		p.stop(true)
		p.stop(false)
		want := "vzip: CRC-32: 60 MB of 100 MB (60 %), 1.0 MB/s, 40s left\nvzip: worked out the CRC-32 of 2 files, 100 MB in 1m1s (1.6 MB/s)\n"
		if got := out.String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if len(told) != 14 || told[3] != "1 archives at /mnt; CRC-32: 15 MB of 100 MB (15 %), 1.0 MB/s, 1m25s left" || told[13] != "1 archives at /mnt" {
			t.Errorf("status was %q", told)
		}
	})
}

func TestProgressQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, out := newProgress(true)
		p.start(2, 100)
		time.Sleep(time.Minute)
		p.add(100)
		p.stop(true)
		if out.Len() > 0 {
			t.Errorf("got %q, want nothing", out)
		}
	})
}

func TestProgressEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(p *progress)
		want string
	}{
		{"nothing to do", func(p *progress) { p.stop(true) }, "vzip: no file had to be read\n"},
		{"empty files alone", func(p *progress) { p.start(2, 0); p.stop(true) }, "vzip: worked out the CRC-32 of 2 files, 0 B in 0s (0 B/s)\n"},
		{"failure", func(p *progress) { p.start(2, 5); p.add(5); p.stop(false) }, ""},
		{"failure at once", func(p *progress) { p.stop(false) }, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, out := newProgress(false)
			tt.do(p)
			if got := out.String(); got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
		})
	}
}

// Messages of several lines have the prefix on each, to be told from others'.
func TestTextHandler(t *testing.T) {
	var out strings.Builder
	log := slog.New(newTextHandler(&out, slog.LevelInfo))
	log.Debug("not shown")
	log.Info("one")
	log.Warn("two\nlines")
	log.Error("three", "key", "value")
	log.With("always", 1).Info("four", "n", 4)
	want := "vzip: one\nvzip: warning: two\nvzip: warning: lines\nvzip: three key=value\nvzip: four always=1 n=4\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"vzip/vfs"
)

// A range that is accepted lies in the file, whatever the file's size.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"", "0-0", "5-", "-5", "-0", "9-3", "-", "a-b", "0-9223372036854775807", "-9223372036854775807", "+1-2", "1--2", "1-2-3", "99999999999999999999-"} {
		f.Add(s, int64(0))
		f.Add(s, int64(1))
		f.Add(s, int64(1<<62))
	}
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if size < 0 {
			return
		}
		r, err := parseRange(s)
		if err != nil {
			if exitCode(err) != exitUsage {
				t.Errorf("%q: got exit code %d, want %d", s, exitCode(err), exitUsage)
			}
			return
		}
		off, n, err := r.in(size)
		if err == nil && (off < 0 || n < 0 || off > size-n) {
			t.Errorf("%q of %d bytes: got %d bytes at %d", s, size, n, off)
		}
		if s == "" && (off != 0 || n != size) {
			t.Errorf("no range of %d bytes: got %d bytes at %d", size, n, off)
		}
	})
}

// Options that are joined with backslashes before commas and backslashes come out
// as they were, and no option makes setOption panic.
func FuzzOptions(f *testing.F) {
	for _, s := range []string{"", "ro", "allow_other,fsname=a\\,b", "a\\\\,b", "\\", ",,", "cache=", "jobs=x", "x-systemd.automount", "fsname=,noexec"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		options := splitOptions(s)
		var escaped []string
		for _, o := range options {
			escaped = append(escaped, strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(o))
		}
		if again := splitOptions(strings.Join(escaped, ",")); !slices.Equal(again, options) {
			t.Errorf("%q: got %q, then %q", s, options, again)
		}
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		(&readFlags{}).add(flags)
		var o vfs.Options
		for _, option := range options {
			if err := setOption(&o, flags, option); err != nil && exitCode(err) != exitUsage {
				t.Errorf("%q: got exit code %d, want %d", option, exitCode(err), exitUsage)
			}
		}
	})
}

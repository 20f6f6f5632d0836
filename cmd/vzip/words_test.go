package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"vzip/internal/generation"
	"vzip/internal/source"
	"vzip/layout"
)

func TestSplitOptions(t *testing.T) {
	for in, want := range map[string][]string{
		"":                   {""},
		"ro":                 {"ro"},
		"ro,noexec":          {"ro", "noexec"},
		"ro,,x":              {"ro", "", "x"},
		`cache=a\,b,ro`:      {"cache=a,b", "ro"},
		`cache=a\\,ro`:       {`cache=a\`, "ro"},
		`fsname=a\=b\`:       {`fsname=a=b\`},
		`log_file=/a b/c\ d`: {"log_file=/a b/c d"},
	} {
		if got := splitOptions(in); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestHelperArgs(t *testing.T) {
	for in, want := range map[string]string{
		// As people call it.
		"vzip":                              "",
		"vzip mount l.yaml /m -o ro":        "mount l.yaml /m -o ro",
		"vzip list l.yaml -o":               "list l.yaml -o",
		"/usr/bin/vzip umount /m":           "umount /m",
		"vzip l.yaml /m":                    "l.yaml /m",
		"vzip --daemon l.yaml -o":           "--daemon l.yaml -o",
		"vzip exec l.yaml -- mount -o -t x": "exec l.yaml -- mount -o -t x",
		// As mount.fuse(8) does.
		"vzip l.yaml /m -o rw":         "mount --daemon l.yaml /m -o rw",
		"./vzip l.yaml /m -o rw -o ro": "mount --daemon l.yaml /m -o rw -o ro",
		// As mount(8) does.
		"/sbin/mount.vzip l.yaml /m":                                "mount --daemon l.yaml /m",
		"/sbin/mount.vzip l.yaml /m -o rw,noexec":                   "mount --daemon l.yaml /m -o rw,noexec",
		"mount.fuse.vzip l.yaml /m -s -n -v -o rw":                  "mount --daemon l.yaml /m -o rw",
		"mount.vzip l.yaml /m -snv -o rw -t fuse.vzip -N /proc/1/x": "mount --daemon l.yaml /m -o rw",
	} {
		a := &app{}
		got, err := helperArgs(a.rootCommand(), strings.Fields(in))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: got %q and error %v, want %q", in, got, err, want)
		}
	}
	_, err := helperArgs((&app{}).rootCommand(), strings.Fields("mount.vzip l.yaml /m -f"))
	if exitCode(err) != exitUsage {
		t.Errorf("-f: got error %v", err)
	}
}

func TestRange(t *testing.T) {
	const size = 1000
	for in, want := range map[string][2]int64{ // offset and length
		"":                                 {0, 1000},
		"0-":                               {0, 1000},
		"0-0":                              {0, 1},
		"0-999":                            {0, 1000},
		"0-1000":                           {0, 1000},
		"10-19":                            {10, 10},
		"999-":                             {999, 1},
		"-1":                               {999, 1},
		"-1000":                            {0, 1000},
		"-2000":                            {0, 1000},
		"-0":                               {1000, 0},
		fmt.Sprintf("5-%d", math.MaxInt64): {5, 995},
		fmt.Sprintf("-%d", math.MaxInt64):  {0, 1000},
	} {
		r, err := parseRange(in)
		off, n, inErr := r.in(size)
		if err != nil || inErr != nil || off != want[0] || n != want[1] {
			t.Errorf("%q: got %d bytes at %d and errors %v, %v, want %d at %d", in, n, off, err, inErr, want[1], want[0])
		}
	}
	for _, in := range []string{"1000-", "1000-2000", fmt.Sprintf("%d-", math.MaxInt64)} {
		r, err := parseRange(in)
		if _, _, inErr := r.in(size); err != nil || exitCode(inErr) != exitUsage {
			t.Errorf("%q: got errors %v, %v", in, err, inErr)
		}
	}
	for _, in := range []string{"-", "5", "--5", "5--6", "6-5", "a-", "-a", "1-b", "+1-2", "1-+2", " 1-2", "1-2 ", "1_0-20", "0x1-2", "1.0-2", "0-1,3-4", "bytes=0-1", "9223372036854775808-", "-9223372036854775808"} {
		if r, err := parseRange(in); exitCode(err) != exitUsage {
			t.Errorf("%q: got %+v and error %v", in, r, err)
		}
	}
	// An empty archive does not exist, but a size of 0 must not hurt.
	if off, n, err := (httpRange{last: -1}).in(0); off != 0 || n != 0 || err != nil {
		t.Errorf("all of nothing: got %d bytes at %d and error %v", n, off, err)
	}
}

func TestExitCode(t *testing.T) {
	changed := &source.ChangedError{Path: "/f", What: "it shrank"}
	inLayout := &layout.Problems{List: []layout.Problem{{What: "x", Source: true}, {What: "y"}}}
	onDisk := &layout.Problems{List: []layout.Problem{{What: "x", Source: true}}}
	for i, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("x"), 1},
		{usageError("x"), 2},
		{fmt.Errorf("x: %w", usageError("y")), 2},
		{inLayout, 3},
		{onDisk, 4},
		{fmt.Errorf("x: %w", onDisk), 4},
		{generation.SourceErrors{errors.New("x")}, 4},
		{&generation.SourceError{Err: changed}, 4},
		{fmt.Errorf("a.zip: %w", &generation.SourceError{Err: errors.New("x")}), 4},
		{mountError(errors.New("x")), 5},
		{mountError(changed), 5},
		{&exitError{code: 77}, 77},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%d (%v): got %d, want %d", i, tt.err, got, tt.want)
		}
	}
}

package main

import (
	"runtime/debug"
	"testing"
)

func TestVersionOf(t *testing.T) {
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	dirty := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	info := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Path: "vzip", Version: version}, Settings: settings}
	}
	for _, tt := range []struct {
		set  string
		info *debug.BuildInfo
		want string
	}{
		{"1.2.0", info("v1.1.0", commit), "1.2.0"},
		{"", info("v1.1.0", commit), "v1.1.0"},
		{"", info("v1.1.1-0.20260131120000-0123456789ab+dirty", commit), "v1.1.1-0.20260131120000-0123456789ab+dirty"},
		{"", info("(devel)", commit), "devel-0123456789ab"},
		{"", info("(devel)", commit, dirty), "devel-0123456789ab+dirty"},
		{"", info("", commit), "devel-0123456789ab"},
		{"", info("(devel)"), "devel"},
		{"", nil, "devel"},
	} {
		if got := versionOf(tt.set, tt.info); got != tt.want {
			t.Errorf("%q, %v: got %q, want %q", tt.set, tt.info, got, tt.want)
		}
	}
}

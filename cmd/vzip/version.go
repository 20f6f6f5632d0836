package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = ""

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.stdout, versionText())
			return err
		},
	}
}

func versionText() string {
	info, _ := debug.ReadBuildInfo()
	return fmt.Sprintf("vzip %s (%s %s/%s)", versionOf(version, info), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// versionOf is what the build was told; else the module's version, which the go
// command takes from the tags of a checkout; else the commit; else "devel".
func versionOf(set string, info *debug.BuildInfo) string {
	switch {
	case set != "":
		return set
	case info == nil:
		return "devel"
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	revision := setting(info, "vcs.revision")
	if revision == "" {
		return "devel"
	}
	v := "devel-" + revision[:min(12, len(revision))]
	if setting(info, "vcs.modified") == "true" {
		v += "+dirty"
	}
	return v
}

// commitTime is when the commit was made that the program was built of, where the
// build knows it.
func commitTime() (time.Time, bool) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, setting(info, "vcs.time"))
	return t, err == nil
}

// setting is a value of the build, "" where it is not known.
func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return strings.TrimSpace(s.Value)
		}
	}
	return ""
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"vzip/internal/require"
	"vzip/vfs"
)

// TestScript runs the scripts of testdata/script: the real program, real mounts,
// and the programs that people read archives with. The commands that scripts
// have beside testscript's own are in commands_test.go.
func TestScript(t *testing.T) {
	t.Parallel()
	deadline := time.Now().Add(15 * time.Minute)
	if d, ok := t.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		Deadline:           deadline,
		Setup:              setUpScript,
		Cmds:               scriptCommands,
		RequireUniqueNames: true,
	})
}

// scriptLimit is how long a script may take. testscript's own deadline ends a
// command, but goes on waiting for what that has started.
const scriptLimit = 3 * time.Minute

// setUpScript gives a script folders of its own, and looks at its end for what
// it left behind.
func setUpScript(env *testscript.Env) error {
	for name, value := range map[string]string{
		"HOME":           filepath.Join(env.WorkDir, "home"),
		"XDG_CACHE_HOME": filepath.Join(env.WorkDir, "cache"),
		"LC_ALL":         "C.UTF-8",
		"TZ":             "UTC",
		"RACE_DETECTOR":  strconv.FormatBool(require.RaceDetector),
		"VZIP_TEST":      env.WorkDir, // tells the script's processes from others
	} {
		env.Setenv(name, value)
	}
	if err := os.Mkdir(env.Getenv("HOME"), 0o755); err != nil {
		return err
	}
	// Scripts may become another user.
	vzip, err := exec.LookPath("vzip")
	if err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(env.WorkDir), filepath.Dir(vzip), filepath.Dir(filepath.Dir(vzip))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	t := env.T().(testing.TB)
	env.Values[theTest] = t
	watchdog := time.AfterFunc(scriptLimit, func() { takeAway(env.WorkDir) })
	env.Defer(func() {
		watchdog.Stop()
		cleanUp(t, env.WorkDir)
	})
	return nil
}

// cleanUp takes away what a script left behind, and fails the test if there is
// something.
func cleanUp(t testing.TB, work string) {
	var left []string
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left = mountsBelow(work)
		for _, p := range processesOf(work) {
			left = append(left, fmt.Sprintf("process %d (%s)", p.pid, p.command))
		}
		if len(left) == 0 {
			return
		}
		if t.Failed() || time.Now().After(end) {
			break
		}
	}
	if !t.Failed() {
		t.Errorf("left behind: %q", left)
	}
	takeAway(work)
}

// takeAway unmounts and kills all that a script has started.
func takeAway(work string) {
	for _, dir := range mountsBelow(work) {
		_ = vfs.Unmount(dir, true)
	}
	for _, p := range processesOf(work) {
		_ = unix.Kill(p.pid, unix.SIGKILL)
	}
}

// processesOf returns the processes that a script has started, directly or not.
func processesOf(work string) []process {
	return slices.DeleteFunc(processes(), func(p process) bool {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
		return err != nil || !slices.ContainsFunc(bytes.Split(env, []byte{0}), func(v []byte) bool {
			return string(v) == "VZIP_TEST="+work
		})
	})
}

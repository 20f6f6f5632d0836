package main

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"vzip/internal/faultfs"
	"vzip/internal/require"
	"vzip/internal/rig"
	"vzip/vfs"
)

type valueKey int

// theTest is the key of a script's testing.TB.
const theTest valueKey = 0

// scriptCommands are what scripts can do beside testscript's own commands.
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"require":  scriptRequire,
	"tree":     scriptTree,
	"sametree": scriptSameTree,
	"mount":    scriptMount,
	"exitcode": scriptExitCode,
	"waitfor":  scriptWaitFor,
	"pid":      scriptPid,
	"signal":   scriptSignal,
	"ended":    scriptEnded,
	"faulty":   scriptFaulty,
	"fault":    scriptFault,
}

// usage fails a script whose command has too few or too many arguments.
func usage(ts *testscript.TestScript, neg bool, args []string, least, most int, text string) {
	if neg || len(args) < least || len(args) > most {
		ts.Fatalf("usage: %s", text)
	}
}

const many = 100

// require NEED... skips the script where a need is not met: see require.Needs.
func scriptRequire(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, many, "require NEED...")
	require.Needs(ts.Value(theTest).(testing.TB), args...)
}

// tree DIR makes a folder with files of all sorts, always the same ones.
func scriptTree(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, 1, "tree DIR")
	dir := ts.MkAbs(args[0])
	content := rand.NewChaCha8([32]byte{1})
	for i, f := range []struct {
		name string
		mode os.FileMode // with fs.ModeDir for a folder
		size int
		link string
	}{
		{name: "hollow", mode: 0o750 | fs.ModeDir},
		{name: "dir/sub/deep", mode: 0o755 | fs.ModeDir},
		{name: "empty", mode: 0o644},
		{name: "one", mode: 0o600, size: 1},
		{name: "block", mode: 0o644, size: 4096},
		{name: "dir/run.sh", mode: 0o755, size: 100},
		{name: "dir/sub/deep/odd", mode: 0o640, size: 128<<10 + 1},
		{name: "dir/large", mode: 0o444, size: 3<<20 + 17},
		{name: "gr\u00fc\u00dfe.txt", mode: 0o644, size: 11},
		{name: "link", link: "dir/run.sh"},
		{name: "dir/dangling", link: "no/such/file"},
	} {
		p := filepath.Join(dir, f.name)
		ts.Check(os.MkdirAll(filepath.Dir(p), 0o755))
		switch {
		case f.link != "":
			ts.Check(os.Symlink(f.link, p))
		case f.mode.IsDir():
			ts.Check(os.MkdirAll(p, f.mode))
		default:
			data := make([]byte, f.size)
			content.Read(data)
			ts.Check(os.WriteFile(p, data, f.mode))
		}
		if f.link == "" {
			ts.Check(os.Chmod(p, f.mode.Perm()))
		}
		times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: 1614834367 + int64(i), Nsec: 987654321}}
		ts.Check(unix.UtimesNanoAt(unix.AT_FDCWD, p, times, unix.AT_SYMLINK_NOFOLLOW))
	}
	// Folders last: their times change with their content.
	for i, name := range []string{"dir/sub/deep", "dir/sub", "dir", "hollow", ""} {
		ts.Check(os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Unix(1500000001+2*int64(i), 0)))
	}
}

// sametree A B fails unless two folders hold the same: names, types, content,
// permissions, times to the second, targets of links.
func scriptSameTree(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, 2, "sametree A B")
	a, b := describe(ts, ts.MkAbs(args[0])), describe(ts, ts.MkAbs(args[1]))
	for _, line := range a {
		if !slices.Contains(b, line) {
			ts.Logf("only in %s: %s", args[0], line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			ts.Logf("only in %s: %s", args[1], line)
		}
	}
	if !slices.Equal(a, b) {
		ts.Fatalf("%s and %s are not the same", args[0], args[1])
	}
	if len(a) < 2 {
		ts.Fatalf("%s and %s are empty", args[0], args[1])
	}
}

// describe returns a line for everything in a folder.
func describe(ts *testscript.TestScript, dir string) (lines []string) {
	ts.Check(filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		line := fmt.Sprintf("%s %v", rel, fi.Mode())
		switch {
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " -> " + target // few programs set a link's own time
		case fi.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d bytes, CRC-32 %08x, %d", len(data), crc32.ChecksumIEEE(data), fi.ModTime().Unix())
		default:
			line += fmt.Sprintf(" %d", fi.ModTime().Unix())
		}
		lines = append(lines, line)
		return nil
	}))
	return lines
}

// mount [FLAG...] LAYOUT DIR makes DIR, mounts there with vzip mount --daemon and
// the log file DIR.log, and unmounts when the script ends.
func scriptMount(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, many, "mount [FLAG...] LAYOUT DIR")
	dir := args[len(args)-1]
	ts.Check(os.MkdirAll(ts.MkAbs(dir), 0o755))
	ts.Check(ts.Exec("vzip", slices.Concat([]string{"mount", "--daemon", "--log-file", dir + ".log"}, args)...))
	t, abs := ts.Value(theTest).(testing.TB), ts.MkAbs(dir)
	ts.Defer(func() {
		if mounted, err := vfs.IsMounted(abs); err != nil || mounted {
			if err = errors.Join(err, rig.Idle(func() error { return vfs.Unmount(abs, false) })); err != nil && !t.Failed() {
				t.Errorf("unmounting %s: %v", dir, err)
			}
		}
	})
}

// exitcode N CMD... runs a program that must end with exit code N.
func scriptExitCode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, many, "exitcode N CMD...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("got exit code %d, want %d", got, want)
	}
}

// [!] waitfor CMD... runs a program again and again until it succeeds, or fails.
func scriptWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, false, args, 1, many, "[!] waitfor CMD...")
	wait(ts, strings.Join(args, " "), func() bool {
		return (ts.Exec(args[0], args[1:]...) == nil) != neg
	})
}

func wait(ts *testscript.TestScript, what string, done func() bool) {
	for end := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited in vain: %s", what)
		}
	}
}

// running returns the script's processes of a command.
func running(ts *testscript.TestScript, command string) []process {
	return slices.DeleteFunc(processesOf(ts.Getenv("WORK")), func(p process) bool { return p.command != command })
}

// pid VAR COMMAND waits until one process of the script runs COMMAND, and puts
// its number into an environment variable.
func scriptPid(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, 2, "pid VAR COMMAND")
	wait(ts, "one process "+args[1], func() bool {
		list := running(ts, args[1])
		if len(list) == 1 {
			ts.Setenv(args[0], strconv.Itoa(list[0].pid))
		}
		return len(list) == 1
	})
}

// signal NAME COMMAND sends a signal to the one process of the script that runs
// COMMAND.
func scriptSignal(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, 2, "signal NAME COMMAND")
	number := unix.SignalNum("SIG" + args[0])
	list := running(ts, args[1])
	if number == 0 || len(list) != 1 {
		ts.Fatalf("signal %d to %v, want one process %s", number, list, args[1])
	}
	ts.Check(unix.Kill(list[0].pid, number))
}

// ended COMMAND waits until no process of the script runs COMMAND.
func scriptEnded(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 1, 1, "ended COMMAND")
	wait(ts, args[0]+" to end", func() bool { return len(running(ts, args[0])) == 0 })
}

// faulty DIR MNT makes MNT, and shows DIR there through a file system that can have
// faults, until the script ends.
func scriptFaulty(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, 2, "faulty DIR MNT")
	mnt := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(mnt, 0o755))
	self, err := os.Executable()
	ts.Check(err)
	m, err := faultfs.Start([]string{self}, ts.MkAbs(args[0]), mnt, 0)
	ts.Check(err)
	ts.Setenv(faultVariable(mnt), m.Socket)
	t := ts.Value(theTest).(testing.TB)
	ts.Defer(func() {
		if err := m.Close(); err != nil && !t.Failed() {
			t.Error(err)
		}
	})
}

// faultVariable names the environment variable with the socket of a faulty mount.
func faultVariable(mnt string) string { return "FAULTY_" + filepath.Base(mnt) }

// fault MNT hang|deaf|eio|none makes reads of files hang, until they are interrupted,
// or even then, or fail, or ends that.
func scriptFault(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, args, 2, 2, "fault MNT hang|deaf|eio|none")
	c := faultfs.Client{Socket: ts.Getenv(faultVariable(args[0]))}
	switch args[1] {
	case "hang", "deaf":
		_, err := c.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Read}, Hang: true, Deaf: args[1] == "deaf"})
		ts.Check(err)
	case "eio":
		_, err := c.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Read}, Errno: unix.EIO})
		ts.Check(err)
	case "none":
		ts.Check(c.Clear())
	default:
		ts.Fatalf("fault %q is not known", args[1])
	}
}

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"vzip/internal/rig"
)

// TestMain makes this test binary the programs that the scripts run, so that
// they are watched by the race detector as well.
func TestMain(m *testing.M) {
	testscript.Main(clean{m}, map[string]func(){"vzip": main, "mount.vzip": main, "apart": apart})
}

// apart CMD [ARG...] runs CMD without the mounts of other scripts. It is for new
// mount namespaces: a daemon lives as long as there is a copy of its mount.
func apart() {
	err := rig.LetGo(os.Getenv("VZIP_TEST"))
	path, notFound := exec.LookPath(os.Args[1])
	if err = errors.Join(err, notFound); err == nil {
		err = unix.Exec(path, os.Args[1:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, "apart:", err)
	os.Exit(1)
}

// patience is how long a test waits for what should happen at once.
const patience = 20 * time.Second

// clean runs tests and fails if they leave something behind.
type clean struct{ *testing.M }

func (c clean) Run() int {
	unix.Umask(0o022)
	// Whoever runs the tests in the background may have these signals ignored, and
	// children would inherit that; what is caught they don't.
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	// Daemons become children of this process when their parents end, and can be
	// found and waited for.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "prctl:", err)
		return 1
	}
	// A folder of its own tells this run's mounts from others'. Scripts may become
	// other users, who need to get there.
	dir, err := os.MkdirTemp("", "vzip-test-")
	races := filepath.Join(dir, "races")
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(races, 0o777), os.Chmod(races, 0o777))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Setenv("TMPDIR", dir)
	// Programs in the background can't show what the race detector says.
	os.Setenv("GORACE", "atexit_sleep_ms=1 log_path="+filepath.Join(races, "race"))

	code := c.M.Run()
	for _, left := range slices.Concat(racesIn(races), childrenLeft(), mountsBelow(dir)) {
		fmt.Fprintln(os.Stderr, "left behind:", left)
		code = max(code, 1)
	}
	return code
}

// racesIn returns the race detector's reports.
func racesIn(dir string) (reports []string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		reports = append(reports, fmt.Sprintf("a data race: %s %v", text, errors.Join(err)))
	}
	return reports
}

// childrenLeft waits for this process's children to end, and returns those that
// don't.
func childrenLeft() (left []string) {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left = nil
		for _, p := range processes() {
			if p.parent != os.Getpid() {
				continue
			}
			if got, err := unix.Wait4(p.pid, nil, unix.WNOHANG, nil); got == 0 && err == nil {
				left = append(left, fmt.Sprintf("process %d (%s)", p.pid, p.command))
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

// mountsBelow returns what is mounted below a folder, by vzip or by a script, the
// newest mount first.
func mountsBelow(dir string) (points []string) {
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	if err != nil {
		return []string{err.Error()}
	}
	for _, m := range mounts {
		points = append(points, m.Mountpoint)
	}
	slices.Reverse(points)
	return points
}

// process is a running process.
type process struct {
	pid, parent int
	command     string
}

// processes returns all processes that have not ended.
func processes() (list []process) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue // it has just ended
		}
		// "pid (command) state parent ...", and a command may hold anything.
		pid, rest, _ := strings.Cut(string(stat), " (")
		i := strings.LastIndex(rest, ") ")
		fields := strings.Fields(rest[i+2:])
		p := process{command: rest[:i]}
		p.pid, _ = strconv.Atoi(pid)
		p.parent, _ = strconv.Atoi(fields[1])
		if fields[0] != "Z" || p.parent == os.Getpid() {
			list = append(list, p)
		}
	}
	return list
}

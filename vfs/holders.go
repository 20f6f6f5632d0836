package vfs

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Holders returns the processes that keep a mount busy, as "pid (command)":
// those with an open file, a mapped file or a working folder in it. Only
// processes that the user may look into are found.
func Holders(dir string) []string {
	var holders []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range procs {
		if holds(proc, dir) {
			command, _ := os.ReadFile(filepath.Join(proc, "comm"))
			holders = append(holders, fmt.Sprintf("%s (%s)", filepath.Base(proc), strings.TrimSpace(string(command))))
		}
	}
	return holders
}

func holds(proc, dir string) bool {
	inside := func(p string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
	links := []string{filepath.Join(proc, "cwd"), filepath.Join(proc, "root")}
	if fds, err := os.ReadDir(filepath.Join(proc, "fd")); err == nil {
		for _, fd := range fds {
			links = append(links, filepath.Join(proc, "fd", fd.Name()))
		}
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && inside(target) {
			return true
		}
	}
	maps, err := os.Open(filepath.Join(proc, "maps"))
	if err != nil {
		return false
	}
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		if i := strings.IndexByte(lines.Text(), '/'); i >= 0 && inside(lines.Text()[i:]) {
			return true
		}
	}
	return false
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mainParts of parts are what cannot be done without.
const mainParts = 3

// parts of the daemon's CPU time, by what stands in the call stack. The first that
// matches takes a sample.
var parts = []struct{ name, focus string }{
	{"copying to the kernel", `go-fuse.*(writev|Writev|[wW]rite)|(syscall|unix)\.[wW]ritev?$|vfs.*[wW]ritev?$`},
	{"reading the source", `[pP]read`},
	{"CRC-32", `crc32`},
	{"copying inside the daemon", `runtime\.memmove`},
	{"growing stacks", `runtime\.(newstack|copystack)`},
	{"waiting for and taking requests", `go-fuse.*readRequest|syscall\.[rR]ead$`},
	{"the garbage collector", `runtime\.gcBgMarkWorker|runtime\.bgsweep|runtime\.bgscavenge|runtime\.mallocgc`},
	{"Go's scheduler", `runtime\.(schedule|mcall|park_m|findRunnable|futex|mstart|sysmon|notesleep|gosched_m)`},
}

// profile shows where the daemon's time goes while an archive is read from end to
// end, and how much it allocates for a READ.
func profile(b *bench) error {
	d, err := b.makeHashed("profile", files{10, int64(b.scaled(100e6))})
	if err != nil {
		return err
	}
	m, err := b.mount(b.vzipPeer(vzipCRC).serve(d))
	if err != nil {
		return err
	}
	defer m.close()
	path := filepath.Join(m.dir, d.archive())
	if err := b.profileReads(m, path); err != nil {
		return err
	}
	return b.countAllocations(d, m, path)
}

// profileReads takes a profile while cat reads the archive again and again, each time
// from the daemon.
func (b *bench) profileReads(m *mount, path string) error {
	type answer struct {
		data []byte
		err  error
	}
	const seconds = 10
	done := make(chan answer, 1)
	go func() {
		data, err := m.ask(b.ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", seconds))
		done <- answer{data, err}
	}()
	for end := time.Now().Add((seconds + 1) * time.Second); time.Now().Before(end); {
		if err := b.do("cat", path); err != nil {
			return err
		}
		if err := forget(path); err != nil {
			return err
		}
	}
	got := <-done
	if got.err != nil {
		return got.err
	}
	file := b.path("cpu.pprof")
	if err := os.WriteFile(file, got.data, 0o644); err != nil {
		return err
	}
	return b.profileTable(file)
}

// profileTable prints the shares of the parts, and the top list.
func (b *bench) profileTable(file string) error {
	t := table{title: "Shares of the daemon's CPU time: `cat` of large files", header: []string{"", "%"}}
	ignore, rest := "", 100.0
	for _, p := range parts {
		args := []string{"-focus=" + p.focus}
		if ignore != "" {
			args = append(args, "-ignore="+ignore)
		}
		text, err := b.pprofTop(file, args...)
		if err != nil {
			return err
		}
		share := accounted(text)
		rest -= share
		ignore = strings.TrimPrefix(ignore+"|"+p.focus, "|")
		t.add(p.name, number(share))
		b.record("steady", vzipCRC, "share: "+p.name, share, "%")
	}
	t.add("the rest", number(rest))
	t.print(b.stdout)
	text, err := b.pprofTop(file, "-nodecount=25")
	if err != nil {
		return err
	}
	fmt.Fprintf(b.stdout, "\n```\n%s```\n", text)
	return nil
}

func (b *bench) pprofTop(file string, args ...string) (string, error) {
	var out bytes.Buffer
	words := append([]string{"go", "tool", "pprof", "-top"}, args...)
	// Go's own cache, or it builds pprof anew.
	own := []string{"XDG_CACHE_HOME=" + os.Getenv("XDG_CACHE_HOME")}
	_, err := b.run(command{words: append(words, file), out: &out, env: own})
	if err != nil && strings.Contains(err.Error(), "matches no samples") {
		return "", nil
	}
	return out.String(), err
}

// accountedFor is pprof's line of how much the nodes make up that are shown.
var accountedFor = regexp.MustCompile(`Showing nodes accounting for [^,]*, ([0-9.]+)% of`)

// accounted is the share of a focused profile, in percent.
func accounted(top string) float64 {
	m := accountedFor.FindStringSubmatch(top)
	if m == nil {
		return 0
	}
	share, _ := strconv.ParseFloat(m[1], 64) // the pattern allows nothing else
	return share
}

// countAllocations reads in requests of 1 MiB, and divides what the daemon allocates
// by their number.
func (b *bench) countAllocations(d *dataset, m *mount, path string) error {
	const loops = 3
	requests := 0.0
	s, err := m.during(b.ctx, func() (s sample, err error) {
		for range loops {
			requests += float64((d.size + mib - 1) / mib)
			if err := errors.Join(forget(path), b.do("dd", "if="+path, "of=/dev/null", "bs=1M", "status=none")); err != nil {
				return s, err
			}
		}
		return s, nil
	})
	if err != nil {
		return err
	}
	// What asking for the metrics costs by itself.
	idle, err := m.during(b.ctx, func() (s sample, err error) { return s, nil })
	if err != nil {
		return err
	}
	objects := max(0, s.extra[allocatedObjects]-idle.extra[allocatedObjects]) / requests
	size := max(0, s.extra[allocatedBytes]-idle.extra[allocatedBytes]) / requests
	b.record("steady", vzipCRC, "allocations per READ", objects, "")
	b.record("steady", vzipCRC, "allocated per READ", size, "B")
	b.note("The daemon allocates %s objects, %s bytes, for each MiB that dd reads.", number(objects), number(size))
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"vzip/internal/rig"
)

// section is a group of tables.
type section struct {
	name, title string
	run         func(*bench) error
	onDemand    bool // runs only when it is named
}

var sections []section // in the order of the document; set below, for they use each other's helpers

func init() {
	sections = []section{
		{name: "sequential", title: "Reading an archive from end to end", run: sequential},
		{name: "matrix", title: "Programs by modes of opening", run: matrix},
		{name: "random", title: "Random reads", run: random},
		{name: "checking", title: "What checking costs random reads", run: checking},
		{name: "hashing", title: "Working out CRC-32s", run: hashing},
		{name: "job", title: "From a tree to a ZIP elsewhere", run: job},
		{name: "write", title: "A real file of an archive", run: write},
		deflateSets[0].section(),
		deflateSets[1].section(),
		deflateSets[2].section(),
		{name: "levels", title: "Levels of compression", run: levels},
		{name: "start", title: "The first byte, and a copy of what nobody has read yet", run: start},
		{name: "http", title: "Over HTTP", run: overHTTP},
		{name: "profile", title: "What the daemon does", run: profile},
		{name: "growth", title: "A million entries", run: growth, onDemand: true},
	}
}

func onDemand() (list []section) {
	for _, s := range sections {
		if s.onDemand {
			list = append(list, s)
		}
	}
	return list
}

func names(list []section) string {
	var all []string
	for _, s := range list {
		all = append(all, s.name)
	}
	return strings.Join(all, ",")
}

// bench is one run.
type bench struct {
	options
	ctx     context.Context
	dir     string // scratch
	self    string // this program, for children
	section string // that runs
	mounts  []*mount
	places  []*rig.Place    // file systems of their own
	memory  string          // a folder in memory; "": none yet
	missing map[string]bool // candidates that were left out
	figures *figures
	stdout  io.Writer
	stderr  io.Writer
}

func (b *bench) path(elem ...string) string {
	return filepath.Join(append([]string{b.dir}, elem...)...)
}

// open makes the scratch folder.
func (b *bench) open() (err error) {
	if err := absolute(&b.vzip, &b.loopback, &b.versitygw, &b.options.dir); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("mounts are made and caches dropped: run this as root")
	}
	for _, program := range []string{b.vzip, b.loopback} {
		if _, err := os.Stat(program); err != nil {
			return fmt.Errorf("%w: make bench builds it", err)
		}
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	// Programs are the distribution's, also where others stand before them.
	if err := os.Setenv("PATH", "/usr/bin:/bin:/usr/sbin:/sbin:"+os.Getenv("PATH")); err != nil {
		return err
	}
	b.missing = map[string]bool{}
	b.dir, err = os.MkdirTemp(b.options.dir, "vzip-bench-")
	return err
}

// clean removes what a section left, so that the next one has the room.
func (b *bench) clean() error {
	var errs []error
	for _, m := range b.mounts {
		errs = append(errs, m.close())
	}
	b.mounts = nil
	for _, p := range b.places {
		errs = append(errs, p.Close())
	}
	b.places = nil
	if b.memory != "" {
		errs = append(errs, os.RemoveAll(b.memory))
		b.memory = ""
	}
	list, err := os.ReadDir(b.dir)
	errs = append(errs, err)
	for _, e := range list {
		errs = append(errs, os.RemoveAll(b.path(e.Name())))
	}
	return errors.Join(errs...)
}

func (b *bench) close() error {
	if err := b.clean(); err != nil {
		return fmt.Errorf("cleaning %s: %w", b.dir, err)
	}
	return os.Remove(b.dir)
}

// inMemory is a scratch folder on tmpfs.
func (b *bench) inMemory() (dir string, err error) {
	if b.memory == "" {
		b.memory, err = os.MkdirTemp("/dev/shm", "vzip-bench-")
	}
	return b.memory, err
}

// note prints a line below the tables.
func (b *bench) note(format string, args ...any) {
	fmt.Fprintf(b.stdout, "\n"+format+"\n", args...)
}

// leaveOut notes, once, that a candidate is missing.
func (b *bench) leaveOut(name string, why error) {
	if !b.missing[name] {
		b.missing[name] = true
		b.note("Left out: %s: %v.", name, why)
	}
}

// progress tells who waits what goes on.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.stderr, b.section+": "+format+"\n", args...)
}

// scaled is a count at the scale that was asked for, at least 1.
func (b *bench) scaled(n int) int { return max(1, int(float64(n)*b.scale)) }

// processor is the model of the CPU.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unknown processor"
}

// release is the kernel's version.
func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "of an unknown version"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// available is how much memory may be used, in bytes.
func available() int64 {
	text, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

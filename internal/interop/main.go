// Command interop reads archives of a real vzip mount with programs and libraries
// that nobody here wrote, and prints what each of them makes of each kind of
// archive, as a table.
//
// In scope: making source trees, mounting them, running readers, comparing what
// they tell with the trees, and where one fails, whether it fails on other
// programs' archives too. Out of scope: installing them (scripts/deps.sh interop)
// and building their adapters (adapters/Makefile).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.vzip, "vzip", "bin/vzip", "the program under test")
	flag.StringVar(&o.adapters, "adapters", "internal/interop/adapters", "folder of the adapters' sources")
	flag.StringVar(&o.out, "out", "bin/interop", "folder that the adapters were built into")
	flag.StringVar(&o.report, "report", "", "write the table to this Markdown file")
	readers := flag.String("readers", "", "only those that match this pattern")
	cases := flag.String("cases", "", "only those that match this pattern")
	flag.BoolVar(&o.light, "light", false, "without the cases that take minutes")
	flag.StringVar(&o.extracts, "extracts", "", "folder that readers extract to (default $TMPDIR); one in memory is quicker, with 9 GB for the largest")
	flag.StringVar(&o.resume, "resume", "", "file of readings: those of an earlier run with the same program are repeated only where they failed")
	flag.IntVar(&o.jobs, "jobs", 2, "readers that run at once")
	flag.Parse()
	var err error
	if o.readers, err = regexp.Compile(*readers); err == nil {
		o.cases, err = regexp.Compile(*cases)
	}
	if err == nil {
		err = run(ctx, o, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	vzip, adapters, out, report string
	extracts, resume            string
	readers, cases              *regexp.Regexp
	light                       bool
	jobs                        int
}

// allReaders are the table's rows.
var allReaders = slices.Concat(toolReaders, scriptReaders, javaReaders, monoReaders, nodeReaders, cReaders, goReaders)

// run makes the table. The error is that something failed. progress gets a line a
// reading.
func run(ctx context.Context, o options, stdout, progress io.Writer) (err error) {
	if os.Geteuid() != 0 {
		return fmt.Errorf("owners and modes are restored for root alone: run this as root")
	}
	defer unix.Umask(unix.Umask(0)) // some readers obey it
	dir, err := os.MkdirTemp("", "vzip-interop-")
	if err != nil {
		return err
	}
	defer removeAll(dir)
	extracts, err := os.MkdirTemp(o.extracts, "vzip-interop-")
	if err != nil {
		return err
	}
	defer removeAll(extracts)
	w := &workplace{dir: dir, extracts: extracts}
	for _, p := range []struct {
		to   *string
		from string
	}{{&w.vzip, o.vzip}, {&w.adapters, o.adapters}, {&w.out, o.out}} {
		if *p.to, err = filepath.Abs(p.from); err != nil {
			return err
		}
	}
	var cases []*prepared
	for _, c := range testCases {
		if !o.cases.MatchString(c.name) || c.heavy && o.light {
			continue
		}
		p, err := w.prepare(c)
		if err != nil {
			return fmt.Errorf("tree of %s: %w", c.name, err)
		}
		cases = append(cases, p)
	}
	mnt, unmount, err := w.mount(ctx, cases)
	if err != nil {
		return err
	}
	defer func() {
		if e := unmount(); err == nil && e != nil {
			err = fmt.Errorf("vzip umount: %w", e)
		}
	}()
	var readers []*reader
	for i := range allReaders {
		if o.readers.MatchString(allReaders[i].name) {
			readers = append(readers, &allReaders[i])
		}
	}
	t := newTable(w, readers, cases, mnt)
	if err := t.load(o.resume); err != nil {
		return err
	}
	t.fill(ctx, o.jobs, progress)
	if err := t.save(o.resume); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	t.print(stdout)
	if o.report != "" {
		if err := os.WriteFile(o.report, t.markdown(), 0o644); err != nil {
			return err
		}
	}
	if n := t.count(failed); n > 0 {
		return fmt.Errorf("%d of %d failed", n, len(readers)*len(cases))
	}
	return nil
}

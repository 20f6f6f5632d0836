// Command interop reads archives of a real vzip mount, and of vzip serve, with programs
// and libraries that nobody here wrote, and prints what each of them makes of each kind
// of archive, as a table.
//
// In scope: making source trees, mounting them, running readers, comparing what
// they tell with the trees, and where one fails, whether it fails on other
// programs' archives too. Out of scope: installing them (scripts/deps.sh interop)
// and building their adapters (adapters/Makefile).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
	flag.StringVar(&o.report, "report", "", "write the tables to this Markdown file; what it says of readers and cases that did not run stays")
	flag.StringVar(&o.only, "only", "", "mount or http: one of the tables alone; the report keeps the other")
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
	if err == nil && !slices.Contains([]string{"", "mount", "http"}, o.only) {
		err = fmt.Errorf("-only %q: use mount or http", o.only)
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
	extracts, resume, only      string
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
	w := &workplace{dir: dir, extracts: extracts, prepared: map[string]*prepared{}}
	for _, p := range []struct {
		to   *string
		from string
	}{{&w.vzip, o.vzip}, {&w.adapters, o.adapters}, {&w.out, o.out}} {
		if *p.to, err = filepath.Abs(p.from); err != nil {
			return err
		}
	}
	var t *table
	var web *webTable
	if o.only != "http" {
		t, err = runMount(ctx, o, w, stdout, progress)
	}
	if err == nil && o.only != "mount" {
		web, err = runHTTP(ctx, o, w, progress)
	}
	if err != nil {
		return err
	}
	if o.report != "" {
		if err := writeReport(o, t, web); err != nil {
			return err
		}
	}
	if t != nil && t.count(failed) > 0 {
		err = fmt.Errorf("%d of %d failed", t.count(failed), len(t.readers)*len(t.cases))
	}
	if web != nil && web.failed() > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d failed over HTTP", web.failed(), len(web.readers)*len(web.archives)))
	}
	return err
}

// runMount makes the table of what is read through a mount.
func runMount(ctx context.Context, o options, w *workplace, stdout, progress io.Writer) (t *table, err error) {
	cases, err := w.prepareAll(o, testCases)
	if err != nil {
		return nil, err
	}
	mnt, unmount, err := w.mount(ctx, cases)
	if err != nil {
		return nil, err
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
	t = newTable(w, readers, cases, mnt)
	if err := t.load(o.resume); err != nil {
		return nil, err
	}
	t.fill(ctx, o.jobs, progress)
	if err := t.save(o.resume); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	t.print(stdout)
	return t, nil
}

// writeReport writes the tables that were made, and keeps the one that -only left out.
func writeReport(o options, t *table, web *webTable) error {
	old, err := os.ReadFile(o.report)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	mount, http := string(old), ""
	if i := strings.Index(mount, httpHeading); i >= 0 {
		mount, http = mount[:i], mount[i:]
	}
	if t != nil {
		d := t.document()
		d.merge(parseDocument(mount))
		mount = d.String()
	}
	if web != nil {
		http = web.markdown()
	}
	return os.WriteFile(o.report, []byte(mount+http), 0o644)
}

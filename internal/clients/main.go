// Command clients lets the programs that people copy archives with read one of a
// real vzip mount while something goes wrong, and prints what each of them makes of
// it: the exit code, what is left at the target, what it says.
//
// The moment is certain: the archive's second entry comes from a file whose reads
// wait (see gate) until the thing has gone wrong. A program that ends well though
// its copy differs is a failure of the run, unless limits.go explains it.
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
	"syscall"
	"time"

	"vzip/internal/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := options{all: allClients, patience: 5 * time.Second, sizes: fullSizes}
	flag.StringVar(&o.vzip, "vzip", "bin/vzip", "the program under test")
	flag.StringVar(&o.versitygw, "versitygw", "bin/versitygw", "the S3 server")
	flag.StringVar(&o.report, "report", "", "write the table to this Markdown file")
	clients := flag.String("clients", "", "only those that match this pattern")
	scenarios := flag.String("scenarios", "", "only those that match this pattern")
	flag.Parse()
	var err error
	if o.clients, err = regexp.Compile(*clients); err == nil {
		o.scenarios, err = regexp.Compile(*scenarios)
	}
	if err == nil {
		err = run(ctx, o, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	vzip, versitygw, report string
	all                     []client // that there are
	clients, scenarios      *regexp.Regexp
	sizes                   [3]int        // of the archive's entries, in bytes
	patience                time.Duration // of HTTP servers with a client that sends nothing; more than a reload takes
}

// run fills the table and prints it. The error is that a cell failed, or that one
// could not be tried. progress gets a line a cell.
func run(ctx context.Context, o options, stdout, progress io.Writer) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("disks are mounted and their reads held up: run this as root")
	}
	t := &table{gateway: servers.S3Version(o.versitygw)}
	needed := map[server]bool{}
	for _, c := range o.all {
		if o.clients.MatchString(c.name) {
			t.clients = append(t.clients, c)
			needed[c.server] = true
		}
	}
	dir, err := os.MkdirTemp("", "vzip-clients-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir}
	if b.vzip, err = filepath.Abs(o.vzip); err != nil {
		return err
	}
	if err := b.makeSources(ctx, o.sizes); err != nil {
		return err
	}
	for _, s := range allScenarios {
		if o.scenarios.MatchString(s.name) {
			t.scenarios = append(t.scenarios, s)
		}
	}
	stop, err := b.startServers(ctx, needed, o)
	if err != nil {
		return err
	}
	defer stop()
	if err := t.fill(ctx, b, progress); err != nil {
		return err
	}
	t.print(stdout)
	if o.report != "" {
		if err := os.WriteFile(o.report, t.markdown(), 0o644); err != nil {
			return err
		}
	}
	if n := t.failures(); n > 0 {
		return fmt.Errorf("%d of %d failed", n, len(t.clients)*len(t.scenarios))
	}
	return nil
}

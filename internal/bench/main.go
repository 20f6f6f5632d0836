// Bench measures vzip beside other programs that do the same work, in one run and
// interleaved: machines differ and are noisy, so only ratios count. It prints tables
// in Markdown, and writes every figure as a line of JSON. With -check it compares
// the figures with what vzip aims at.
//
//	go run ./internal/bench -only sequential,random -scale 0.1
//	go run ./internal/bench -check -from bench.json
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
	"runtime"
	"strings"
	"syscall"

	"vzip/internal/rig"
)

func main() {
	if code, done := child(); done {
		os.Exit(code)
	}
	if code, done := rig.Private(); done {
		os.Exit(code)
	}
	// SIGPIPE as well: when nobody reads the tables any more, there is still something to remove.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	var o options
	only := flag.String("only", "", "sections to run, parted by commas, deflate for all that begin so: "+names(sections)+"; default all but "+names(onDemand()))
	flag.Float64Var(&o.scale, "scale", 1, "how large the data is, as a part of the full size")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds that count, after one to warm up")
	flag.StringVar(&o.figures, "out", "", "write the figures to this file, as lines of JSON")
	flag.StringVar(&o.from, "from", "", "with -check: take the figures from this file, and measure nothing")
	flag.BoolVar(&o.check, "check", false, "compare the figures with the aims, and fail if one is missed")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "folder for scratch data, up to 30 GB")
	flag.StringVar(&o.vzip, "vzip", "bin/vzip", "the program to measure")
	flag.StringVar(&o.loopback, "loopback", "bin/loopback", "go-fuse's example/loopback")
	flag.StringVar(&o.versitygw, "versitygw", "bin/versitygw", "an S3 server for the matrix of readers, if it is there")
	flag.Parse()
	var err error
	if o.only, err = choose(*only); err != nil || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bench:", errors.Join(err, errors.New("see -help")))
		os.Exit(2)
	}
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line's.
type options struct {
	only                      []section
	scale                     float64
	rounds                    int
	figures, from, dir        string
	vzip, loopback, versitygw string
	check                     bool
}

// run measures and checks what the options say. Tables go to stdout, progress to
// stderr.
func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	figures := &figures{}
	var err error
	if o.from != "" {
		err = figures.load(o.from)
	} else {
		err = measureAll(ctx, o, figures, stdout, stderr)
	}
	if err != nil && len(figures.list) == 0 {
		return err
	}
	if o.check {
		err = errors.Join(err, checkAims(figures, stdout))
	}
	return err
}

// measureAll runs the sections in a scratch folder that is gone afterwards. A
// section that fails does not keep the others from running.
func measureAll(ctx context.Context, o options, f *figures, stdout, stderr io.Writer) (err error) {
	if o.figures != "" {
		file, err := os.Create(o.figures)
		if err != nil {
			return err
		}
		defer file.Close()
		f.to = file
	}
	b := &bench{ctx: ctx, options: o, figures: f, stdout: stdout, stderr: stderr}
	if err := b.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	b.section = "run"
	b.record("options", "bench", "scale", o.scale, "")
	fmt.Fprintf(stdout, "%d cores, %s, Linux %s; medians of %d rounds, interleaved, after one to warm up; scale %g\n",
		runtime.NumCPU(), processor(), release(), o.rounds, o.scale)
	for _, s := range o.only {
		if ctx.Err() != nil {
			break
		}
		b.section = s.name
		fmt.Fprintf(stdout, "\n### %s\n", s.title)
		if e := s.run(b); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", s.name, e))
			fmt.Fprintf(stderr, "bench: %s: %v\n", s.name, e)
		}
		if e := b.clean(); e != nil {
			return errors.Join(err, e)
		}
	}
	return errors.Join(err, context.Cause(ctx))
}

// choose returns the sections of those names.
func choose(names string) (chosen []section, err error) {
	if names == "" {
		for _, s := range sections {
			if !s.onDemand {
				chosen = append(chosen, s)
			}
		}
		return chosen, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, s := range sections {
			if s.name == name || strings.HasPrefix(s.name, name+"-") {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no section %q", name)
		}
	}
	return chosen, nil
}

func absolute(paths ...*string) error {
	for _, p := range paths {
		full, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = full
	}
	return nil
}

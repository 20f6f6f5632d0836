// Soak has many programs read a mount for a long time, while its sources change and
// it is reloaded again and again, and counts: reads, errors, what vzip holds of
// memory, descriptors and threads. A wrong byte, a short read, an error without a
// cause, or a read that takes too long makes it fail.
//
//	go run ./internal/soak -time 30m
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"vzip/internal/rig"
)

func main() {
	var o options
	flag.DurationVar(&o.time, "time", 30*time.Minute, "how long")
	flag.DurationVar(&o.every, "every", time.Minute, "time between two reloads")
	flag.DurationVar(&o.report, "report", time.Minute, "time between two lines of counts")
	flag.DurationVar(&o.pause, "pause", 100*time.Millisecond, "mean time between two changes of a source")
	flag.IntVar(&o.clients, "clients", 16, "how many programs read at once")
	flag.Uint64Var(&o.seed, "seed", 1, "of all that is random")
	flag.StringVar(&o.place, "place", "", "make a file system of this kind for the sources: ext4, ext4-128, xfs, btrfs, tmpfs, overlay")
	flag.StringVar(&o.method, "method", "store", "of the archives: store, deflate, auto")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if code, done := rig.Private(); done {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	o.print = func(format string, args ...any) {
		fmt.Printf(time.Now().Format("15:04:05 ")+format+"\n", args...)
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// options say what a soak is like.
type options struct {
	time, every, report, pause time.Duration
	clients                    int
	seed                       uint64
	place, method              string
	print                      func(format string, args ...any)
}

// run soaks in a temporary folder.
func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "vzip-soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := rig.Build(ctx, dir)
	if err != nil {
		return err
	}
	sources := dir
	if o.place != "" {
		p, err := makePlace(ctx, o.place, dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		sources = p.Dir
	}
	w, err := newWorld(ctx, program, dir, sources, o)
	if err != nil {
		return err
	}
	return w.soak(ctx)
}

func makePlace(ctx context.Context, name, dir string) (*rig.Place, error) {
	for _, k := range rig.Kinds {
		if k.Name == name {
			return k.Make(ctx, dir)
		}
	}
	return nil, fmt.Errorf("there is no file system %q", name)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"vzip/internal/crccache"
	"vzip/internal/generation"
	"vzip/internal/verified"
	"vzip/layout"
)

// load reads a layout file, and finds its sources.
func (a *app) load(ctx context.Context, file string, timeout time.Duration) (*layout.Layout, error) {
	type result struct {
		l   *layout.Layout
		err error
	}
	r, err := inTime(ctx, timeout, func() result {
		l, err := layout.Load(file, os.LookupEnv)
		return result{l, err}
	})
	if err != nil {
		return nil, unanswered(file, err)
	}
	return r.l, r.err
}

// unanswered is the error of a layout one of whose sources hangs.
func unanswered(file string, err error) error {
	if errors.Is(err, context.Canceled) {
		return interrupted(err)
	}
	return &exitError{exitSource, fmt.Errorf("%s: a source in it, or the file itself, %w", file, err)}
}

// defaultTimeout is how long sources may take to answer where no flag says.
const defaultTimeout = 30 * time.Second

// hanging counts what inTime gave up on, each of which holds a thread.
var hanging atomic.Int32

const maxHanging = 8

// inTime runs f, which may hang as file systems do, and then goes on alone.
func inTime[T any](ctx context.Context, timeout time.Duration, f func() T) (none T, err error) {
	if hanging.Load() >= maxHanging {
		return none, errors.New("does not answer, as several times before")
	}
	done := make(chan T, 1)
	hanging.Add(1)
	go func() {
		defer hanging.Add(-1)
		done <- f()
	}()
	select {
	case r := <-done:
		return r, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-time.After(timeout):
		return none, fmt.Errorf("does not answer within %v: check the devices and servers that its sources are on", timeout)
	}
}

// findArchive checks that a layout has an archive of that name.
func findArchive(l *layout.Layout, name string) error {
	var names []string
	for _, archive := range l.Archives {
		if archive.Name == name {
			return nil
		}
		names = append(names, archive.Name)
	}
	return usageError("%s has no archive %q: it has %s", l.File, name, strings.Join(names, ", "))
}

// cachePath returns the folder of remembered CRCs, and whether the user asked for
// it; "" where there is none.
func (a *app) cachePath() (dir string, asked bool) {
	if a.noCache || a.cacheDir != "" {
		return a.cacheDir, true
	}
	base, err := os.UserCacheDir()
	if err != nil {
		a.log.Warn("CRCs are not remembered: neither $XDG_CACHE_HOME nor $HOME is set: set one, or use --cache DIR or --no-cache")
		return "", false
	}
	return filepath.Join(base, "vzip"), false
}

// openCache opens the folder of remembered CRCs, made if it is missing; nil where
// there is none. Only a folder that was asked for has to work.
func (a *app) openCache(l *layout.Layout, only string) (*crccache.Cache, error) {
	dir, asked := a.cachePath()
	if dir == "" {
		return nil, nil
	}
	// It changes with each run: archived it could never be read.
	real, err := realPath(dir)
	if err != nil {
		return nil, err
	}
	if archive, stored := l.Stores(filepath.Join(real, crccache.FileName), only); stored {
		return nil, usageError("archive %s would store %s, where CRC-32s are remembered: exclude that folder in the layout, or use --cache DIR or --no-cache", archive, real)
	}
	c, err := crccache.Open(dir)
	if err != nil && asked {
		return nil, err
	}
	if err != nil {
		a.log.Warn("CRCs are not remembered: " + err.Error())
		return nil, nil
	}
	return c, nil
}

// realPath returns an absolute path without links of what need not be there yet.
func realPath(p string) (string, error) {
	p, err := filepath.Abs(p)
	if err != nil {
		return "", err
	}
	rest := ""
	for {
		real, err := filepath.EvalSymlinks(p)
		if err == nil || p == "/" {
			return filepath.Join(real, rest), err
		}
		p, rest = filepath.Dir(p), filepath.Join(filepath.Base(p), rest)
	}
}

// building says what a command needs beside a layout.
type building struct {
	only         string                 // one archive
	mustRemember bool                   // CRCs
	reader       *verified.Reader       // nil: one of its own
	before       *generation.Generation // nil: none
	report       func(error)            // takes read errors later
	folder       func(string)           // is told each folder before it is listed
	newer        func() bool            // tells whether to wait for busy files no longer; nil: never
	progress     *progress              // shows it; nil: nothing does
	early        bool                   // leave CRCs that are not known for later
	how          builder                // nil: generation.Build, or Scan
}

// builder makes a generation.
type builder func(context.Context, *layout.Layout, generation.Options) (*generation.Generation, error)

// build makes a generation, with all CRCs unless it is early.
func (a *app) build(ctx context.Context, l *layout.Layout, b building) (*generation.Generation, error) {
	cache, err := a.openCache(l, b.only)
	if err != nil {
		return nil, err
	}
	if cache == nil && b.mustRemember {
		return nil, errors.New("there is no folder to remember CRC-32s in: use --cache DIR")
	}
	if b.reader == nil {
		b.reader = verified.NewReader(verified.Options{Timeout: defaultTimeout})
	}
	o := generation.Options{
		HashOptions:  generation.HashOptions{Workers: a.jobs, Cache: cache},
		Only:         b.only,
		MustRemember: b.mustRemember,
		Reader:       b.reader,
		Before:       b.before,
		Snapshots:    &a.snapshots,
		Folder:       b.folder,
		Newer:        b.newer,
		Warn:         a.warn,
		Report:       b.report,
	}
	p := b.progress
	if b.early && !l.Packs(b.only) {
		p = nil
	}
	if p != nil {
		o.Start, o.Progress = p.start, p.add
	}
	how := b.how
	switch {
	case how != nil:
	case b.early:
		how = generation.Scan
	default:
		how = generation.Build
	}
	begin := time.Now()
	defer buildFrugally()()
	// What hangs in a source must not keep a signal from ending the program.
	type result struct {
		g   *generation.Generation
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if v := recover(); v != nil { // a mount goes on with what it has
				a.log.Debug(string(debug.Stack()))
				r.err = fmt.Errorf("a defect in vzip made it fail: %v", v)
			}
			done <- r
		}()
		r.g, r.err = how(ctx, l, o)
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		select {
		case r = <-done:
		case <-time.After(time.Second):
			r.err = ctx.Err()
		}
	}
	if p != nil {
		p.stop(r.err == nil)
	}
	if r.g != nil && r.err == nil {
		a.tellBuilt(r.g, cache != nil, time.Since(begin))
	}
	return r.g, r.err
}

// tellBuilt tells those who want to know all what a generation has.
func (a *app) tellBuilt(g *generation.Generation, remembers bool, took time.Duration) {
	entries, bytes := 0, int64(0)
	for _, archive := range g.Archives {
		entries += archive.Len()
		bytes += archive.Size()
	}
	cache := "nowhere"
	if remembers {
		cache, _ = a.cachePath()
	}
	a.log.Debug(fmt.Sprintf("%d archives, %d entries, %d bytes, built in %v; CRC-32s are remembered in %s", len(g.Archives), entries, bytes, took.Round(time.Millisecond), cache))
}

// newReader returns a reader of sources as the flags ask for.
func (a *app) newReader(f *readFlags) *verified.Reader {
	return verified.NewReader(verified.Options{Timeout: f.timeout, StatOnly: f.verify == "stat", Deflated: f.deflated})
}

// minDeflated is the least of deflated data that is kept, in bytes: a sequential reader
// comes back to a block several times.
const minDeflated = 8 << 20

// readFlags are the flags of commands that hand out archives' bytes.
type readFlags struct {
	verify   string
	timeout  time.Duration
	cache    string // what deflated follows from
	deflated int64  // as in verified.Options
}

func (f *readFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.verify, "verify", "crc", "how bytes are checked before they are handed out: crc (each block), or stat (weaker: only that a source's size and times are what they were)")
	flags.StringVar(&f.cache, "deflate-cache", "64MiB", "how many bytes of deflated data are kept in memory, for readers who come back to it")
	flags.DurationVar(&f.timeout, "source-timeout", defaultTimeout, "how long a source may take to answer before readers get an error")
}

func (f *readFlags) check() error {
	switch {
	case f.verify != "crc" && f.verify != "stat":
		return usageError("--verify %q is not known: use crc or stat", f.verify)
	case f.timeout < 100*time.Millisecond:
		return usageError("--source-timeout %v makes no sense: use 100ms or more", f.timeout)
	}
	if f.cache == "" { // the command has no such flag
		return nil
	}
	var err error
	switch f.deflated, err = layout.ParseSize(f.cache); {
	case err != nil:
		return usageError("--deflate-cache %q %v", f.cache, err)
	case f.deflated < minDeflated:
		return usageError("--deflate-cache %q is too small: use 8MiB or more", f.cache)
	}
	return nil
}

// startFlags are the flags of commands that mount.
type startFlags struct{ ready string }

func (f *startFlags) add(flags *pflag.FlagSet, ready string) {
	flags.StringVar(&f.ready, "ready", ready, "when archives become visible: hashed (every CRC-32 is known), or scan (their sizes are; what is not hashed yet is hashed when it is read, all else in the background)")
}

func (f *startFlags) check() error {
	if f.ready != "hashed" && f.ready != "scan" {
		return usageError("--ready %q is not known: use hashed or scan", f.ready)
	}
	return nil
}

// early tells whether archives become visible before all CRCs are known.
func (f *startFlags) early() bool { return f.ready == "scan" }

// notify is signal.Notify, but for signals that the program was started with as
// ignored, by nohup or as a script's background job.
func notify(c chan<- os.Signal, signals ...os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
}

// untilSignal returns a context that ends at the first signal to stop. The
// second one ends the program, whatever it waits for.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
		signal.Stop(signals)
	}()
	return ctx, cancel
}

// interrupted turns the error of an ended context into words.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped by a signal; nothing is mounted")
	}
	return err
}

package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"vzip/internal/crccache"
	"vzip/internal/generation"
	"vzip/layout"
)

// load reads a layout file.
func (a *app) load(file string) (*layout.Layout, error) { return layout.Load(file, os.LookupEnv) }

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

// openCache opens the folder of remembered CRCs; nil where there is none. Only a
// folder that was asked for has to work.
func (a *app) openCache() (*crccache.Cache, error) {
	if a.noCache {
		return nil, nil
	}
	dir, asked := a.cacheDir, a.cacheDir != ""
	if !asked {
		base, err := os.UserCacheDir()
		if err != nil {
			a.log.Warn("CRCs are not remembered: neither $XDG_CACHE_HOME nor $HOME is set: set one, or use --cache DIR or --no-cache")
			return nil, nil
		}
		dir = filepath.Join(base, "vzip")
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

// options returns how generations are built.
func (a *app) options() (generation.Options, error) {
	cache, err := a.openCache()
	return generation.Options{
		HashOptions: generation.HashOptions{Workers: a.jobs, Cache: cache},
		Warn:        func(s string) { a.log.Warn(s) },
	}, err
}

// build makes a generation with all CRCs, of one archive if only is set.
// report takes read errors later.
func (a *app) build(ctx context.Context, l *layout.Layout, only string, report func(error)) (*generation.Generation, error) {
	o, err := a.options()
	if err != nil {
		return nil, err
	}
	o.Report = report
	p := &progress{app: a}
	o.Start, o.Progress = p.start, p.add
	g, err := generation.Build(ctx, l, only, o)
	p.stop(err == nil)
	return g, err
}

// untilSignal returns a context that ends at the first signal to stop.
func untilSignal() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}

// interrupted turns the error of an ended context into words.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped by a signal; nothing is mounted")
	}
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vzip/internal/generation"
	"vzip/internal/oneline"
	"vzip/internal/output"
	"vzip/layout"
)

// writeFlags are the flags of write.
type writeFlags struct {
	reflink, verify string
	timeout         time.Duration
}

func (f *writeFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.reflink, "reflink", "auto", "whether FILE shares blocks with the sources: auto (what can be shared), always (fail where a file's blocks can't be), or never")
	flags.StringVar(&f.verify, "verify", "stat", "how the result is checked before it gets its name: stat (that each source's size and times are what they were, after its data was taken), or crc (besides, all of FILE is read back, and each block compared)")
	flags.DurationVar(&f.timeout, "source-timeout", defaultTimeout, "how long a source may take to answer before it is an error")
}

func (f *writeFlags) check() error {
	switch output.Reflink(f.reflink) {
	case output.Auto, output.Always, output.Never:
	default:
		return usageError("--reflink %q is not known: use auto, always or never", f.reflink)
	}
	return (&readFlags{verify: f.verify, timeout: f.timeout}).check()
}

func (a *app) writeCommand() *cobra.Command {
	var f writeFlags
	cmd := &cobra.Command{
		Use:   "write LAYOUT ARCHIVE FILE",
		Short: "Make a real file of an archive",
		Long: "write makes a real file of an archive. Where the file system can share blocks (XFS,\n" +
			"btrfs, ...) and the layout aligns data (align), it takes next to no time and no\n" +
			"space; holes stay holes, all else is copied. FILE gets its name when all of it is\n" +
			"on the disk; one that is there already is replaced then.",
		Args:              exactArgs("LAYOUT", "ARCHIVE", "FILE"),
		ValidArgsFunction: completeWrite,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.write(args[0], args[1], args[2], &f)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

// completeWrite completes a layout, one of its archives, and a file.
func completeWrite(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 2 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return completeLayout(completeArchive)(cmd, args, typed)
}

func (a *app) write(file, name, path string, f *writeFlags) error {
	ctx, stop := untilSignal()
	defer stop()
	l, err := a.load(ctx, file, f.timeout)
	if err != nil {
		return err
	}
	if l.ArchiveOf(name) != name && l.ArchiveOf(name) != "" {
		return usageError("%s is no archive, but of one: write makes whole archives: use vzip cat, or cp from a mount", oneline.Quoted(name))
	}
	if err := findArchive(l, name); err != nil {
		return err
	}
	refused, err := inTime(ctx, f.timeout, func() error { return a.notOurs(l, path) })
	switch {
	case errors.Is(err, context.Canceled):
		return unfinished(err)
	case err != nil:
		return fmt.Errorf("%s: its file system %w", oneline.Quoted(path), err)
	case refused != nil:
		return refused
	}
	g, err := a.build(ctx, l, building{only: name, reader: a.newReader(&readFlags{verify: "crc", timeout: f.timeout}), progress: &progress{app: a}})
	if err != nil {
		return unfinished(err)
	}
	defer g.Close()
	begin := time.Now()
	p := &progress{app: a, doing: "writing"}
	r, err := a.writeInTime(ctx, l, g.Archives[0], path, f, p)
	p.stop(false)
	if err != nil {
		return unfinished(err)
	}
	if _, err = fmt.Fprintf(a.stdout, "%s: ok, %d bytes in %v: %d cloned, %d copied, %d in holes\n",
		oneline.Quoted(path), g.Archives[0].Size(), time.Since(begin).Round(time.Millisecond), r.Cloned, r.Copied, r.Holes); err != nil {
		return fmt.Errorf("%s is made, but nobody could be told: %w", oneline.Quoted(path), err)
	}
	return nil
}

// writeInTime does a job, but gives it up for sources that don't answer any more, and for
// signals, whatever it waits for.
func (a *app) writeInTime(ctx context.Context, l *layout.Layout, archive *generation.Archive, path string, f *writeFlags, p *progress) (output.Result, error) {
	job := output.New(archive, path, output.Options{
		Reflink: output.Reflink(f.reflink), Workers: a.jobs, ReadBack: f.verify == "crc",
		Start: func(bytes int64) { p.start(1, bytes) }, Progress: p.add,
	})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		r   output.Result
		err error
	}
	done := make(chan result, 1)
	go func() {
		r, err := job.Run(ctx)
		done <- result{r, err}
	}()
	stopped, end := l.Pulse.Stopped(f.timeout)
	defer end()
	var late error
	select {
	case r := <-done:
		return r.r, r.err
	case <-ctx.Done():
		late = ctx.Err()
	case <-stopped:
		late = &exitError{exitSource, fmt.Errorf("%s: no answer from a source within %v: check the devices and servers that its sources are on", archive.Name, f.timeout)}
	}
	cancel()
	if !job.Abandon() {
		r := <-done
		return r.r, r.err
	}
	select {
	case <-done:
	case <-time.After(time.Second): // it hangs in a source, or waits for the disk
	}
	return output.Result{}, late
}

// unfinished turns the error of an ended context into words.
func unfinished(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped by a signal; nothing was written")
	}
	return err
}

// notOurs checks that a file that is about to be made is no part of an archive, nor the
// layout, nor what vzip remembers.
func (a *app) notOurs(l *layout.Layout, path string) error {
	real, err := realPath(path)
	if err != nil {
		return err
	}
	if archive, stored := l.Stores(real, ""); stored {
		return usageError("%s: archive %s stores what is there: name a FILE outside of its sources, or exclude it", oneline.Quoted(path), archive)
	}
	if layout, err := filepath.EvalSymlinks(l.Path); err == nil && layout == real {
		return usageError("%s: that is the layout file: name another FILE", oneline.Quoted(path))
	}
	if dir, _ := a.cachePath(); dir != "" {
		if cache, err := realPath(dir); err == nil && filepath.Dir(real) == cache {
			return usageError("%s: CRC-32s are remembered in that folder: name another FILE", oneline.Quoted(path))
		}
	}
	return nil
}

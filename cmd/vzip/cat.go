package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"vzip/internal/generation"
	"vzip/layout"
)

func (a *app) catCommand() *cobra.Command {
	var byteRange string
	var f readFlags
	cmd := &cobra.Command{
		Use:               "cat LAYOUT ARCHIVE",
		Short:             "Write an archive's bytes to standard output",
		Args:              exactArgs("LAYOUT", "ARCHIVE"),
		ValidArgsFunction: completeLayout(completeArchive),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := parseRange(byteRange)
			if err != nil {
				return err
			}
			if err := f.check(); err != nil {
				return err
			}
			if isTerminal(a.stdout) {
				return usageError("cat does not write an archive to a terminal: redirect it to a file or a pipe")
			}
			return a.cat(args[0], args[1], r, &f)
		},
	}
	cmd.Flags().StringVar(&byteRange, "range", "", "only these bytes: FIRST-LAST (from 0, inclusive), FIRST- or -COUNT (the last ones)")
	f.add(cmd.Flags())
	return cmd
}

func (a *app) cat(file, name string, r httpRange, f *readFlags) error {
	ctx, stop := untilSignal()
	defer stop()
	l, err := a.load(ctx, file, f.timeout)
	if err != nil {
		return err
	}
	archive, err := findShown(l, name)
	if err != nil {
		return err
	}
	g, err := a.build(ctx, l, building{only: archive, reader: a.newReader(f), progress: &progress{app: a}})
	if err != nil {
		return interrupted(err)
	}
	defer g.Close()
	shown, err := shownAs(g, name)
	if err != nil {
		return err
	}
	off, n, err := r.in(shown.Size)
	if err != nil {
		return err
	}
	// From here on a signal ends the program at once, but not before clones are removed.
	cloned := a.snapshots.Any()
	if cloned {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	} else {
		stop()
		ctx = context.Background()
	}
	done := make(chan error, 1)
	go func() { done <- copyRange(ctx, a.stdout, shown, off, n) }()
	select {
	case err = <-done:
	case <-ctx.Done(): // whoever reads may be asleep
		err = ctx.Err()
	}
	switch {
	case errors.Is(err, syscall.EPIPE) && cloned: // as a shell tells of that signal
		return &exitError{code: exitSignal + int(syscall.SIGPIPE)}
	case errors.Is(err, context.Canceled):
		return errors.New("stopped by a signal")
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// findShown returns the archive that a file is shown of: the archive itself, a volume or a
// sidecar.
func findShown(l *layout.Layout, name string) (archive string, err error) {
	if archive = l.ArchiveOf(name); archive == "" {
		archive = name // which tells what there is
	}
	return archive, findArchive(l, archive)
}

// shownAs returns the file of a generation that has a name.
func shownAs(g *generation.Generation, name string) (*generation.File, error) {
	for _, f := range g.Files() {
		if f.Path == name {
			return f, nil
		}
	}
	archive := g.Archives[0]
	_, count := archive.Volumes()
	return nil, usageError("there is no %q: archive %s has %d volumes", name, archive.Name, count)
}

// copyRange writes n bytes of a file from offset off on.
func copyRange(ctx context.Context, w io.Writer, f *generation.File, off, n int64) error {
	h, err := f.Open(false)
	if err != nil {
		return err
	}
	defer h.Close()
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := h.Read(ctx, off, int(min(n, 1<<20)))
		if err != nil {
			return err
		}
		for _, p := range b.Slices() {
			if _, err = w.Write(p); err != nil {
				break
			}
			off, n = off+int64(len(p)), n-int64(len(p))
		}
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// httpRange is one byte range as HTTP writes it (RFC 9110, 14.1.2).
type httpRange struct {
	first, last int64 // last is -1 for the end
	suffix      bool  // the last first bytes
}

func parseRange(s string) (httpRange, error) {
	if s == "" {
		return httpRange{last: -1}, nil
	}
	wrong := usageError("--range %q is no range: use FIRST-LAST, FIRST- or -COUNT, in bytes from 0", s)
	from, to, ok := strings.Cut(s, "-")
	if !ok || from == "" && to == "" {
		return httpRange{}, wrong
	}
	r := httpRange{last: -1}
	number := func(s string) (n int64) {
		// ParseInt takes signs as well.
		v, err := strconv.ParseUint(s, 10, 63)
		if err != nil {
			ok = false
		}
		return int64(v)
	}
	switch {
	case from == "":
		r.suffix, r.first = true, number(to)
	default:
		r.first = number(from)
		if to != "" {
			r.last = number(to)
		}
	}
	if !ok || !r.suffix && to != "" && r.last < r.first {
		return httpRange{}, wrong
	}
	return r, nil
}

// in returns the range's offset and length in a file of size bytes.
func (r httpRange) in(size int64) (off, n int64, err error) {
	switch {
	case r.suffix:
		n = min(r.first, size)
		return size - n, n, nil
	case r.first >= size && r.first > 0:
		return 0, 0, usageError("--range starts at byte %d, but the archive has %d bytes", r.first, size)
	case r.last < 0 || r.last >= size:
		return r.first, size - r.first, nil
	}
	return r.first, r.last - r.first + 1, nil
}

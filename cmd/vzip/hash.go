package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"vzip/internal/generation"
	"vzip/internal/oneline"
)

func (a *app) hashCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "hash LAYOUT",
		Short:             "Work out and remember the CRC-32 of every file",
		Long:              "hash reads every file whose CRC-32 is not remembered yet, so that a later mount\nneed not; and the archives whose SHA-256 a sidecar tells, if that is not remembered.",
		Args:              exactArgs("LAYOUT"),
		ValidArgsFunction: completeLayout(nil),
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := untilSignal()
			defer stop()
			l, err := a.load(ctx, args[0], defaultTimeout)
			if err != nil {
				return err
			}
			if a.noCache {
				return usageError("hash --no-cache would forget what it works out: use --cache DIR, or neither")
			}
			g, err := a.build(ctx, l, building{mustRemember: true, progress: &progress{app: a}})
			if err != nil {
				return interrupted(err)
			}
			defer g.Close()
			if err := a.sum(ctx, g); err != nil {
				return interrupted(err)
			}
			for _, archive := range g.Archives {
				if _, err := fmt.Fprintf(a.stdout, "%s: ok, %d entries, %d bytes\n", oneline.Quoted(archive.Name), archive.Len(), archive.Size()); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// sum works out the SHA-256s that sidecars tell.
func (a *app) sum(ctx context.Context, g *generation.Generation) error {
	p := &progress{app: a, sums: true}
	err, cacheErr := g.Sum(ctx, generation.HashOptions{Workers: a.jobs, Start: p.start, Progress: p.add})
	p.stop(err == nil && p.files.Load() > 0)
	if err == nil && cacheErr != nil {
		err = fmt.Errorf("the SHA-256s that were worked out are lost: %w: make room for them, or use another --cache DIR", cacheErr)
	}
	return err
}

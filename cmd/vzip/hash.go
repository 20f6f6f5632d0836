package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vzip/internal/oneline"
)

func (a *app) hashCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "hash LAYOUT",
		Short:             "Work out and remember the CRC-32 of every file",
		Long:              "hash reads every file whose CRC-32 is not remembered yet, so that a later mount\nneed not.",
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
			for _, archive := range g.Archives {
				if _, err := fmt.Fprintf(a.stdout, "%s: ok, %d entries, %d bytes\n", oneline.Quoted(archive.Name), archive.Len(), archive.Size()); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

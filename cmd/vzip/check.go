package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vzip/internal/oneline"
	"vzip/layout"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "check LAYOUT",
		Short:             "Check a layout and its sources without reading file data",
		Args:              exactArgs("LAYOUT"),
		ValidArgsFunction: completeLayout(nil),
		RunE: func(_ *cobra.Command, args []string) error {
			plans, err := a.scan(args[0], "")
			if err != nil {
				return err
			}
			for _, p := range plans {
				links := ""
				if p.SkippedLinks > 0 {
					links = fmt.Sprintf(", %d symbolic links left out", p.SkippedLinks)
				}
				if _, err := fmt.Fprintf(a.stdout, "%s: ok, %d entries, %d bytes%s\n", oneline.Quoted(p.Name), p.Len(), p.Size(), links); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// scan loads a layout and scans its sources, for one archive if only is set.
func (a *app) scan(file, only string) ([]*layout.Plan, error) {
	ctx, stop := untilSignal()
	defer stop()
	l, err := a.load(file)
	if err != nil {
		return nil, err
	}
	if only != "" {
		if err := findArchive(l, only); err != nil {
			return nil, err
		}
	}
	plans, err := l.Scan(ctx, only, func(s string) { a.log.Warn(s) })
	if err != nil {
		return nil, interrupted(err)
	}
	return plans, nil
}

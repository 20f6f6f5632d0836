package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"vzip/internal/generation"
	"vzip/internal/oneline"
	"vzip/internal/portable"
	"vzip/layout"
)

func (a *app) checkCommand() *cobra.Command {
	strict := false
	c := &cobra.Command{
		Use:               "check LAYOUT",
		Short:             "Check a layout and its sources without reading file data",
		Args:              exactArgs("LAYOUT"),
		ValidArgsFunction: completeLayout(nil),
		RunE: func(_ *cobra.Command, args []string) error {
			warnings := 0
			warn := func(s string) {
				warnings++
				a.warn(s)
			}
			plans, err := a.scan(args[0], "", warn)
			if err != nil {
				return err
			}
			g := generation.New(plans, nil, nil)
			defer g.Close()
			if packs(plans) {
				a.recall(g)
			}
			if err := g.Pack(); err != nil {
				return err
			}
			for _, archive := range g.Archives {
				p := archive.Plan
				if strict {
					for _, found := range portable.Check(p, archive.Packed()) {
						warn(fmt.Sprintf("archive %s: %s", p.Name, found))
					}
				}
				links := ""
				if p.SkippedLinks > 0 {
					links = fmt.Sprintf(", %d symbolic links left out", p.SkippedLinks)
				}
				size := fmt.Sprintf("%d bytes", p.Size())
				if !archive.Packed() {
					inflated, _ := archive.DataSize()
					size = fmt.Sprintf("%d bytes to compress", inflated)
				}
				if _, err := fmt.Fprintf(a.stdout, "%s: ok, %d entries, %s%s\n", oneline.Quoted(p.Name), p.Len(), size, links); err != nil {
					return err
				}
			}
			if strict && warnings > 0 {
				return fmt.Errorf("warnings: %d; with --strict each of them is a failure", warnings)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, "warn also of what would bother other systems' users, and fail on warnings")
	return c
}

// scan loads a layout and scans its sources, for one archive if only is set.
func (a *app) scan(file, only string, warn func(string)) ([]*layout.Plan, error) {
	ctx, stop := untilSignal()
	defer stop()
	l, err := a.load(ctx, file, defaultTimeout)
	if err != nil {
		return nil, err
	}
	if only != "" {
		if err := findArchive(l, only); err != nil {
			return nil, err
		}
	}
	plans, err := l.Scan(ctx, layout.ScanOptions{Only: only, Warn: warn})
	if err != nil {
		return nil, interrupted(err)
	}
	return plans, nil
}

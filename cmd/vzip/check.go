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
			sized, err := a.sizes(plans)
			if err != nil {
				return err
			}
			for i, p := range plans {
				if strict {
					for _, found := range portable.Check(p, sized[i]) {
						warn(fmt.Sprintf("archive %s: %s", p.Name, found))
					}
				}
				links := ""
				if p.SkippedLinks > 0 {
					links = fmt.Sprintf(", %d symbolic links left out", p.SkippedLinks)
				}
				size := fmt.Sprintf("%d bytes", p.Size())
				if !sized[i] {
					size = fmt.Sprintf("%d bytes to compress", dataSize(p))
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

// sizes lays out the plans of archives with files that are deflated, as far as is remembered
// what they become, and tells of which plans the size is right.
func (a *app) sizes(plans []*layout.Plan) (sized []bool, err error) {
	sized = make([]bool, len(plans))
	if !packs(plans) { // nothing has to be looked up
		for i := range sized {
			sized[i] = true
		}
		return sized, nil
	}
	g := generation.New(plans, nil, nil)
	defer g.Close()
	a.recall(g)
	if err := g.Pack(); err != nil {
		return nil, err
	}
	for i, archive := range g.Archives {
		plans[i], sized[i] = archive.Plan, archive.Packed()
	}
	return sized, nil
}

// dataSize returns how many bytes the data of all entries has.
func dataSize(p *layout.Plan) (n int64) {
	for i := range p.Len() {
		n += p.EntrySize(i)
	}
	return n
}

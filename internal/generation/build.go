package generation

import (
	"context"
	"errors"
	"fmt"

	"vzip/layout"
)

// Options say how Build works.
type Options struct {
	HashOptions
	// MustRemember makes it an error when CRCs can't be remembered.
	MustRemember bool
	// Warn takes what the user should know and what stops nothing.
	Warn func(string)
	// Report takes each source's error when it is read later, once.
	Report func(error)
}

// tries is how often sources that change while they are read are looked at
// again.
const tries = 3

// Build scans a layout's sources, or with only set those of one archive, and
// works out all CRCs.
func Build(ctx context.Context, l *layout.Layout, only string, o Options) (*Generation, error) {
	warned := map[string]bool{}
	warn := func(text string) { // the same of each try once
		if !warned[text] {
			warned[text] = true
			o.Warn(text)
		}
	}
	for try := 1; ; try++ {
		plans, err := l.Scan(ctx, layout.ScanOptions{Only: only, Warn: warn})
		if err != nil {
			return nil, err
		}
		g := New(plans, o.Report)
		g.Recall(o)
		err, cacheErr := g.Hash(ctx, o.HashOptions)
		if cacheErr != nil {
			warn(fmt.Sprintf("CRCs are not remembered: %v", cacheErr))
		}
		if err == nil && (cacheErr == nil || !o.MustRemember) {
			return g, nil
		}
		g.Close()
		if err == nil {
			return nil, errors.New("the CRCs that were worked out are lost: make room for them, or use another --cache DIR")
		}
		var failed SourceErrors
		if !errors.As(err, &failed) || !failed.changedOnly() || try == tries {
			return nil, err
		}
		o.Warn(fmt.Sprintf("%v; looking again (%d of %d)", failed[0], try, tries-1))
	}
}

// Recall fills in the CRCs that the cache of o knows, and warns where it is
// damaged.
func (g *Generation) Recall(o Options) {
	if o.Cache == nil {
		return
	}
	damaged, err := g.recall(o.Cache)
	if err != nil {
		o.Warn(fmt.Sprintf("remembered CRCs can't be read: %v; files are read again", err))
	}
	if damaged > 0 {
		o.Warn(fmt.Sprintf("%d remembered CRCs are damaged and not used; their files are read again", damaged))
	}
}

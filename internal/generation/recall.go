package generation

import (
	"fmt"
	"slices"

	"vzip/internal/crccache"
	"vzip/internal/seeded"
	"vzip/internal/source"
)

// inherit takes over the sums of files that are what they were before.
func (g *Generation) inherit(before *Generation) {
	at := 0
	for group := range g.groups {
		f := g.members(group)[0]
		if a := g.Archives[f.archive]; a.known.get(int(f.entry)) {
			continue
		}
		for at < len(before.groups) && compare(before, before.members(at)[0], g, f) < 0 {
			at++
		}
		for i := at; i < len(before.groups); i++ {
			other := before.members(i)[0]
			if compare(before, other, g, f) != 0 && !seeded.On("inherit-all") {
				break
			}
			if sum, ok := before.sum(i); ok {
				g.setSum(group, sum)
				break
			}
		}
	}
}

// Recall fills in what the cache of o knows: CRCs, and what was published. It
// warns where the cache is damaged.
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

// recorded tells whether a record is about a file as it is now.
func recorded(is, was source.Identity) bool {
	if seeded.On("no-ctime") {
		was.Ctime = is.Ctime
	}
	return is == was
}

// recall takes CRCs from the cache for files that are what they were then. It
// returns how many damaged records it passed over.
func (g *Generation) recall(c *crccache.Cache) (damaged int, err error) {
	// From archiveGroup on a number is that of an archive.
	const archiveGroup = 1 << 31
	want := newWanted(len(g.files) + len(g.Archives))
	for i := range g.groups {
		for _, f := range g.members(i) {
			if from, ok := g.origin(f); ok {
				want.add(keyOf(from.Path(), g.packing(f)), uint32(i))
			}
		}
	}
	for i, a := range g.Archives {
		want.add(a.publishedKey(), archiveGroup+uint32(i))
	}
	want.index()
	return c.Scan(func(r crccache.Record) {
		for n := range want.find(&r.Key) {
			if n >= archiveGroup {
				g.Archives[n-archiveGroup].prior = publishedOf(r)
				continue
			}
			group := int(n)
			f, r := g.members(group)[0], r
			if g.packing(f) != 0 {
				r, _ = r.Unpack() // one that is none has no bytes, and so is nobody's
			}
			if !recorded(g.originIdentity(f), r.Identity) {
				continue
			}
			if g.packing(f) == 0 {
				r.Blocks = slices.Clone(r.Blocks)
			}
			g.setSum(group, r.Sum)
		}
	})
}

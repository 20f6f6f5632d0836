package generation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"vzip/internal/checksum"
	"vzip/internal/oneline"
	"vzip/internal/seeded"
	"vzip/internal/source"
	"vzip/layout"
)

// Verifier reads sources again, and compares them block by block with what is
// remembered of them. It changes nothing of that.
type Verifier struct {
	mu     sync.Mutex
	result Verified
}

// Verified is what was found. A file that several entries have counts once.
type Verified struct {
	Equal      int
	Bytes      int64 // of the equal ones
	Unknown    int   // not remembered, or changed since then
	Different  []error
	Unreadable []error // or changed meanwhile
}

// Result returns what was found so far, in order.
func (v *Verifier) Result() Verified {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.result
	for _, list := range []*[]error{&r.Different, &r.Unreadable} {
		*list = slices.Clone(*list)
		slices.SortFunc(*list, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	}
	return r
}

// Run does it for the sources of a layout. The error tells why it could not look at all
// of them; a file that is different, or can't be read, is none.
func (v *Verifier) Run(ctx context.Context, l *layout.Layout, o Options) error {
	o.Snapshots = nil // what the clones are made of is to be compared
	b := newBuilder(l, o)
	g, err := b.inTime(ctx, func(ctx context.Context) (*Generation, error) {
		g, err := b.scan(ctx, nil)
		if err != nil {
			return nil, err
		}
		return g, v.compare(ctx, g, b.HashOptions, &b.at)
	})
	if g != nil {
		g.Close()
	}
	return err
}

func (v *Verifier) compare(ctx context.Context, g *Generation, o HashOptions, at *places) error {
	var todo []int
	bytes := int64(0)
	for group := range g.groups {
		if _, ok := g.sum(group); ok {
			todo = append(todo, group)
			bytes += g.identity(g.members(group)[0]).Size
		}
	}
	v.mu.Lock()
	v.result.Unknown = len(g.groups) - len(todo)
	v.mu.Unlock()
	if o.Start != nil {
		o.Start(len(todo), bytes)
	}
	begin := time.Now()
	defer g.reader.Forget(g) // the sources' roots; nothing else is open
	first := func(i int) file { return g.members(todo[i])[0] }
	return checksum.Run(ctx, o.Workers, checksum.Files{
		Len: len(todo),
		Open: func(ctx context.Context, i int) (*source.File, error) {
			f := first(i)
			at.enter(g.ref(f).Path())
			opened, err := g.openAtRest(ctx, g.Archives[f.archive].key(int(f.entry)), nil, begin)
			if err == nil {
				opened.DropCached()
			}
			return opened, err
		},
		Check: func(i int, f *source.File) error { return f.Check(g.identity(first(i))) },
		Done: func(i int, sum checksum.Sum, err error) {
			at.leave(g.ref(first(i)).Path())
			v.done(g, todo[i], sum, err)
		},
		Progress: o.Progress,
	})
}

// done notes what came of a group of equal files.
func (v *Verifier) done(g *Generation, group int, sum checksum.Sum, err error) {
	members := g.members(group)
	f := members[0]
	want, _ := g.sum(group)
	size := g.identity(f).Size
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case err == nil && (sum.CRC32 == want.CRC32 && slices.Equal(sum.Blocks, want.Blocks) || seeded.On("blind-verify")):
		v.result.Equal++
		v.result.Bytes += size
		return
	case err == nil:
		err = &DifferentError{g.ref(f).Path(), different(sum, want, size)}
	}
	more := ""
	if len(members) > 1 {
		more = fmt.Sprintf(" and %d more", len(members)-1)
	}
	a := g.Archives[f.archive]
	found := fmt.Errorf("archive %s, entry %q%s: %w", oneline.Quoted(a.Name), a.EntryName(int(f.entry)), more, &SourceError{err})
	if _, ok := err.(*DifferentError); ok {
		v.result.Different = append(v.result.Different, found)
	} else {
		v.result.Unreadable = append(v.result.Unreadable, found)
	}
}

// different returns the blocks of a file of that size whose CRC-32s are not the same.
func different(got, want checksum.Sum, size int64) (blocks []int) {
	for i := range checksum.Blocks(size) {
		if got.Block(i) != want.Block(i) {
			blocks = append(blocks, i)
		}
	}
	return blocks
}

// DifferentError tells that a file has other bytes than when it was hashed, though
// nothing says that it was changed.
type DifferentError struct {
	Path   string
	Blocks []int // which have
}

func (e *DifferentError) Error() string {
	blocks := "a block has"
	if n := len(e.Blocks); n != 1 {
		blocks = fmt.Sprintf("%d blocks have", n)
	}
	at := int64(0)
	if len(e.Blocks) > 0 {
		at = int64(e.Blocks[0]) * checksum.BlockLen
	}
	return fmt.Sprintf("%s: from offset %d on %s other bytes though size and times are the same: a damaged disk, or a change that hid itself; restore it, or touch it if it is meant to be so", e.Path, at, blocks)
}

// Unwrap makes it the error that readers of the file get.
func (e *DifferentError) Unwrap() error { return unix.EIO }

package generation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"vzip/internal/checksum"
	"vzip/internal/crccache"
	"vzip/internal/oneline"
	"vzip/internal/source"
)

// group finds the entries whose files are one and the same, so that each is read
// once. Inode order is near the order on disk.
func (g *Generation) group() {
	for a, archive := range g.Archives {
		for i := range archive.Len() {
			if archive.IsFile(i) {
				g.files = append(g.files, file{uint32(a), uint32(i)})
			}
		}
	}
	slices.SortFunc(g.files, func(a, b file) int {
		if c := g.compare(a, b); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.archive, b.archive), cmp.Compare(a.entry, b.entry))
	})
	for i, f := range g.files {
		if i == 0 || g.compare(g.files[i-1], f) != 0 {
			g.groups = append(g.groups, uint32(i))
		}
	}
}

func (g *Generation) compare(a, b file) int {
	x, y := g.identity(a), g.identity(b)
	c := cmp.Or(
		cmp.Compare(g.Archives[a.archive].Device(int(a.entry)), g.Archives[b.archive].Device(int(b.entry))),
		cmp.Compare(x.Ino, y.Ino), cmp.Compare(x.Size, y.Size),
		cmp.Compare(x.Mtime, y.Mtime), cmp.Compare(x.Ctime, y.Ctime), cmp.Compare(x.Btime, y.Btime),
	)
	// Inode numbers are not unique everywhere (network and FUSE file systems).
	linked := g.hardLinked(a)
	switch {
	case c != 0 || linked && g.hardLinked(b):
		return c
	case linked:
		return 1
	case g.hardLinked(b):
		return -1
	}
	return strings.Compare(g.ref(a).Path(), g.ref(b).Path())
}

func (g *Generation) hardLinked(f file) bool {
	return g.Archives[f.archive].HardLinked(int(f.entry))
}

func (g *Generation) identity(f file) source.Identity {
	return g.Archives[f.archive].Identity(int(f.entry))
}

func (g *Generation) ref(f file) source.Ref {
	ref, _ := g.Archives[f.archive].Plan.Source(int(f.entry))
	return ref
}

// members are the files of a group.
func (g *Generation) members(group int) []file {
	if group+1 < len(g.groups) {
		return g.files[g.groups[group]:g.groups[group+1]]
	}
	return g.files[g.groups[group]:]
}

func (g *Generation) setCRC(group int, crc uint32) {
	for _, f := range g.members(group) {
		a := g.Archives[f.archive]
		a.crcs[f.entry], a.known[f.entry] = crc, true
	}
}

// missing returns the groups whose CRC is not known yet, and their bytes.
func (g *Generation) missing() (groups []uint32, bytes int64) {
	for i, start := range g.groups {
		f := g.files[start]
		if a := g.Archives[f.archive]; !a.known[f.entry] {
			groups = append(groups, uint32(i))
			bytes += a.EntrySize(int(f.entry))
		}
	}
	return groups, bytes
}

// recall takes CRCs from the cache for files that are what they were then. It
// returns how many damaged records it passed over.
func (g *Generation) recall(c *crccache.Cache) (damaged int, err error) {
	type wanted struct {
		key   crccache.Key
		group uint32
	}
	want := make([]wanted, 0, len(g.files))
	for i := range g.groups {
		for _, f := range g.members(i) {
			want = append(want, wanted{crccache.KeyOf(g.ref(f).Path()), uint32(i)})
		}
	}
	byKey := func(w wanted, k crccache.Key) int { return slices.Compare(w.key[:], k[:]) }
	slices.SortFunc(want, func(a, b wanted) int { return byKey(a, b.key) })
	return c.Scan(func(r crccache.Record) {
		i, ok := slices.BinarySearchFunc(want, r.Key, byKey)
		for ; ok && i < len(want) && want[i].key == r.Key; i++ {
			if group := int(want[i].group); g.identity(g.members(group)[0]) == r.Identity {
				g.setCRC(group, r.CRC32)
			}
		}
	})
}

// HashOptions say how CRCs are worked out.
type HashOptions struct {
	Workers int
	Cache   *crccache.Cache // nil: remember nothing
	// Start is told the number of files and bytes to read before the first is read.
	Start func(files int, bytes int64)
	// Progress is told bytes as they are done.
	Progress func(bytes int64)
}

// SourceErrors are the sources that could not be read.
type SourceErrors []error

// Error has one line a source, the first hundred of them.
func (e SourceErrors) Error() string {
	const most = 100
	var b strings.Builder
	for i, err := range e {
		if i == most {
			fmt.Fprintf(&b, "\nand %d sources more", len(e)-most)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(oneline.Text(err.Error()))
	}
	return b.String()
}

// Unwrap gives the errors of the sources.
func (e SourceErrors) Unwrap() []error { return e }

// changedOnly tells whether all that is wrong is that sources changed meanwhile.
func (e SourceErrors) changedOnly() bool {
	return !slices.ContainsFunc(e, func(err error) bool {
		var changed *source.ChangedError
		return !errors.As(err, &changed)
	})
}

// Hash works out every CRC that is not known yet. A SourceErrors tells which
// sources can't be read. A failing cache stops nothing: its error comes second.
func (g *Generation) Hash(ctx context.Context, o HashOptions) (err, cacheErr error) {
	todo, bytes := g.missing()
	if len(todo) == 0 {
		return nil, nil
	}
	if o.Start != nil {
		o.Start(len(todo), bytes)
	}
	begin := time.Now()
	var mu sync.Mutex
	var failed SourceErrors
	first := func(i int) file { return g.members(int(todo[i]))[0] }
	err = checksum.Run(ctx, o.Workers, checksum.Files{
		Len: len(todo),
		Open: func(ctx context.Context, i int) (*source.File, error) {
			f := first(i)
			if err := settle(ctx, g.identity(f), begin); err != nil {
				return nil, err
			}
			return source.Open(g.ref(f), g.identity(f))
		},
		Check: func(i int, f *source.File) error { return f.Check(g.identity(first(i))) },
		Done: func(i int, sum checksum.Sum, err error) {
			if errors.Is(err, checksum.ErrTooLarge) {
				err = fmt.Errorf("%s: %w", g.ref(first(i)).Path(), err)
			}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
				return
			}
			g.setCRC(int(todo[i]), sum.CRC32)
			if id := g.identity(first(i)); o.Cache != nil && id.Ctime < time.Now().UnixNano() {
				// A failed cache says so again in Flush.
				_ = o.Cache.Add(crccache.Record{Key: crccache.KeyOf(g.ref(first(i)).Path()), Identity: id, Sum: sum})
			}
		},
		Progress: o.Progress,
	})
	if o.Cache != nil {
		cacheErr = o.Cache.Flush()
	}
	if err != nil {
		return err, cacheErr
	}
	if len(failed) > 0 {
		slices.SortFunc(failed, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return failed, cacheErr
	}
	return nil, cacheErr
}

// Clocks of file systems tick: a change right after a file was read could leave
// its times as they are. So a file is read only once its last change is over
// for longer than a tick.
const (
	tick       = 20 * time.Millisecond   // the kernel's, coarsest at 100 Hz, doubled
	coarseTick = 2100 * time.Millisecond // file systems with whole seconds, FAT's with two
)

// settle waits until a change to the file would show in its times. Files whose
// last change is ahead of the clock wait once a run, not each: their times mean
// nothing, and so their CRCs are not remembered.
func settle(ctx context.Context, id source.Identity, begin time.Time) error {
	t := tick
	if id.Ctime%int64(time.Second) == 0 {
		t = coarseTick
	}
	wait := time.Until(time.Unix(0, id.Ctime).Add(t))
	if wait > t {
		wait = time.Until(begin.Add(t))
	}
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

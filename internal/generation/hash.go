package generation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"vzip/internal/checksum"
	"vzip/internal/crccache"
	"vzip/internal/oneline"
	"vzip/internal/seeded"
	"vzip/internal/source"
	"vzip/layout"
)

// group finds the entries whose files are one and the same, so that each is read
// once. Inode order is near the order on disk.
func (g *Generation) group() {
	count := 0
	for _, archive := range g.Archives {
		for i := range archive.Len() {
			if archive.IsFile(i) {
				count++
			}
		}
	}
	g.files = make([]file, 0, count)
	for a, archive := range g.Archives {
		for i := range archive.Len() {
			if archive.IsFile(i) {
				g.files = append(g.files, file{uint32(a), uint32(i)})
			}
		}
	}
	g.sortFiles()
	g.groups = make([]uint32, 0, count)
	for i, f := range g.files {
		if i == 0 || g.inode(g.files[i-1]) != g.inode(f) || g.compare(g.files[i-1], f) != 0 {
			g.groups = append(g.groups, uint32(i))
		}
	}
}

// sortFiles sorts by compare. Nearly all files are told apart by their inode number:
// the rest is looked up only where that does not.
func (g *Generation) sortFiles() {
	type numbered struct {
		ino uint64
		file
	}
	sorted := make([]numbered, len(g.files))
	oneDevice := true
	for i, f := range g.files {
		p := g.Archives[f.archive].Plan
		first := g.files[0]
		oneDevice = oneDevice && p.OriginDevice(int(f.entry)) == g.Archives[first.archive].OriginDevice(int(first.entry))
		sorted[i] = numbered{p.OriginInode(int(f.entry)), f}
	}
	slices.SortFunc(sorted, func(a, b numbered) int {
		if a.ino != b.ino && oneDevice {
			return cmp.Compare(a.ino, b.ino)
		}
		if c := g.compare(a.file, b.file); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.archive, b.archive), cmp.Compare(a.entry, b.entry))
	})
	for i := range sorted {
		g.files[i] = sorted[i].file
	}
}

func (g *Generation) compare(a, b file) int { return compare(g, a, g, b) }

func compare(g *Generation, a file, h *Generation, b file) int {
	x, y := g.originIdentity(a), h.originIdentity(b)
	c := cmp.Or(
		cmp.Compare(g.Archives[a.archive].OriginDevice(int(a.entry)), h.Archives[b.archive].OriginDevice(int(b.entry))),
		cmp.Compare(x.Ino, y.Ino), cmp.Compare(x.Size, y.Size),
		cmp.Compare(x.Mtime, y.Mtime), cmp.Compare(x.Ctime, y.Ctime), cmp.Compare(x.Btime, y.Btime),
		// A file that is deflated is another than one that is stored. This comes behind the
		// inode number, by which files are sorted.
		cmp.Compare(g.packing(a), h.packing(b)),
	)
	// Inode numbers are not unique everywhere (network and FUSE file systems).
	linked := g.hardLinked(a)
	switch {
	case c != 0 || linked && h.hardLinked(b):
		return c
	case linked:
		return 1
	case h.hardLinked(b):
		return -1
	}
	from, _ := g.origin(a)
	there, _ := h.origin(b)
	return strings.Compare(from.Path(), there.Path())
}

func (g *Generation) packing(f file) layout.Packing {
	return g.Archives[f.archive].Packing(int(f.entry))
}

func (g *Generation) inode(f file) uint64 { return g.Archives[f.archive].OriginInode(int(f.entry)) }

func (g *Generation) hardLinked(f file) bool {
	return g.Archives[f.archive].HardLinked(int(f.entry))
}

func (g *Generation) origin(f file) (ref source.Ref, ok bool) {
	return g.Archives[f.archive].Origin(int(f.entry))
}

func (g *Generation) originIdentity(f file) source.Identity {
	return g.Archives[f.archive].OriginIdentity(int(f.entry))
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

// missing returns the groups whose CRC is not known yet, and their bytes.
func (g *Generation) missing() (groups []uint32, bytes int64) {
	for i, start := range g.groups {
		f := g.files[start]
		if a := g.Archives[f.archive]; !a.known.get(int(f.entry)) {
			groups = append(groups, uint32(i))
			bytes += a.EntrySize(int(f.entry))
		}
	}
	return groups, bytes
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

// Hash works out every CRC that is not known yet. A SourceErrors tells which
// sources can't be read. A failing cache stops nothing: its error comes second.
// at is told the paths of the files that are being read.
func (g *Generation) Hash(ctx context.Context, o HashOptions, at *places) (err, cacheErr error) {
	todo, bytes := g.missing()
	if len(todo) == 0 {
		return nil, nil
	}
	if o.Start != nil {
		o.Start(len(todo), bytes)
	}
	begin := time.Now()
	defer g.reader.Forget(g) // the sources' roots; nothing else is open yet
	var mu sync.Mutex
	var failed SourceErrors
	first := func(i int) file { return g.members(int(todo[i]))[0] }
	err = checksum.Run(ctx, o.Workers, checksum.Files{
		Len: len(todo),
		Open: func(ctx context.Context, i int) (*source.File, error) {
			f := first(i)
			at.enter(g.ref(f).Path())
			return g.openAtRest(ctx, g.Archives[f.archive].key(int(f.entry)), nil, begin)
		},
		Check: func(i int, f *source.File) error {
			if seeded.On("no-check-after-hash") {
				return nil
			}
			return f.Check(g.identity(first(i)))
		},
		Done: func(i int, sum checksum.Sum, err error) {
			f := first(i)
			at.leave(g.ref(f).Path())
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, &fileError{path: g.ref(f).Path(), group: int(todo[i]), err: err})
				return
			}
			g.setSum(int(todo[i]), sum)
			_ = remember(o.Cache, g.Archives[f.archive], int(f.entry), sum)
		},
		Progress: o.Progress,
		Level: func(i int) (level int, auto bool) {
			p := g.packing(first(i))
			return p.Level(), p.Auto()
		},
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

// remember adds a sum to a cache, and tells whether it did: not where times mean nothing,
// or the source was changing when it was cloned.
func remember(c *crccache.Cache, a *Archive, i int, sum checksum.Sum) bool {
	from, ok := a.Origin(i)
	id := a.OriginIdentity(i)
	if c == nil || !ok || id.Ctime >= time.Now().UnixNano() && !seeded.On("trust-future") {
		return false
	}
	// A failed cache says so again in Flush.
	_ = c.Add(recordOf(from.Path(), id, sum, a.Packing(i)))
	return true
}

// recordOf returns what is remembered of a file.
func recordOf(path string, id source.Identity, sum checksum.Sum, p layout.Packing) crccache.Record {
	r := crccache.Record{Key: keyOf(path, p), Identity: id, Sum: sum}
	if p != 0 {
		return r.Pack(r.Key)
	}
	return r
}

// keyOf returns what a file's sum is remembered under.
func keyOf(path string, p layout.Packing) crccache.Key {
	if p == 0 {
		return crccache.KeyOf(path)
	}
	return crccache.PackedKey(path, p.Level(), p.Auto())
}

// fileError is the failure to work out the CRC-32 of a file.
type fileError struct {
	path  string
	group int
	err   error
}

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// openAtRest opens a file as it was scanned, and waits until a change to it would show
// in its times. Files whose last change is ahead of the clock wait once a run, not each:
// their times mean nothing, and so their CRCs are not remembered. pulse, if set, is told
// what is asked and answered.
func (g *Generation) openAtRest(ctx context.Context, key uint64, pulse *source.Pulse, begin time.Time) (*source.File, error) {
	ref, id, root := g.Source(key)
	if pulse != nil {
		ref.Pulse = pulse
	}
	f, err := g.reader.Open(g, ref, root, id)
	if err != nil {
		return nil, err
	}
	if a, _ := g.at(key); a.Frozen() {
		return f, nil // nobody else can write to a clone
	}
	if !seeded.On("no-lease-probe") {
		err = f.Busy()
	}
	if err == nil && !seeded.On("no-wait") {
		err = settle(ctx, id, f.Kind, begin)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func settle(ctx context.Context, id source.Identity, kind func() source.Kind, begin time.Time) error {
	t := id.Tick(source.Unknown) // at most so long
	if time.Since(time.Unix(0, id.Ctime)) > t {
		return nil // most files: not worth a system call
	}
	t = id.Tick(kind())
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

package generation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vzip/internal/snapshot"
	"vzip/internal/source"
	"vzip/internal/verified"
	"vzip/layout"
)

// Options say how Build works.
type Options struct {
	HashOptions
	// Only names the one archive that is wanted; "" for all.
	Only string
	// MustRemember makes it an error when CRCs can't be remembered.
	MustRemember bool
	// Reader reads the generation's sources later; nil for one of its own.
	Reader *verified.Reader
	// Before is the generation whose CRCs are taken over where files are what they
	// were. It may be nil.
	Before *Generation
	// Snapshots makes the clones of archives with snapshot; with nil their sources are read.
	Snapshots *snapshot.Keeper
	// Folder, if set, is told each folder of the sources before it is listed.
	Folder func(path string)
	// Newer, if set, tells whether waiting for files to rest is to end, because a
	// newer state of the layout may do without them.
	Newer func() bool
	// Warn takes what the user should know and what stops nothing.
	Warn func(string)
	// Report takes each source's error when it is read later, once.
	Report func(error)
}

const (
	// tries is how often sources that change while they are read are looked at again.
	tries = 3
	// firstPause is how long the first try waits after a failed one; each later
	// pause is twice as long, up to maxPause.
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
	// restless is after how many rounds files that come and go are not asked for any
	// more: with on_busy: skip all that was changed less than restFor ago is left out.
	restless = 4
	restFor  = 2 * time.Second
)

// Build scans a layout's sources and works out all CRCs. What becomes of files
// that programs write to meanwhile is for on_busy to say.
func Build(ctx context.Context, l *layout.Layout, o Options) (*Generation, error) {
	b := newBuilder(l, o)
	var last *Generation
	defer func() {
		if last != nil {
			last.Close()
		}
	}()
	pause := firstPause
	for try, round := 1, 1; ; round++ {
		if round > restless {
			b.restSince = time.Now().Add(-restFor).UnixNano()
		}
		from := last
		g, err := b.inTime(ctx, func(ctx context.Context) (*Generation, error) { return b.try(ctx, from) })
		if err == nil {
			return g, nil
		}
		if errors.As(err, new(*stalledError)) {
			last = nil // what hangs may use it yet
			return nil, err
		}
		var failed SourceErrors
		if g == nil || !errors.As(err, &failed) {
			return nil, err
		}
		if last != nil {
			last.Close()
		}
		last = g
		patient, err := b.decide(g, failed, try == tries)
		if err != nil {
			return nil, err
		}
		if !patient {
			try++
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		if patient && b.Newer != nil && b.Newer() {
			return nil, failed
		}
		pause = min(2*pause, maxPause)
	}
}

// Scan is Build, but for working out CRCs that are not known yet, which is for Start
// to do. Where files are deflated it is all of Build: an archive's size follows from what
// they are deflated to.
func Scan(ctx context.Context, l *layout.Layout, o Options) (*Generation, error) {
	if l.Packs(o.Only) {
		return Build(ctx, l, o)
	}
	b := newBuilder(l, o)
	return b.inTime(ctx, func(ctx context.Context) (*Generation, error) {
		g, err := b.scan(ctx, nil)
		if err == nil {
			groups, _ := g.missing()
			g.early = len(groups) > 0
		}
		return g, err
	})
}

func newBuilder(l *layout.Layout, o Options) *builder {
	b := &builder{Options: o, layout: l, told: map[string]bool{}, leave: map[string]bool{}}
	if b.Reader == nil {
		b.Reader = verified.NewReader(verified.Options{Timeout: forever})
	}
	return b
}

type builder struct {
	Options
	layout *layout.Layout
	told   map[string]bool // warnings
	leave  map[string]bool // busy files to leave out, by path
	at     places
	folder string // the last that was listed

	restSince int64 // as in layout.ScanOptions
}

// scanning is told each folder before it is listed.
func (b *builder) scanning(folder string) {
	b.at.leave(b.folder)
	b.folder = folder
	b.at.enter(folder)
	if b.Folder != nil {
		b.layout.Pulse.During(func() { b.Folder(folder) })
	}
}

// warn tells the same of each try once.
func (b *builder) warn(text string) {
	if !b.told[text] {
		b.told[text] = true
		b.Warn(text)
	}
}

// stalledError tells that sources do not answer. It is one of sources.
type stalledError struct {
	after time.Duration
	where string
}

func (e *stalledError) Error() string {
	return fmt.Sprintf("%s: no answer within %v: check its device or server, or exclude it", e.where, e.after)
}

// hanging counts the tries that were given up, each of which holds threads.
var hanging atomic.Int32

const maxHanging = 4

// inTime makes a generation, but gives up when the sources do not answer any more. What
// hangs then goes on alone, and ends as soon as they do.
func (b *builder) inTime(ctx context.Context, do func(context.Context) (*Generation, error)) (*Generation, error) {
	if hanging.Load() >= maxHanging {
		return nil, SourceErrors{&stalledError{after: b.Reader.Timeout, where: "a source that was waited for before"}}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		g   *Generation
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if v := recover(); v != nil {
				r = result{nil, fmt.Errorf("a defect in vzip: %v", v)}
			}
			done <- r
		}()
		r.g, r.err = do(ctx)
	}()
	stopped, stop := b.layout.Pulse.Stopped(b.Reader.Timeout)
	defer stop()
	select {
	case r := <-done:
		return r.g, r.err
	case <-stopped:
	}
	cancel()
	hanging.Add(1)
	go func() {
		if r := <-done; r.g != nil {
			r.g.Close()
		}
		hanging.Add(-1)
	}()
	var failed SourceErrors
	for _, where := range b.at.all() {
		failed = append(failed, &stalledError{after: b.Reader.Timeout, where: where})
	}
	if len(failed) == 0 {
		failed = SourceErrors{&stalledError{after: b.Reader.Timeout, where: "a source"}}
	}
	return nil, failed
}

// places are the paths that work is under way at.
type places struct {
	mu    sync.Mutex
	count map[string]int
}

func (p *places) enter(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == nil {
		p.count = map[string]int{}
	}
	p.count[path]++
}

func (p *places) leave(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == nil {
		return
	}
	if p.count[path]--; p.count[path] <= 0 {
		delete(p.count, path)
	}
}

func (p *places) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.count))
}

// try returns a generation also where sources failed: with what is known of the
// others.
func (b *builder) try(ctx context.Context, last *Generation) (*Generation, error) {
	g, err := b.scan(ctx, last)
	if err != nil {
		return nil, err
	}
	err, cacheErr := g.Hash(ctx, b.HashOptions, &b.at)
	if cacheErr != nil {
		b.warn(fmt.Sprintf("CRCs are not remembered: %v", cacheErr))
	}
	if err == nil && cacheErr != nil && b.MustRemember {
		err = errors.New("the CRCs that were worked out are lost: make room for them, or use another --cache DIR")
	}
	if err == nil {
		err = g.Pack()
	}
	if err != nil && !errors.As(err, new(SourceErrors)) {
		g.Close()
		return nil, err
	}
	return g, err
}

// scan makes a generation with the CRCs that are known.
func (b *builder) scan(ctx context.Context, last *Generation) (*Generation, error) {
	o := layout.ScanOptions{Only: b.Only, Warn: b.warn, Folder: b.scanning, RestSince: b.restSince}
	if len(b.leave) > 0 {
		o.Leave = func(path string) bool { return b.leave[path] }
	}
	clones := b.Snapshots.Begin()
	if clones != nil {
		o.Snapshot = clones.Archive
	}
	plans, err := b.layout.Scan(ctx, o)
	if err != nil {
		clones.Remove()
		return nil, err
	}
	b.at.leave(b.folder)
	g := New(plans, b.Reader, b.Report)
	g.cache, g.clones = b.Cache, clones
	for _, before := range []*Generation{b.Before, last} {
		if before != nil {
			g.inherit(before)
		}
	}
	g.Recall(b.Options)
	return g, nil
}

// decide says what becomes of files that failed: whether there is a next try, and
// whether it is one of those that can go on for ever.
func (b *builder) decide(g *Generation, failed SourceErrors, lastTry bool) (patient bool, err error) {
	patient = true
	for _, err := range failed {
		var file *fileError
		if !errors.As(err, &file) || !unsettled(err) {
			return false, failed
		}
		switch g.onBusy(file.group) {
		case layout.OnBusyWait:
			b.warn(fmt.Sprintf("%v; waiting until it rests", err))
		case layout.OnBusySkip:
			if lastTry || errors.As(err, new(*source.BusyError)) {
				b.leave[file.path] = true
				b.warn(fmt.Sprintf("%v; left out because of on_busy: skip", err))
			}
			patient = false
		default:
			if lastTry {
				return false, failed
			}
			patient = false
		}
	}
	if !patient && !lastTry {
		b.warn(fmt.Sprintf("%v; looking again", failed[0]))
	}
	return patient || lastTry, nil
}

// unsettled tells the errors of a file that a program writes to.
func unsettled(err error) bool {
	return errors.As(err, new(*source.ChangedError)) || errors.As(err, new(*source.BusyError))
}

// onBusy returns the strictest policy of the archives that have a file.
func (g *Generation) onBusy(group int) layout.OnBusy {
	policy := layout.OnBusySkip
	for i, f := range g.members(group) {
		a := g.Archives[f.archive]
		switch {
		case !a.Frozen():
		case i == 0: // that is the one which is read, and nobody should write to a clone
			return layout.OnBusyFail
		default:
			continue
		}
		switch a.OnBusy() {
		case layout.OnBusyFail:
			return layout.OnBusyFail
		case layout.OnBusyWait:
			policy = layout.OnBusyWait
		}
	}
	return policy
}

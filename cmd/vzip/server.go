package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"vzip/internal/generation"
	"vzip/internal/verified"
	"vzip/layout"
	"vzip/vfs"
)

// server shows a layout's archives, one generation after the other.
type server struct {
	*app
	file    string // the layout's, absolute
	dir     string // the mountpoint; "": none
	reader  *verified.Reader
	mounted *vfs.Mounted   // nil: nowhere
	web     *webServer     // nil: not over HTTP
	changed func()         // is told that a source has other bytes; may be nil
	folder  func(string)   // is told each source folder before it is listed; may be nil
	sources func([]string) // is told the layout's sources before they are looked at; may be nil

	reloading chan struct{} // has room for the one reload that is under way
	waiting   atomic.Int32  // reloads that wait for the one that is under way
	current   atomic.Pointer[generation.Generation]
	number    atomic.Int64             // of the current generation
	old       []*generation.Generation // whose archives may be open yet
	building  atomic.Bool              // the next one is being built
	failure   atomic.Value             // why the last reload failed, a string; "" if it did not
	last      atomic.Pointer[lastReload]
	rehashing atomic.Pointer[progress] // of the next generation; nil: none is being built

	early    bool     // the first generation is shown before all its CRCs are known
	progress progress // of hashing meanwhile
	counters counters // of what readers got
	flood    flood    // of errors in the log

	began    time.Time
	draining atomic.Bool // its end has begun
}

func (s *server) generation() *generation.Generation { return s.current.Load() }

// close ends the use of the last generation.
func (s *server) close() {
	s.flood.stop()
	s.generation().Close()
}

// tellErrors says how many errors readers got, if they got some.
func (s *server) tellErrors() {
	if n := s.counters.failures(); n > 0 {
		s.warn(fmt.Sprintf("readers got %d errors in all: %s (see above)", n, s.counters.byCause()))
	}
}

// serve builds a layout's first generation and mounts it at dir.
func (a *app) serve(ctx context.Context, l *layout.Layout, dir string, o vfs.Options, f *readFlags, early bool) (*server, error) {
	// A log whose reader is gone must not end the mount. (Ignored, the signal
	// would be ignored by what exec runs, too.)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	s := a.newServer(l, dir, f)
	s.early, s.progress.hidden = early, true // CMD may write to the terminal
	if err := s.start(ctx, l, o); err != nil {
		return nil, err
	}
	return s, nil
}

func (a *app) newServer(l *layout.Layout, dir string, f *readFlags) *server {
	s := &server{app: a, reloading: make(chan struct{}, 1), file: l.Path, dir: dir, reader: a.newReader(f)}
	s.progress.app = a
	s.began = time.Now()
	s.flood.tell = func(text string) { s.log.Error(text) }
	s.number.Store(1)
	return s
}

func (s *server) start(ctx context.Context, l *layout.Layout, o vfs.Options) error {
	s.early = s.early && canBeEarly(l)
	g, err := s.next(ctx, l, true)
	if err != nil {
		return err
	}
	if s.early {
		s.hash(g)
	}
	s.current.Store(g) // who reads the status asks for it as soon as there is a mount
	if s.dir != "" {
		if o.Source == "" {
			o.Source = l.Path
		}
		o.Warn = func(text string) { // a defect, at any number of requests
			if s.flood.allow(generation.CauseIO) {
				s.warn(text)
			}
		}
		o.Debug = func(text string) { s.log.Debug(text) }
		o.Hidden = []vfs.Hidden{{Path: statusFile, Mode: statusMode, Render: s.renderStatus}}
		s.mounted, err = vfs.Mount(s.dir, s.files(g, o.AllowOther), o)
		if err != nil {
			s.progress.stop(false)
			g.Close()
			return mountError(err)
		}
	}
	if s.web != nil {
		s.web.Publish(g)
	}
	if !s.early {
		s.sumUp(g)
	}
	s.takeReserve()
	oneMoreProcessor()
	return nil
}

// oneMoreProcessor lets the runtime use one thread more at once. Those that wait for
// requests of the kernel count until the runtime notices that they wait, while there is
// work to do. From here on the runtime follows no change of the CPU limit.
func oneMoreProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// next builds the generation after the current one.
func (s *server) next(ctx context.Context, l *layout.Layout, first bool) (*generation.Generation, error) {
	if s.sources != nil {
		s.sources(l.Sources())
	}
	b := building{reader: s.reader, before: s.generation(), report: s.report, folder: s.folder, newer: func() bool { return s.waiting.Load() > 0 }, early: first && s.early}
	b.progress = &progress{app: s.app, hidden: !first}
	if !first {
		s.rehashing.Store(b.progress)
		defer s.rehashing.Store(nil)
	}
	g, err := s.build(ctx, l, b)
	if err != nil {
		return nil, err
	}
	if err := g.Date(s.generation()); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// report tells of a source that can't be read.
func (s *server) report(err error) {
	if s.flood.allow(generation.CauseOf(err)) {
		s.log.Error(err.Error())
	}
	if s.changed != nil && errors.Is(err, syscall.ESTALE) {
		s.changed()
	}
}

// files are what the mount shows of a generation.
func (s *server) files(g *generation.Generation, tell bool) []vfs.File {
	var files []vfs.File
	for _, f := range g.Files() {
		access := f.Archive.Access()
		file := vfs.File{
			Path: f.Path, Size: f.Size, Holes: f.Holes(), ModTime: f.Archive.Time, Inode: f.Inode,
			Mode: access.Mode, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
			Content: content{f, s},
		}
		if access.HasUID && os.Geteuid() == 0 {
			file.UID = access.UID
		}
		if access.HasGID { // also where the daemon is not in that group, or has another one
			file.GID = access.GID
		}
		files = append(files, file)
	}
	for _, archive := range g.Archives {
		if tell && archive.Exposed() {
			s.log.Info(fmt.Sprintf("archive %s: expose: world lets every user read it, also those who may not read its sources", archive.Name))
		}
	}
	return files
}

// content is a file as the mount wants it.
type content struct {
	*generation.File
	s *server
}

func (c content) Open(ahead bool) (vfs.Handle, error) {
	h, err := c.File.Open(ahead)
	if err != nil {
		c.s.counters.failed(err)
		return nil, err
	}
	c.s.counters.open.Add(1)
	return handle{h, c.s}, nil
}

// handle is an open file as the mount wants it.
type handle struct {
	generation.Handle
	s *server
}

func (h handle) Read(ctx context.Context, off int64, n int) (vfs.Data, error) {
	d, err := h.Handle.Read(ctx, off, n)
	if err != nil {
		h.s.counters.failed(err)
		return nil, err // not a nil *Data
	}
	h.s.counters.count(d.Len())
	return d, nil
}

func (h handle) Close() {
	h.s.counters.open.Add(-1)
	h.Handle.Close()
}

// maxOld is how many generations are kept for those who have an archive of them open.
const maxOld = 8

// retire ends the server's use of a generation. Of those that readers hold on to the
// oldest is given up when they become too many.
func (s *server) retire(g *generation.Generation) {
	s.old = append(s.old, g)
	s.old = slices.DeleteFunc(s.old, func(g *generation.Generation) bool { return !g.InUse() })
	if len(s.old) > maxOld {
		s.log.Warn(fmt.Sprintf("archives of %d old generations are open: readers of the oldest get errors", len(s.old)))
		s.old[0].Expire()
		s.old = s.old[1:]
	}
	time.AfterFunc(retireGrace, g.Close)
}

// retireGrace is how long archives of a generation that was replaced can still be opened,
// by who found them before: longer than vfs lets go of them after.
const retireGrace = 2 * time.Second

// reload shows the state that layout and sources have now, and says what changed,
// if something did.
func (s *server) reload(ctx context.Context) (message string, changed bool, err error) {
	s.waiting.Add(1)
	select {
	case s.reloading <- struct{}{}:
		s.waiting.Add(-1)
	case <-ctx.Done(): // who asked is gone
		s.waiting.Add(-1)
		return "", false, ctx.Err()
	}
	defer func() { <-s.reloading }()
	begin := time.Now()
	s.building.Store(true)
	defer s.building.Store(false)
	before := s.generation()
	var g *generation.Generation
	// The next one is hashed aside, of the present one only what readers wait for.
	before.Pause()
	defer func() {
		if s.generation() != g { // it failed, or there is a defect
			if g != nil {
				g.Close()
			}
			before.Resume()
			s.pauseAtEnd(before)
		}
	}()
	if g, err = s.nextFromFile(ctx); err != nil {
		return "", false, err
	}
	changes := changes(before, g)
	publish := func() {}
	if s.web != nil {
		publish = s.web.Prepare(g)
	}
	if s.mounted != nil {
		if err := s.mounted.Publish(s.files(g, false)); err != nil {
			return "", false, err
		}
	}
	publish()
	s.current.Store(g)
	s.progress.stop(false)
	s.retire(before)
	s.sumUp(g)
	if len(changes) == 0 {
		return fmt.Sprintf("generation %d: nothing changed", s.number.Load()), false, nil
	}
	return fmt.Sprintf("generation %d after %v: %s", s.number.Add(1), time.Since(begin).Round(time.Millisecond), strings.Join(changes, ", ")), true, nil
}

// nextFromFile reads the layout again and builds the next generation.
func (s *server) nextFromFile(ctx context.Context) (*generation.Generation, error) {
	l, err := s.load(ctx, s.file, s.reader.Timeout)
	if err != nil {
		return nil, err
	}
	if err := s.check(ctx, l); err != nil {
		return nil, err
	}
	return s.next(ctx, l, false)
}

// checkOverlap refuses a mountpoint in a source, or a source in a mountpoint.
func checkOverlap(ctx context.Context, dir string, l *layout.Layout, timeout time.Duration) error {
	overlap, err := inTime(ctx, timeout, func() error {
		if s, overlaps := vfs.Overlap(dir, l.Sources()); overlaps {
			return fmt.Errorf("the mountpoint %s and the source %s lie in each other: choose a mountpoint outside of all sources", dir, s)
		}
		if s, overlaps := vfs.Overlap(dir, l.Snapshots()); overlaps {
			return fmt.Errorf("the mountpoint %s and the snapshot folder %s lie in each other: choose a mountpoint outside of it", dir, s)
		}
		return nil
	})
	if err != nil {
		return unanswered(l.File, err)
	}
	if overlap != nil {
		return mountError(overlap)
	}
	return nil
}

// changes says how a generation's archives differ from those before.
func changes(before, now *generation.Generation) (list []string) {
	const most = 20
	was, access, beside := map[string]uint64{}, map[string]layout.Access{}, map[string]layout.Beside{}
	for _, a := range before.Archives {
		was[a.Name], access[a.Name], beside[a.Name] = a.Inode, a.Access(), a.Beside()
	}
	for _, a := range now.Archives {
		switch inode, ok := was[a.Name]; {
		case !ok:
			list = append(list, a.Name+" is new")
		case inode != a.Inode:
			list = append(list, a.Name+" changed")
		case access[a.Name] != a.Access():
			list = append(list, a.Name+" has other readers")
		case beside[a.Name] != a.Beside():
			list = append(list, a.Name+" has other volumes or sidecars")
		}
		delete(was, a.Name)
	}
	for _, a := range before.Archives {
		if _, gone := was[a.Name]; gone {
			list = append(list, a.Name+" is gone")
		}
	}
	if n := len(list) - most; n > 0 {
		list = append(list[:most], fmt.Sprintf("and %d more", n))
	}
	return list
}

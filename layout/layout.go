// Package layout turns a layout file into plans: it reads the YAML, walks the
// source folders, and works out which entry of which archive comes from where.
//
// In scope: the layout file's meaning, names inside archives, the walk. Out of
// scope: ZIP records (package zipgen), file data and CRCs.
package layout

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vzip/internal/deflate"
	"vzip/internal/oneline"
	"vzip/internal/source"
)

// Layout is what a layout file says, checked, with defaults filled in.
type Layout struct {
	File     string // as given by the user, for messages
	Path     string // the same, absolute
	Archives []Archive
	// Pulse counts what is asked about the sources, here and by who reads them.
	Pulse source.Pulse

	roots []string // folders that sources are below, each once
}

// Archive is one virtual ZIP file.
type Archive struct {
	Name     string // path below the mountpoint, slash-separated
	Mappings []Mapping
	Options

	pos
}

// Mapping puts one source into an archive: an item of the "entries" list.
type Mapping struct {
	Source  string // absolute path
	As      string // name inside the archive, "" for its root
	Include []string
	Exclude []string
	Compression

	pos
	given   string // source as it was written, variables expanded
	asGiven bool
	ref     source.Ref
	root    int // index into Layout.roots
	stat    source.Stat
}

// Symlinks says what becomes of symbolic links.
type Symlinks string

// Special says what becomes of FIFOs, sockets and devices.
type Special string

// Names says what becomes of names that some readers refuse.
type Names string

// Modes says which permissions entries get.
type Modes string

// Owners says whether entries have their owners' numbers.
type Owners string

// OnBusy says what becomes of a file that a program has open for writing, or that
// keeps changing, while its CRC-32 is worked out. Who works that out acts on it.
type OnBusy string

// Expose says who may read an archive where the mount lets other users in.
type Expose string

// Values of the options of these types.
const (
	SymlinksStore  Symlinks = "store"
	SymlinksFollow Symlinks = "follow"
	SymlinksSkip   Symlinks = "skip"
	SymlinksError  Symlinks = "error"

	SpecialSkip  Special = "skip"
	SpecialError Special = "error"

	NamesError  Names = "error"
	NamesEscape Names = "escape"
	NamesRaw    Names = "raw"

	ModesSource Modes = "source"
	ModesFixed  Modes = "fixed"

	OwnersOmit  Owners = "omit"
	OwnersStore Owners = "store"

	OnBusyFail OnBusy = "fail"
	OnBusySkip OnBusy = "skip"
	OnBusyWait OnBusy = "wait"

	ExposeSources Expose = "sources"
	ExposeWorld   Expose = "world"
)

// Options are an archive's options; "defaults" sets them for all archives.
type Options struct {
	Comment       string
	Symlinks      Symlinks
	Special       Special
	Names         Names
	Directories   bool
	Modes         Modes  // fixed: 0644 for files, 0755 for directories
	ModTime       *int64 // seconds since 1970 for every entry; nil: the source's
	NTFSTimes     bool   // for times before 1970 and after 2038-01-19
	Owners        Owners
	OneFileSystem bool // don't enter what is mounted inside a source
	OnBusy        OnBusy
	Expose        Expose
	Align         int64 // as in zipgen.Options, or AlignAuto
	Split         int64 // size of the volumes that are shown, too, in bytes; 0: none
	Sidecars      Sidecars
	// Snapshot is a folder where sources are cloned, to be read there; "" for none. Load
	// leaves an absolute path without links.
	Snapshot string
	// Spool is a folder where deflated data is kept, "" for none, SpoolSize how much of it.
	Spool     string
	SpoolSize int64
	Compression

	snapshotPos, spoolPos pos
}

func defaultOptions() Options {
	return Options{
		Symlinks: SymlinksStore, Special: SpecialSkip, Names: NamesError, Modes: ModesSource, Owners: OwnersOmit, Directories: true,
		OnBusy: OnBusyFail, Expose: ExposeSources, SpoolSize: defaultSpoolSize,
		Compression: Compression{Method: MethodStore, Level: deflate.DefaultLevel, Store: []string{}},
	}
}

// pos is a place in the layout file, both numbers from 1.
type pos struct{ line, column int }

// Problem is one thing that is wrong, at a place in the layout file.
type Problem struct {
	Line, Column int
	What         string // and what to do
	// Source tells that a source on disk is at fault, not the layout file.
	Source bool
}

// Problems is the error with everything that is wrong, in the file's order.
type Problems struct {
	File string
	List []Problem
}

// maxProblems keeps a tree of a million bad names from a million lines.
const maxProblems = 100

func (p *Problems) add(at pos, isSource bool, format string, args ...any) {
	p.List = append(p.List, Problem{at.line, at.column, clip(oneline.Text(fmt.Sprintf(format, args...))), isSource})
}

// clip keeps a value of many bytes from filling a message.
func clip(s string) string {
	const head, tail = 700, 300
	if len(s) > head+tail {
		s = strings.ToValidUTF8(s[:head], "") + "..." + strings.ToValidUTF8(s[len(s)-tail:], "")
	}
	return s
}

// Error is one line a problem: "file:line:column: what".
func (p *Problems) Error() string {
	var b strings.Builder
	for i, x := range p.List {
		if i == maxProblems {
			fmt.Fprintf(&b, "\n%s: more problems follow: mend these first", p.File)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		if x.Line > 0 {
			fmt.Fprintf(&b, "%s:%d:%d: %s", p.File, x.Line, x.Column, x.What)
		} else {
			fmt.Fprintf(&b, "%s: %s", p.File, x.What)
		}
	}
	return b.String()
}

// SourcesOnly tells whether the layout file itself is right.
func (p *Problems) SourcesOnly() bool {
	return !slices.ContainsFunc(p.List, func(x Problem) bool { return !x.Source })
}

func (p *Problems) orNil() error {
	if len(p.List) == 0 {
		return nil
	}
	slices.SortStableFunc(p.List, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return p
}

// Load reads a layout file and looks at its source folders, not into them. env
// looks a variable up, as os.LookupEnv does. A *Problems error has all that is
// wrong.
func Load(file string, env func(string) (string, bool)) (*Layout, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, &Problems{File: file, List: []Problem{{What: err.Error()}}}
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	problems := &Problems{File: file}
	l := parse(problems, filepath.Dir(abs), text, env)
	if l != nil {
		l.Path = abs
		l.findSources(problems)
		l.findSnapshots(problems)
		l.findSpools(problems)
	}
	if err := problems.orNil(); err != nil {
		return nil, err
	}
	return l, nil
}

// findSources looks every source up, and fills in what depends on whether it is
// a file or a folder.
func (l *Layout) findSources(problems *Problems) {
	numbers := map[string]int{}
	mounts := readMounts()
	for a := range l.Archives {
		for m := range l.Archives[a].Mappings {
			m := &l.Archives[a].Mappings[m]
			if m.Source == "" {
				continue // said already
			}
			if len(problems.List) > maxProblems {
				return
			}
			if point := mounts.at(m.Source); point != "" {
				problems.add(m.pos, true, "%s", inVzip(m.Source, point))
				continue
			}
			// Links in the path that the user wrote are followed; what they
			// lead to is the root that nothing is read outside of.
			real := ""
			fi, err := os.Stat(m.Source)
			if err == nil {
				real, err = filepath.EvalSymlinks(m.Source)
			}
			ref := source.Ref{Root: real, Rel: ".", Follow: l.Archives[a].Symlinks == SymlinksFollow, Pulse: &l.Pulse}
			if err == nil && !fi.IsDir() {
				ref.Root, ref.Rel = filepath.Dir(real), filepath.Base(real)
			}
			if err == nil {
				m.stat, err = ref.Lstat()
			}
			if err != nil {
				problems.add(m.pos, true, "source %s: %v: %s", m.Source, cause(err), sourceHint(m.given, err))
				continue
			}
			if mounts.vzip[m.stat.Dev] {
				problems.add(m.pos, true, "%s", inVzip(m.Source, real))
				continue
			}
			switch {
			case m.stat.IsDir():
			case !m.stat.IsRegular():
				problems.add(m.pos, true, "source %s is no file or folder: name one of these", m.Source)
			case m.asGiven && m.As == "":
				problems.add(m.pos, false, `"as: ." puts the content of a folder at the root, but source %s is a file: give it a name`, m.Source)
			case m.Include != nil || m.Exclude != nil:
				problems.add(m.pos, false, "include and exclude choose from a folder, but source %s is a file: leave them out", m.Source)
			}
			if _, ok := numbers[ref.Root]; !ok {
				numbers[ref.Root] = len(l.roots)
				l.roots = append(l.roots, ref.Root)
			}
			m.ref, m.root = ref, numbers[ref.Root]
			if !m.asGiven {
				m.As = l.defaultName(problems, &l.Archives[a], m)
			}
		}
	}
}

var shellVariable = regexp.MustCompile(`\$[A-Za-z_]`)

// sourceHint says what to do about a source that can't be looked at. Shells
// expand what a layout file does not.
func sourceHint(given string, err error) string {
	switch {
	case errors.Is(err, unix.ENOTCONN):
		return deadHint
	case strings.HasPrefix(given, "~"):
		return "~ is not expanded here: write ${HOME}"
	case shellVariable.MatchString(given):
		return "variables are written ${NAME}, with braces"
	case strings.ContainsAny(given, "*?["):
		return "a source is one path: name the folder, and put patterns into include"
	}
	return "check the path and its permissions"
}

// defaultName is the source's base name, spelt as the names option says.
func (l *Layout) defaultName(problems *Problems, a *Archive, m *Mapping) string {
	base := filepath.Base(m.Source)
	if last := filepath.Base(filepath.Clean(m.given)); last == "." || last == ".." {
		problems.add(m.pos, false, `source %q has no name of its own: add "as: ." or another name`, m.given)
		return ""
	}
	if base == "/" {
		problems.add(m.pos, false, `the source is the root folder, which has no name: add "as: ." or another name`)
		return ""
	}
	name, err := a.Names.spell(base)
	if err != nil {
		problems.add(m.pos, false, "source %s: %v", m.Source, err)
	}
	return name
}

// Sources yields the absolute paths of all sources, links in them resolved.
func (l *Layout) Sources() []string {
	var paths []string
	for _, a := range l.Archives {
		for _, m := range a.Mappings {
			paths = append(paths, path.Join(m.ref.Root, m.ref.Rel))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// cause strips the operation and path that the message around it says already.
func cause(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}

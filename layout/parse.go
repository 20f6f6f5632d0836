package layout

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"vzip/zipgen"
)

var layoutFields = fields[Layout]{
	"version":  (*parser).version,
	"archives": nil, // read after the defaults
	"defaults": nil,
}

var archiveFields = with(fields[Archive]{
	"name":    (*parser).archiveName,
	"entries": (*parser).mappings,
}, func(a *Archive) *Options { return &a.Options }, optionFields)

var mappingFields = with(fields[Mapping]{
	"source":  (*parser).source,
	"as":      (*parser).as,
	"include": func(p *parser, n *yaml.Node, m *Mapping) { m.Include = p.globs(n, "include") },
	"exclude": func(p *parser, n *yaml.Node, m *Mapping) { m.Exclude = p.globs(n, "exclude") },
}, func(m *Mapping) *Compression { return &m.Compression }, compressionFields)

var optionFields = with(fields[Options]{
	"comment":         (*parser).comment,
	"symlinks":        choice("symlinks", func(o *Options) *Symlinks { return &o.Symlinks }, SymlinksStore, SymlinksFollow, SymlinksSkip, SymlinksError),
	"special":         choice("special", func(o *Options) *Special { return &o.Special }, SpecialSkip, SpecialError),
	"names":           choice("names", func(o *Options) *Names { return &o.Names }, NamesError, NamesEscape, NamesRaw),
	"directories":     boolean("directories", func(o *Options) *bool { return &o.Directories }),
	"modes":           choice("modes", func(o *Options) *Modes { return &o.Modes }, ModesSource, ModesFixed),
	"mtime":           (*parser).modTime,
	"ntfs_times":      boolean("ntfs_times", func(o *Options) *bool { return &o.NTFSTimes }),
	"owners":          choice("owners", func(o *Options) *Owners { return &o.Owners }, OwnersOmit, OwnersStore),
	"one_file_system": boolean("one_file_system", func(o *Options) *bool { return &o.OneFileSystem }),
	"on_busy":         choice("on_busy", func(o *Options) *OnBusy { return &o.OnBusy }, OnBusyFail, OnBusySkip, OnBusyWait),
	"expose":          choice("expose", func(o *Options) *Expose { return &o.Expose }, ExposeSources, ExposeWorld),
	"align":           (*parser).align,
	"split":           (*parser).split,
	"sidecars":        (*parser).sidecars,
	"snapshot":        (*parser).snapshot,
	"spool":           (*parser).spool,
	"spool_size":      (*parser).spoolSize,
}, func(o *Options) *Compression { return &o.Compression }, compressionFields)

// parse returns the layout that text says. It is nil where text is no YAML
// mapping, or too much is wrong; otherwise what could be understood, with
// problems told.
func parse(problems *Problems, dir string, text []byte, env func(string) (string, bool)) *Layout {
	return (&parser{Problems: problems, env: env, dir: dir}).layout(text)
}

func (p *parser) layout(text []byte) *Layout {
	root := p.document(text)
	if root == nil {
		return nil
	}
	l := &Layout{File: p.File}
	values := read(p, root, "the layout", layoutFields, l)
	if values == nil {
		return nil
	}
	if values["version"] == nil {
		p.at(root, "version is missing: add \"version: 1\"")
	}
	defaults := defaultOptions()
	if n := values["defaults"]; n != nil {
		read(p, n, "defaults", optionFields, &defaults)
	}
	if value, _ := p.env("SOURCE_DATE_EPOCH"); value != "" {
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			p.add(pos{}, false, "the variable SOURCE_DATE_EPOCH is %q: set it to whole seconds since 1970, or unset it", value)
		}
	}
	n := values["archives"]
	if n == nil {
		p.at(root, "archives is missing: add a list of archives, each with a name and entries")
		return l
	}
	for _, item := range p.list(n, "archives") {
		a := Archive{Options: defaults, pos: pos{item.Line, item.Column}}
		keys := read(p, item, "an archive", archiveFields, &a)
		if keys == nil {
			continue
		}
		if keys["name"] == nil {
			p.at(item, "the archive has no name: add one, such as \"name: files.zip\"")
		}
		if keys["entries"] == nil {
			p.at(item, "the archive has no entries: add a list of sources, or \"entries: []\" for an empty archive")
		}
		if at, ok := p.epoch(); ok {
			a.ModTime = &at
		}
		for i := range a.Mappings {
			a.Mappings[i].fill(a.Compression)
		}
		l.Archives = append(l.Archives, a)
	}
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.at(n, "archives is empty: add an archive with a name and entries")
	}
	if p.done() {
		return nil
	}
	p.checkArchiveNames(l)
	p.checkNamesBeside(l)
	return l
}

// epoch is the time that reproducible builds ask for; it wins over the layout.
func (p *parser) epoch() (int64, bool) {
	value, _ := p.env("SOURCE_DATE_EPOCH")
	at, err := strconv.ParseInt(value, 10, 64)
	return at, err == nil
}

func (p *parser) version(n *yaml.Node, _ *Layout) {
	n = p.visit(n)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Value != "1" {
		p.at(n, "version must be 1, not %s: this vzip knows no other", kind(n))
	}
}

func (p *parser) archiveName(n *yaml.Node, a *Archive) {
	name, ok := p.text(n, "name")
	if !ok {
		return
	}
	a.pos = pos{n.Line, n.Column}
	if err := checkPath(name); err != nil {
		p.at(n, "archive name %q: %v", name, err)
		return
	}
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > 255 {
			p.at(n, "archive name %q: a part has %d bytes, and a file's name at most 255: shorten it", name, len(part))
			return
		}
	}
	if len(name) > 4000 {
		p.at(n, "archive name of %d bytes: a path has at most 4000: shorten it", len(name))
		return
	}
	if name == hiddenFolder || strings.HasPrefix(name, hiddenFolder+"/") {
		p.at(n, "archive name %q: %s is where a mount has its own status: use another name", name, hiddenFolder)
		return
	}
	a.Name = name
}

// hiddenFolder is a folder of each mount that is vzip's own.
const hiddenFolder = ".vzip"

// checkPath says whether a name that the user chose can stand below a
// mountpoint or in an archive.
func checkPath(name string) error {
	if strings.HasSuffix(name, "/") && name != "/" {
		return fmt.Errorf("it ends in a slash: drop that")
	}
	if err := zipgen.CheckName(name); err != nil {
		return fmt.Errorf("%s: use a relative path of plain names", strings.TrimPrefix(err.Error(), zipgen.ErrName.Error()+": "))
	}
	if bad := badness(name); bad != "" {
		return fmt.Errorf("it %s: use another name", bad)
	}
	return nil
}

// checkArchiveNames finds names that are the same, or a file and a folder at once.
func (p *parser) checkArchiveNames(l *Layout) {
	first := map[string]pos{}
	for _, a := range l.Archives {
		if a.Name == "" {
			continue
		}
		if at, ok := first[a.Name]; ok {
			p.add(a.pos, false, "two archives are called %q, the first in line %d: rename one", a.Name, at.line)
			continue
		}
		first[a.Name] = a.pos
	}
	for _, a := range l.Archives {
		for i := range len(a.Name) {
			if a.Name[i] != '/' {
				continue
			}
			if at, ok := first[a.Name[:i]]; ok {
				p.add(a.pos, false, "archive %q needs the folder %q, but line %d has an archive of that name: rename one", a.Name, a.Name[:i], at.line)
			}
		}
	}
}

func (p *parser) mappings(n *yaml.Node, a *Archive) {
	for _, item := range p.list(n, "entries") {
		m := Mapping{pos: pos{item.Line, item.Column}}
		keys := read(p, item, "an entry", mappingFields, &m)
		if keys == nil {
			continue
		}
		if keys["source"] == nil {
			p.at(item, "the entry has no source: add the path of a file or folder")
		}
		a.Mappings = append(a.Mappings, m)
	}
}

func (p *parser) source(n *yaml.Node, m *Mapping) {
	s, ok := p.text(n, "source")
	m.given = s
	switch {
	case !ok:
	case s == "":
		p.at(n, "source is empty: give the path of a file or folder")
	case strings.ContainsRune(s, 0):
		p.at(n, "source %q holds a NUL byte: give the path of a file or folder", s)
	case filepath.IsAbs(s):
		m.Source = filepath.Clean(s)
	default:
		m.Source = filepath.Join(p.dir, s)
	}
	m.pos = pos{n.Line, n.Column}
}

func (p *parser) as(n *yaml.Node, m *Mapping) {
	m.asGiven = true // even if it is wrong: one problem is enough
	name, ok := p.text(n, "as")
	if !ok {
		m.As = "?"
		return
	}
	if name == "." {
		return
	}
	m.As = name
	if err := checkPath(name); err != nil {
		p.at(n, "as %q: %v", name, err)
	}
}

func (p *parser) globs(n *yaml.Node, key string) []string {
	globs := []string{}
	n = p.visit(n)
	if key == "include" && n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.at(n, "include is empty, so nothing would be stored: add a pattern, or leave include out to store all")
	}
	for _, item := range p.list(n, key) {
		g, ok := p.text(item, "a pattern")
		if !ok {
			continue
		}
		if err := checkGlob(g); err != nil {
			p.at(item, "%v", err)
			continue
		}
		globs = append(globs, g)
	}
	return globs
}

func (p *parser) comment(n *yaml.Node, o *Options) {
	s, ok := p.text(n, "comment")
	if !ok {
		return
	}
	if _, err := zipgen.NewBuilder(zipgen.Options{Comment: s}).Archive(); err != nil {
		p.at(n, "%v: shorten or change it", err)
		return
	}
	o.Comment = s
}

// choice reads one of a few words.
func choice[T ~string, Of any](key string, into func(*Of) *T, words ...T) func(*parser, *yaml.Node, *Of) {
	return func(p *parser, n *yaml.Node, of *Of) {
		s, ok := p.word(n, key)
		if ok && !slices.Contains(words, T(s)) {
			known := strings.Trim(strings.ReplaceAll(fmt.Sprint(words), " ", ", "), "[]")
			p.at(n, "%s %q is not known: use one of %s", key, s, known)
			return
		}
		if ok {
			*into(of) = T(s)
		}
	}
}

// boolean reads true or false.
func boolean(key string, into func(*Options) *bool) func(*parser, *yaml.Node, *Options) {
	return func(p *parser, n *yaml.Node, o *Options) {
		n = p.visit(n)
		var v bool
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(&v) != nil {
			p.at(n, "%s must be true or false, not %s", key, kind(n))
			return
		}
		*into(o) = v
	}
}

func (p *parser) modTime(n *yaml.Node, o *Options) {
	s, ok := p.word(n, "mtime")
	if !ok {
		return
	}
	if s == "source" {
		o.ModTime = nil
		return
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		p.at(n, `mtime %q is neither "source" nor an RFC 3339 time: write it like 2026-01-31T12:00:00Z`, s)
		return
	}
	at := t.Unix()
	o.ModTime = &at
}

package layout

import (
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// patterns are globs over paths relative to a source folder. A pattern that
// matches a folder covers all that is in it. A slash at the end keeps a pattern
// to folders.
type patterns []pattern

type pattern struct {
	given    string
	text     string // without a slash at the end
	dirsOnly bool
	parts    []string // of text; nil where it can't be cut at slashes
	used     bool
}

func compile(globs []string) patterns {
	var ps patterns
	for _, g := range globs {
		p := pattern{given: g}
		p.text, p.dirsOnly = strings.CutSuffix(g, "/")
		// A slash inside of braces or brackets, or after a backslash, parts nothing.
		if !strings.ContainsAny(p.text, `{[\`) {
			p.parts = strings.Split(p.text, "/")
		}
		ps = append(ps, p)
	}
	return ps
}

// Stores tells whether a file would be stored in an archive, or with only set in
// that archive, and in which. The path is absolute and without links.
func (l *Layout) Stores(file, only string) (archive string, stored bool) {
	for i := range l.Archives {
		a := &l.Archives[i]
		if only != "" && a.Name != only {
			continue
		}
		for j := range a.Mappings {
			if a.Mappings[j].stores(file) {
				return a.Name, true
			}
		}
	}
	return "", false
}

func (m *Mapping) stores(file string) bool {
	root := m.ref.Path()
	rel, below := strings.CutPrefix(file, strings.TrimSuffix(root, "/")+"/")
	if !below || !m.stat.IsDir() {
		return file == root
	}
	include, exclude := compile(m.Include), compile(m.Exclude)
	wanted := m.Include == nil
	for i := 0; i <= len(rel); i++ {
		if i < len(rel) && rel[i] != '/' {
			continue
		}
		if exclude.match(rel[:i], i < len(rel)) {
			return false
		}
		wanted = include.match(rel[:i], i < len(rel)) || wanted
	}
	return wanted
}

// enters tells whether a walk looks at the folder rel, or passes it.
func (m *Mapping) enters(rel string) bool {
	include, exclude := compile(m.Include), compile(m.Exclude)
	wanted := m.Include == nil
	for i := 0; i <= len(rel); i++ {
		if i < len(rel) && rel[i] != '/' {
			continue
		}
		wanted = include.match(rel[:i], true) || wanted
		if exclude.match(rel[:i], true) || !wanted && !include.reach(rel[:i]) {
			return false
		}
	}
	return true
}

// checkGlob says what is wrong with a pattern that the user wrote.
func checkGlob(g string) error {
	text := strings.TrimSuffix(g, "/")
	switch {
	case text == "":
		return fmt.Errorf("the pattern %q is empty: name what it should match", g)
	case strings.HasPrefix(text, "/"):
		return fmt.Errorf("the pattern %q is absolute, but patterns are relative to the source folder: drop the leading slash", g)
	case !doublestar.ValidatePattern(text):
		return fmt.Errorf("the pattern %q is malformed: close its brackets and braces, or put a backslash before what stands for itself", g)
	}
	for part := range strings.SplitSeq(text, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("the pattern %q has the part %q, which no file's path has: take it out", g, part)
		}
	}
	return nil
}

// match tells whether a pattern matches the path rel, and marks those that do.
func (ps patterns) match(rel string, isDir bool) bool {
	any := false
	for i := range ps {
		p := &ps[i]
		if (!p.dirsOnly || isDir) && doublestar.MatchUnvalidated(p.text, rel) {
			p.used, any = true, true
		}
	}
	return any
}

// covers tells whether a pattern matches the file rel, or a folder that it is in.
func (ps patterns) covers(rel string) bool {
	for i := range rel {
		if len(ps) > 0 && rel[i] == '/' && ps.match(rel[:i], true) {
			return true
		}
	}
	return ps.match(rel, false)
}

// reach tells whether a pattern could match something below the folder rel.
func (ps patterns) reach(rel string) bool {
	depth := strings.Count(rel, "/") + 1
	for _, p := range ps {
		if p.reach(rel, depth) {
			return true
		}
	}
	return false
}

func (p *pattern) reach(rel string, depth int) bool {
	if p.parts == nil {
		return true
	}
	for i, part := range p.parts {
		if part == "**" {
			return i == 0 || i <= depth && doublestar.MatchUnvalidated(strings.Join(p.parts[:i], "/"), firstParts(rel, i))
		}
		if i+1 == depth {
			return len(p.parts) > depth && doublestar.MatchUnvalidated(strings.Join(p.parts[:depth], "/"), rel)
		}
	}
	return false
}

// firstParts returns the first n components of a path that has at least n.
func firstParts(rel string, n int) string {
	at := 0
	for range n {
		i := strings.IndexByte(rel[at:], '/')
		if i < 0 {
			return rel
		}
		at += i + 1
	}
	return rel[:at-1]
}

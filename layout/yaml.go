package layout

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// parser walks the YAML nodes of a layout file. It goes on after a problem, so
// that one run tells them all.
type parser struct {
	*Problems
	env    func(string) (string, bool)
	dir    string
	visits int
}

// maxVisits bounds the nodes looked at: aliases of aliases can name more of them
// than the file has bytes.
const maxVisits = 1 << 22

// fields says which keys a mapping may have, and what to do with their values.
// The JSON Schema in configs/ is held against these tables.
type fields[T any] map[string]func(p *parser, value *yaml.Node, into *T)

// with returns the fields of T and those of a part of it.
func with[T, Part any](own fields[T], part func(*T) *Part, of fields[Part]) fields[T] {
	all := maps.Clone(own)
	for key, read := range of {
		all[key] = func(p *parser, n *yaml.Node, into *T) { read(p, n, part(into)) }
	}
	return all
}

func (p *parser) at(n *yaml.Node, format string, args ...any) {
	p.add(pos{n.Line, n.Column}, false, format, args...)
}

var yamlErrorLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// document returns the content of the file's one document.
func (p *parser) document(text []byte) *yaml.Node {
	if i := invalidUTF8(text); i >= 0 {
		line := 1 + strings.Count(string(text[:i]), "\n")
		column := i - strings.LastIndexByte(string(text[:i]), '\n')
		p.add(pos{line, column}, false, "the file is not UTF-8 here (byte 0x%02x): save it as UTF-8", text[i])
		return nil
	}
	in := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc, more yaml.Node
	if err := in.Decode(&doc); err != nil {
		p.syntax(err)
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 || isNull(doc.Content[0]) {
		p.add(pos{1, 1}, false, "the file is empty: write \"version: 1\" and a list of archives")
		return nil
	}
	switch err := in.Decode(&more); {
	case err == nil:
		p.at(&more, "a second document starts here: keep one, or make it a file of its own")
		return nil
	case err != io.EOF:
		p.syntax(err)
		return nil
	}
	return doc.Content[0]
}

func (p *parser) syntax(err error) {
	if err == io.EOF {
		p.add(pos{1, 1}, false, "the file is empty: write \"version: 1\" and a list of archives")
		return
	}
	at := pos{1, 1}
	what := err.Error()
	if m := yamlErrorLine.FindStringSubmatch(what); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			at.line = line
		}
		what = m[2]
	}
	p.add(at, false, "this is not YAML: %s: mend the line, or the one before it", what)
}

// invalidUTF8 returns where text is not UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// visit follows an alias, and counts.
func (p *parser) visit(n *yaml.Node) *yaml.Node {
	p.visits++
	if p.visits == maxVisits {
		p.at(n, "the file's aliases stand for more than %d values: write fewer", maxVisits)
	}
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// read gives the values of a mapping to their fields, and returns them by key;
// nil where n is no mapping.
func read[T any](p *parser, n *yaml.Node, what string, known fields[T], into *T) map[string]*yaml.Node {
	n = p.visit(n)
	if n.Kind != yaml.MappingNode {
		p.at(n, "%s must be a mapping of keys to values, not %s", what, kind(n))
		return nil
	}
	values := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if p.visits > maxVisits {
			return nil
		}
		field, ok := known[key.Value]
		switch {
		case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
			p.at(key, "merge keys (<<) are not supported: write the keys out, or use defaults")
		case key.Kind != yaml.ScalarNode || !ok:
			p.at(key, "unknown key %q in %s: use one of %s", key.Value, what, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case values[key.Value] != nil:
			p.at(key, "%s is given twice, first in line %d: take one out", key.Value, values[key.Value].Line)
		default:
			values[key.Value] = value
			if field != nil {
				field(p, value, into)
			}
		}
	}
	return values
}

// list returns the items of a sequence.
func (p *parser) list(n *yaml.Node, what string) []*yaml.Node {
	n = p.visit(n)
	if n.Kind != yaml.SequenceNode {
		p.at(n, "%s must be a list (lines that start with \"- \"), not %s", what, kind(n))
		return nil
	}
	items := make([]*yaml.Node, 0, len(n.Content))
	for _, item := range n.Content {
		if p.visits > maxVisits {
			break
		}
		items = append(items, p.visit(item))
	}
	return items
}

// text returns a string with variables expanded.
func (p *parser) text(n *yaml.Node, what string) (string, bool) {
	n = p.visit(n)
	switch {
	case isNull(n):
		p.at(n, "%s has no value: give it one, or leave the key out", what)
	case n.Kind != yaml.ScalarNode:
		p.at(n, "%s must be text, not %s", what, kind(n))
	case n.ShortTag() != "!!str" && n.ShortTag() != "!!timestamp":
		p.at(n, "%s must be text, not %s: put it in quotes", what, kind(n))
	default:
		s, err := expand(n.Value, p.env)
		if err != nil {
			p.at(n, "%s: %v", what, err)
			return "", false
		}
		return s, true
	}
	return "", false
}

// kind is a node's type in words.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return fmt.Sprintf("the text %q", n.Value)
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the truth value " + n.Value
	case "!!null":
		return "nothing"
	default:
		return "a value of type " + tag
	}
}

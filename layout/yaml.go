package layout

import (
	"bytes"
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
	env  func(string) (string, bool)
	dir  string
	left int // how much may still be looked at, see visit
}

// aliasRoom is how many values a file's aliases may stand for, beside what the
// file itself has.
const aliasRoom = 1 << 20

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
	if len(p.List) <= maxProblems { // nobody reads more
		p.add(pos{n.Line, n.Column}, false, format, args...)
	}
}

// document returns the content of the file's one document.
func (p *parser) document(text []byte) *yaml.Node {
	if i := invalidUTF8(text); i >= 0 {
		p.add(place(text, i), false, "the file is not UTF-8 here (byte 0x%02x): save it as UTF-8", text[i])
		return nil
	}
	// One node costs two visits at most, and two bytes at least.
	p.left = 2*len(text) + aliasRoom
	in := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := in.Decode(&doc); err != nil {
		p.syntax(text, err)
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
		p.syntax(text, err)
		return nil
	}
	return doc.Content[0]
}

// Errors of yaml.v3. Those of its parser name the line before the one where the
// list or mapping starts that ends too early.
var (
	yamlErrorLine   = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	yamlParserError = regexp.MustCompile(`^(did not find expected (<document start>|node content|key|'-' indicator|',' or)|found undefined tag handle)`)
	yamlNoAnchor    = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

func (p *parser) syntax(text []byte, err error) {
	if err == io.EOF {
		p.add(pos{1, 1}, false, "the file is empty: write \"version: 1\" and a list of archives")
		return
	}
	at, hint := pos{1, 1}, "mend the line, or the one before it"
	what := err.Error()
	if m := yamlErrorLine.FindStringSubmatch(what); m != nil {
		line, err := strconv.Atoi(m[1])
		if err == nil {
			at.line = line
		}
		what = m[2]
		if yamlParserError.MatchString(what) {
			if err == nil {
				at.line++
			}
			hint = "mend the indentation, brackets or quotes around here"
		}
	}
	if m := yamlNoAnchor.FindStringSubmatch(what); m != nil {
		at = place(text, max(0, bytes.Index(text, []byte("*"+m[1]))))
		hint = "put text that starts with * in quotes, or set the anchor before this"
	}
	switch what {
	case "control characters are not allowed":
		at = place(text, max(0, bytes.IndexFunc(text, isControl)))
		hint = `take this one out, or write it as "\xNN"`
	case "found character that cannot start any token":
		if line := lineOf(text, at.line); strings.HasPrefix(strings.TrimLeft(line, " "), "\t") {
			hint = "indent with spaces, not with tabs"
		}
	case "found incompatible YAML document":
		hint = "take the %YAML line out"
	}
	p.add(at, false, "this is not YAML: %s: %s", what, hint)
}

// place returns the line and column of a byte of the file.
func place(text []byte, i int) pos {
	start := bytes.LastIndexByte(text[:i], '\n') + 1
	return pos{1 + bytes.Count(text[:start], []byte("\n")), 1 + utf8.RuneCount(text[start:i])}
}

// lineOf returns a line of the file by its number.
func lineOf(text []byte, number int) string {
	lines := strings.SplitAfterN(string(text), "\n", number+1)
	return lines[min(number, len(lines))-1]
}

// isControl tells whether a YAML file can't have a character as it is.
func isControl(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || 0x7F <= r && r < 0xA0 && r != 0x85 || r == 0xFFFE || r == 0xFFFF
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

// visit follows an alias, and counts: aliases of aliases can name far more values
// than the file has bytes.
func (p *parser) visit(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	before := p.left
	p.left -= 1 + len(n.Value)/16
	if before >= 0 && p.left < 0 {
		p.at(n, "the file's aliases stand for too many values: use fewer")
	}
	return n
}

// done tells that enough is wrong: nobody reads more lines.
func (p *parser) done() bool { return p.left < 0 || len(p.List) > maxProblems }

// read gives the values of a mapping to their fields, and returns them by key;
// nil where n is no mapping.
func read[T any](p *parser, n *yaml.Node, what string, known fields[T], into *T) map[string]*yaml.Node {
	n = p.visit(n)
	if n.Kind != yaml.MappingNode {
		p.at(n, "%s must be a mapping of keys to values, not %s", what, kind(n))
		return nil
	}
	values := map[string]*yaml.Node{}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if p.done() {
			return nil
		}
		field, ok := known[key.Value]
		switch {
		case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
			p.at(key, "merge keys (<<) are not supported: write the keys out, or use defaults")
		case key.Kind != yaml.ScalarNode:
			p.at(key, "a key in %s must be text, not %s", what, kind(key))
		case !ok:
			p.at(key, "unknown key %q in %s: use one of %s", key.Value, what, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case values[key.Value] != nil:
			p.at(key, "%s is given twice, first in line %d: take one out", key.Value, lines[key.Value])
		default:
			values[key.Value], lines[key.Value] = value, key.Line
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
		if p.done() {
			break
		}
		items = append(items, p.visit(item))
	}
	return items
}

// text returns a string with variables expanded.
func (p *parser) text(n *yaml.Node, what string) (string, bool) { return p.scalar(n, what, false) }

// word returns a string that is held against a few that are known; a number then
// is as wrong as another word, with quotes or without.
func (p *parser) word(n *yaml.Node, what string) (string, bool) { return p.scalar(n, what, true) }

func (p *parser) scalar(n *yaml.Node, what string, word bool) (string, bool) {
	n = p.visit(n)
	switch {
	case isNull(n):
		p.at(n, "%s has no value: give it one, or leave it out", what)
	case n.Kind != yaml.ScalarNode || !strings.HasPrefix(n.ShortTag(), "!!"):
		p.at(n, "%s must be text, not %s", what, kind(n))
	case !word && n.ShortTag() != "!!str" && n.ShortTag() != "!!timestamp":
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
	case yaml.AliasNode:
		return "an alias"
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

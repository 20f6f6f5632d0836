package layout

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

const schemaFile = "../configs/vzip.schema.json"

func compileSchema(t *testing.T, pointer string) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(schemaFile + "#" + pointer)
	must(t, err)
	return s
}

// object is what the test reads of the schema's JSON.
type object = map[string]any

func schemaJSON(t *testing.T) object {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	must(t, err)
	var s object
	must(t, json.Unmarshal(text, &s))
	return s
}

// tables are the schema's objects, and the parser's tables of their keys.
func tables(s object) map[string]struct{ schema, parser []string } {
	keys := func(of any) []string { return slices.Sorted(maps.Keys(of.(object)["properties"].(object))) }
	defs := s["$defs"].(object)
	return map[string]struct{ schema, parser []string }{
		"layout":   {keys(s), slices.Sorted(maps.Keys(layoutFields))},
		"defaults": {keys(defs["defaults"]), slices.Sorted(maps.Keys(optionFields))},
		"archive":  {keys(defs["archive"]), slices.Sorted(maps.Keys(archiveFields))},
		"entry":    {keys(defs["entry"]), slices.Sorted(maps.Keys(mappingFields))},
	}
}

func TestSchemaKeys(t *testing.T) {
	t.Parallel()
	for name, keys := range tables(schemaJSON(t)) {
		if !slices.Equal(keys.schema, keys.parser) {
			t.Errorf("%s: the schema has %q, the parser %q", name, keys.schema, keys.parser)
		}
	}
}

// keys yields each key of the schema with what it says of its value, references
// resolved.
func keysOf(s object) map[string]object {
	found := map[string]object{}
	defs := s["$defs"].(object)
	for name, of := range map[string]object{"layout": s, "defaults": defs["defaults"].(object), "archive": defs["archive"].(object), "entry": defs["entry"].(object)} {
		for key, value := range of["properties"].(object) {
			all := object{}
			if ref, ok := value.(object)["$ref"].(string); ok {
				maps.Copy(all, defs[strings.TrimPrefix(ref, "#/$defs/")].(object))
			}
			maps.Copy(all, value.(object))
			found[name+"/"+key] = all
		}
	}
	return found
}

// An editor shows these at every key, and its examples are right.
func TestSchemaHelps(t *testing.T) {
	t.Parallel()
	for key, says := range keysOf(schemaJSON(t)) {
		title, _ := says["title"].(string)
		description, _ := says["description"].(string)
		examples, _ := says["examples"].([]any)
		if title == "" || !strings.HasSuffix(description, ".") || len(examples) == 0 {
			t.Errorf("%s: title %q, description %q, %d examples", key, title, description, len(examples))
		}
		if _, ok := optionFields[filepath.Base(key)]; ok && says["default"] == nil {
			t.Errorf("%s has no default", key)
		}
		of, name, _ := strings.Cut(key, "/")
		for _, value := range examples {
			layout := exampleLayout(of, name, value)
			if problems := parseAll(t, layout); problems != "" {
				t.Errorf("%s: the parser refuses the example %v: %s", key, value, problems)
			}
			if err := compileSchema(t, "").Validate(jsonValue(t, layout)); err != nil {
				t.Errorf("%s: the schema refuses the example %v: %v", key, value, err)
			}
		}
	}
}

// exampleLayout is a layout with a key set somewhere.
func exampleLayout(of, key string, value any) string {
	entry := object{"source": "src"}
	archive := object{"name": "a.zip", "entries": []any{entry}}
	layout := object{"version": 1, "archives": []any{archive}}
	defaults := object{}
	map[string]object{"layout": layout, "defaults": defaults, "archive": archive, "entry": entry}[of][key] = value
	if len(defaults) > 0 {
		layout["defaults"] = defaults
	}
	text, err := yaml.Marshal(layout)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// parseAll returns what the parser finds wrong in a layout, with every variable
// set that the schema's examples use.
func parseAll(t *testing.T, text string) string {
	t.Helper()
	problems := &Problems{File: "layout.yaml"}
	parse(problems, "/", []byte(text), env("HOME", "/root", "VERSION", "1", "BUILD_TIME", "2026-01-31T12:00:00Z"))
	return problems.Error()
}

// The words of an option, and the one that counts without it, are the parser's.
func TestSchemaWords(t *testing.T) {
	t.Parallel()
	words := 0
	for key, says := range keysOf(schemaJSON(t)) {
		option, isDefault := strings.CutPrefix(key, "defaults/")
		if !isDefault {
			continue
		}
		with := parseOptions(t, exampleLayout("defaults", option, says["default"]))
		if !reflect.DeepEqual(with, defaultOptions()) {
			t.Errorf("%s: with the schema's default got %+v, want %+v", option, with, defaultOptions())
		}
		enum, ok := says["enum"].([]any)
		if !ok {
			continue
		}
		words++
		var want []string
		for _, word := range enum {
			want = append(want, fmt.Sprint(word))
		}
		_, list, _ := strings.Cut(parseAll(t, exampleLayout("defaults", option, "no such word")), "use one of ")
		if got := strings.Split(list, ", "); !slices.Equal(got, want) {
			t.Errorf("%s: the parser knows %q, the schema %q", option, got, want)
		}
	}
	if words != 8 {
		t.Errorf("got %d options of words, want 8", words)
	}
}

func parseOptions(t *testing.T, text string) Options {
	t.Helper()
	problems := &Problems{}
	l := parse(problems, "/", []byte(text), env())
	must(t, problems.orNil())
	return l.Archives[0].Options
}

// What is wrong by shape alone is red in an editor as well.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t, "")
	broken := brokenLayouts(t, "shape/*.txtar")
	if len(broken) < 90 {
		t.Errorf("got %d layouts, want more than 90", len(broken))
	}
	for _, b := range broken {
		if schema.Validate(jsonValue(t, b.text)) == nil {
			t.Errorf("%s/%s: the schema takes it, and should refuse it:\n%s", b.topic, b.name, b.text)
		}
	}
}

func TestSchemaTakes(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t, "")
	files, err := filepath.Glob("testdata/good/*.yaml")
	must(t, err)
	examples, err := filepath.Glob("../configs/*.yaml")
	must(t, err)
	if len(files) < 2 || len(examples) < 3 {
		t.Errorf("got %d layouts and %d examples", len(files), len(examples))
	}
	for _, file := range append(files, examples...) {
		text, err := os.ReadFile(file)
		must(t, err)
		if err := schema.Validate(jsonValue(t, string(text))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// jsonValue is YAML text as JSON has it: a time is text.
func jsonValue(t *testing.T, text string) any {
	t.Helper()
	var doc yaml.Node
	must(t, yaml.Unmarshal([]byte(text), &doc))
	return nodeValue(t, doc.Content[0])
}

func nodeValue(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.AliasNode:
		return nodeValue(t, n.Alias)
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, nodeValue(t, item))
		}
		return list
	case yaml.MappingNode:
		all := object{}
		for i := 0; i < len(n.Content); i += 2 {
			all[n.Content[i].Value] = nodeValue(t, n.Content[i+1])
		}
		return all
	}
	if n.ShortTag() == "!!timestamp" {
		return n.Value
	}
	var v any
	must(t, n.Decode(&v))
	return v
}

package layout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// brokenLayout is a layout that must be refused, with all that is said.
type brokenLayout struct {
	topic, name string
	text, want  string
	sourcesOnly bool
	files       []txtar.File // what else lies in its folder
}

// brokenLayouts reads testdata/broken. A file there has layouts (NAME.yaml), each
// followed by what is said of it: NAME.invalid where the layout file is wrong,
// NAME.sources where only its sources are. All other files are on disk for each.
func brokenLayouts(t *testing.T, glob string) []brokenLayout {
	t.Helper()
	topics, err := filepath.Glob(filepath.Join("testdata", "broken", glob))
	must(t, err)
	var all []brokenLayout
	for _, topic := range topics {
		archive, err := txtar.ParseFile(topic)
		must(t, err)
		var files []txtar.File
		var layouts []brokenLayout
		for _, f := range archive.Files {
			name, ext, _ := strings.Cut(f.Name, ".")
			switch ext {
			case "yaml":
				layouts = append(layouts, brokenLayout{topic: filepath.Base(topic), name: name, text: string(f.Data)})
			case "invalid", "sources":
				b := &layouts[len(layouts)-1]
				if b.name != name || b.want != "" {
					t.Fatalf("%s: %s does not follow %s.yaml", topic, f.Name, name)
				}
				b.want, b.sourcesOnly = strings.TrimSuffix(string(f.Data), "\n"), ext == "sources"
			default:
				files = append(files, f)
			}
		}
		for _, b := range layouts {
			b.files = files
			all = append(all, b)
		}
	}
	return all
}

func TestBroken(t *testing.T) {
	t.Parallel()
	broken := append(brokenLayouts(t, "*.txtar"), brokenLayouts(t, "shape/*.txtar")...)
	if len(broken) < 150 {
		t.Errorf("got %d broken layouts, want more than 150", len(broken))
	}
	for _, b := range broken {
		t.Run(b.topic+"/"+b.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, f := range b.files {
				tree(t, dir, f.Name)
			}
			file := filepath.Join(dir, "layout.yaml")
			must(t, os.WriteFile(file, []byte(b.text), 0o644))
			got, sourcesOnly := attempt(t, file, env("SET", "src", "EMPTY", ""))
			if got != b.want || sourcesOnly != b.sourcesOnly {
				t.Errorf("got (sources alone: %v):\n%s\nwant (sources alone: %v):\n%s", sourcesOnly, got, b.sourcesOnly, b.want)
			}
		})
	}
}

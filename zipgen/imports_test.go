package zipgen

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What the package may import. No files, no network: it knows nothing but
// entries. Package time is there for the calendar alone.
var imports = []string{
	"bytes", "encoding/binary", "errors", "fmt", "io", "iter", "math", "slices", "sort", "strings", "time", "unicode/utf8",
}

func TestImports(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if spec.Name != nil {
				t.Errorf("%s imports %s under another name", name, path)
			}
			got = append(got, path)
		}
		checkPure(t, name, f)
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, imports) {
		t.Errorf("imports: got %q, want %q", got, imports)
	}
}

// checkPure finds clocks, zones and goroutines: the bytes depend on the entries alone.
func checkPure(t *testing.T, name string, f *ast.File) {
	t.Helper()
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s starts a goroutine", name)
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && n.Sel.Name != "Unix" {
				t.Errorf("%s uses time.%s; want time.Unix alone", name, n.Sel.Name)
			}
			if n.Sel.Name == "Local" || n.Sel.Name == "In" {
				t.Errorf("%s uses a time zone", name)
			}
		}
		return true
	})
}

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

// What the package may import. No files, no network, no clocks and zones: it knows
// nothing but entries.
var imports = []string{
	"bytes", "encoding/binary", "errors", "fmt", "io", "iter", "math", "math/bits", "slices", "sort", "strings", "unicode/utf8",
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

// checkPure finds goroutines: the bytes depend on the entries alone.
func checkPure(t *testing.T, name string, f *ast.File) {
	t.Helper()
	ast.Inspect(f, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok {
			t.Errorf("%s starts a goroutine", name)
		}
		return true
	})
}

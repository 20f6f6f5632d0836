package rig

import (
	"io/fs"
	"os"
	"path/filepath"
)

// DependOnSources tells "go test" what the program under test is made of: it looks
// at all Go files of the module, and so a result that is remembered counts only for
// as long as they stay. To be called from a test, not before.
func DependOnSources(module string) error {
	for _, name := range []string{"VZIP", "VZIP_TAGS", "VZIP_SEEDED_BUG"} {
		os.Getenv(name)
	}
	return filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == "bin" || d.Name() == "adapters"):
			return fs.SkipDir
		case filepath.Ext(path) == ".go" || d.Name() == "go.mod":
			_, err = os.Stat(path)
		}
		return err
	})
}

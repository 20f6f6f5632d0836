package uploads

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"vzip/internal/require"
	"vzip/internal/rig"
)

// vzip is the program under test, and work a folder for all tests.
var (
	vzip *rig.Program
	work string
)

// s3Server is the program that "make test" builds; it stands in the repository's bin/.
const s3Server = "../../bin/versitygw"

// TestMain runs the tests in a mount namespace of their own, so that they leave
// nothing behind even when they are killed.
func TestMain(m *testing.M) {
	if code, done := rig.Private(); done {
		os.Exit(code)
	}
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	if work, err = os.MkdirTemp("", "vzip-uploads-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if vzip, err = build(work); err != nil {
		return 1, err
	}
	return require.NoMounts(m), nil
}

// build builds vzip as users get it: with the race detector its memory would be
// another program's.
func build(dir string) (*rig.Program, error) {
	if os.Getenv("VZIP") != "" {
		return rig.Build(context.Background(), dir)
	}
	p := &rig.Program{Path: filepath.Join(dir, "vzip")}
	if out, err := exec.Command("go", "build", "-o", p.Path, "vzip/cmd/vzip").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building vzip: %w: %s", err, out)
	}
	return p, nil
}

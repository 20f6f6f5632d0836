package generation

import (
	"os"
	"testing"

	"vzip/internal/require"
	"vzip/internal/rig"
)

// TestMain runs the tests in a mount namespace of their own, so that they leave nothing
// mounted even when they are killed.
func TestMain(m *testing.M) {
	if code, done := rig.Private(); done {
		os.Exit(code)
	}
	os.Exit(require.NoMounts(m))
}

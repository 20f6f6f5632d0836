// Package require passes tests over on machines that lack what they need, but
// not where everything has to be tested.
package require

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Needs skips a test whose needs this machine does not meet: "fuse" is the right
// to mount, "root" the user, everything else a program. With
// VZIP_TEST_REQUIRE=all in the environment the test fails instead.
func Needs(t testing.TB, needs ...string) {
	t.Helper()
	missing := strings.Join(lacking(needs), "; ")
	switch {
	case missing == "":
	case os.Getenv("VZIP_TEST_REQUIRE") == "all":
		t.Fatal("required: " + missing)
	default:
		t.Skip("required: " + missing)
	}
}

func lacking(needs []string) (missing []string) {
	for _, need := range needs {
		var err error
		switch need {
		case "root":
			if os.Geteuid() != 0 {
				err = errors.New("the user is another")
			}
		case "fuse":
			err = canMount()
		default:
			_, err = exec.LookPath(need)
		}
		if err != nil {
			missing = append(missing, fmt.Sprintf("%s: %v", need, err))
		}
	}
	return missing
}

func canMount() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	f.Close()
	if os.Geteuid() != 0 {
		_, err = exec.LookPath("fusermount3")
	}
	return err
}

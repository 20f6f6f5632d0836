// Package figure lets tests of things that go wrong once in a while run at two
// scales: a short one in each test run, and a full one that gives the figures of
// the documentation.
package figure

import (
	"fmt"
	"os"
	"testing"
)

// scaleVariable set to "full" asks for the full scale.
const scaleVariable = "VZIP_SCALE"

// Full tells whether the full scale was asked for.
func Full() bool { return os.Getenv(scaleVariable) == "full" }

// N returns how often to do something: short in each test run, full for figures.
func N(short, full int) int {
	if Full() {
		return full
	}
	return short
}

// Print writes a figure on a line of its own, which "make figures" collects.
func Print(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Log("figure: " + fmt.Sprintf(format, args...))
}

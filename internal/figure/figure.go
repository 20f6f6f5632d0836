// Package figure lets tests of things that go wrong once in a while run at two
// scales: a short one in each test run, and a full one that gives the figures of
// the documentation.
package figure

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// scaleVariable says how far from the short scale to the full one: "full", or a part
// of it as a number from 0 to 1.
const scaleVariable = "VZIP_SCALE"

func part() float64 {
	text := os.Getenv(scaleVariable)
	if text == "full" {
		return 1
	}
	part, err := strconv.ParseFloat(text, 64)
	if text != "" && (err != nil || part < 0 || part > 1) {
		panic(fmt.Sprintf("%s=%s: use full, or a number from 0 to 1", scaleVariable, text))
	}
	return part
}

// Full tells whether the full scale was asked for.
func Full() bool { return part() == 1 }

// N returns how often to do something: short in each test run, full for figures.
func N(short, full int) int { return short + int(part()*float64(full-short)) }

// Print writes a figure on a line of its own, which "make figures" collects.
func Print(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Log("figure: " + fmt.Sprintf(format, args...))
}

//go:build race

package layout

// The race detector makes the parser some ten times as slow, and as large.
const raceDetector = true

//go:build race

package require

// RaceDetector tells whether the race detector is at work.
const RaceDetector = true

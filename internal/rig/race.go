//go:build race

package rig

// raceEnabled: vzip is watched by the race detector as this program is.
const raceEnabled = true

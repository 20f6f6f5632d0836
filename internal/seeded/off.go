//go:build !seeded

// Package seeded holds the switch for bugs that are put into the program on
// purpose, to prove that the test suite finds them. Programs are built without the
// tag seeded, and then no bug is in them.
package seeded

// On tells whether the bug of that name is switched on: never.
func On(string) bool { return false }

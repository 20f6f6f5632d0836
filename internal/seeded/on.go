//go:build seeded

// Package seeded, built with the tag of that name, switches the bug on that the
// environment names.
package seeded

import "os"

// Variable names the environment variable with the bug's name.
const Variable = "VZIP_SEEDED_BUG"

var bug = os.Getenv(Variable)

// On tells whether the bug of that name is switched on.
func On(name string) bool { return name == bug }

package main

import (
	"testing"
	"time"
)

func TestPackageVersion(t *testing.T) {
	day := time.Date(2026, 1, 31, 23, 59, 0, 0, time.UTC)
	for in, want := range map[string]string{
		"v1.2.0":                       "1.2.0",
		"1.2.0":                        "1.2.0",
		"v1.2.0-dirty":                 "1.2.0+dirty",
		"v1.2.0-5-g0123abc":            "1.2.0+5.g0123abc",
		"v1.2.0-5-g0123abc-dirty":      "1.2.0+5.g0123abc.dirty",
		"v1.2.0-rc.1":                  "1.2.0-rc.1",
		"v1.2.0-rc.1-5-g0123abc":       "1.2.0-rc.1+5.g0123abc",
		"0123abc":                      "0.0.0-git20260131.g0123abc",
		"0123abc-dirty":                "0.0.0-git20260131.g0123abc+dirty",
		"0123456":                      "0.0.0-git20260131.g0123456",
		"":                             "0.0.0-git20260131",
		"something else; rm -rf \"/\"": "0.0.0-git20260131",
	} {
		if got := packageVersion(in, day); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

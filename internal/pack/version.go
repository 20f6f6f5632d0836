package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// described is what "git describe --tags --always --dirty" prints: a tag, perhaps with
// the number of commits after it and the last one's name; or, without a tag, a commit.
var described = regexp.MustCompile(`^(?:v?([0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.]+)?)(?:-([0-9]+)-g([0-9a-f]+))?|([0-9a-f]{7,40}))$`)

// packageVersion turns it into a version that Debian and RPM order as people do, once
// nfpm has written its parts as theirs: 1.2.0-rc.1 before 1.2.0 before 1.2.0+5.g0123abc
// before 1.2.1. Without a tag it is the commit's day that orders.
func packageVersion(describe string, date time.Time) string {
	clean, dirty := strings.CutSuffix(describe, "-dirty")
	part := described.FindStringSubmatch(clean)
	if part == nil {
		return "0.0.0-" + date.Format("git20060102")
	}
	tag, count, after, commit := part[1], part[2], part[3], part[4]
	var meta []string
	version := tag
	switch {
	case commit != "":
		version = fmt.Sprintf("0.0.0-git%s.g%s", date.Format("20060102"), commit)
	case count != "":
		meta = append(meta, count, "g"+after)
	}
	if dirty {
		meta = append(meta, "dirty")
	}
	if len(meta) > 0 {
		version += "+" + strings.Join(meta, ".")
	}
	return version
}

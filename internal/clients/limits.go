package main

import "regexp"

// limit is what a client does for reasons of its own, whatever it reads from.
type limit struct {
	client, scenario string // patterns for whole names
	verdict          verdict
	left             string // at the target; nothing else is explained
	reason           string
	instead          string // what to use, or to do
}

var limits = []limit{
	{"cat to a pipe", "stale, open", silent, "an empty file", "a shell's exit code of a pipe is that of its last program", "`set -o pipefail`"},
	{"cat to a pipe", "stale|EIO|bit-rot|crash|cut off", silent, "the start", "a shell's exit code of a pipe is that of its last program", "`set -o pipefail`"},
	{"curl -T -.*", "stale|EIO|bit-rot|crash|cut off", silent, "the start", "takes a read error of its standard input for the end of the file", "`curl --fail -T FILE`"},
	{"aws s3 cp", "reload", silent, "full size, wrong bytes", "opens the file again, by its name, for each part of 8 MiB: those behind the reload are the next generation's", "`aws s3 cp - URL <FILE`, `vzip exec`, or no reload (nor `--watch`) meanwhile"},
	{"aws s3 cp", "drain", refused, "nothing", "opens the file again, by its name, for each part of 8 MiB, and the name is gone", "`aws s3 cp - URL <FILE`"},
	{"rclone copy.*", "drain", refused, "nothing", "opens the file again, by its name, to compare sums, and the name is gone", "another run after the next mount"},
	{"s3cmd put", "drain", refused, "nothing", "reads the file for its MD5, and opens it again, by its name, to send it, and the name is gone", "another run after the next mount"},
	{"s3cmd put --no-check-md5.*", "reload", refused, "nothing", "opens the file again, by its name, for each part's SHA-256: those behind the reload are the next generation's, and the server refuses the part", "another run"},
	{"s3cmd put --no-check-md5.*", "drain", refused, "nothing", "opens the file again, by its name, for each part's SHA-256, and the name is gone", "another run after the next mount"},
}

// knownLimit returns what explains a cell, nil if nothing does.
func knownLimit(c client, s scenario, x cell) *limit {
	for i := range limits {
		if l := &limits[i]; l.verdict == x.verdict && l.left == x.left && matches(l.client, c.name) && matches(l.scenario, s.name) {
			return l
		}
	}
	return nil
}

func matches(pattern, name string) bool {
	return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(name)
}

package main

import (
	"fmt"
	"strings"

	"vzip/internal/oneline"
	"vzip/layout"
)

// withoutFUSE adds to the error of a failed mount what works without one: the
// archives' bytes in a pipe, and over HTTP.
func withoutFUSE(err error, l *layout.Layout) error {
	if exitCode(err) != exitMount {
		return err
	}
	name := "ARCHIVE"
	if len(l.Archives) == 1 {
		name = shellWord(l.Archives[0].Name)
	}
	file := shellWord(l.File)
	instead := fmt.Sprintf("vzip cat %s %s | CMD, or vzip serve %s", file, name, file)
	return mountError(fmt.Errorf("%w; without FUSE use: %s", err, oneline.Text(instead)))
}

// shellWord is a word as a shell takes it.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:@%/") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

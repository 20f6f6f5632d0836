package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand is for packagers, and therefore hidden.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the man pages of all commands to DIR",
		Hidden: true,
		Args:   exactArgs("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			date, err := manDate()
			if err != nil {
				return err
			}
			return writeManPages(cmd.Root(), args[0], date)
		},
	}
}

// manDate is the date that man pages bear: never today's, so that the same commit
// gives the same pages.
func manDate() (time.Time, error) {
	epoch, ok := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !ok {
		if t, known := commitTime(); known {
			return t.UTC(), nil
		}
		return time.Time{}, usageError("the date of the pages is not known: this build knows no commit: set SOURCE_DATE_EPOCH")
	}
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, usageError("SOURCE_DATE_EPOCH %q is no number of seconds since 1970", epoch)
	}
	return time.Unix(n, 0).UTC(), nil
}

// writeManPages writes vzip.1, and a page for each command below it, to dir.
func writeManPages(cmd *cobra.Command, dir string, date time.Time) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	page, err := manPage(cmd, date)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
	if err := os.WriteFile(file, page, 0o644); err != nil {
		return err
	}
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := writeManPages(c, dir, date); err != nil {
			return err
		}
	}
	return nil
}

// manPage is a command's page: what cobra makes of its help, and the sections that
// help has not.
func manPage(cmd *cobra.Command, date time.Time) ([]byte, error) {
	cmd.DisableAutoGenTag = true
	var b bytes.Buffer
	header := &doc.GenManHeader{
		Title: strings.ToUpper(strings.ReplaceAll(cmd.CommandPath(), " ", "-")), Section: "1",
		Source: "vzip", Manual: "User Commands", Date: &date,
	}
	if err := doc.GenMan(cmd, header, &b); err != nil {
		return nil, err
	}
	page := b.String()
	// cobra's date has no day.
	page = strings.Replace(page, `"`+date.Format("Jan 2006")+`"`, `"`+date.Format(time.DateOnly)+`"`, 1)
	page = manBlank.ReplaceAllString(page, "\n")
	page = manOption.ReplaceAllStringFunc(page, manFlag)
	page = strings.Replace(page, `\fBvzip [flags]`, `\fBvzip COMMAND [flags]`, 1)
	more := manExit(cmd)
	if !cmd.HasParent() {
		more += manEnvironment + manFiles
	}
	before, seeAlso, found := strings.Cut(page, ".SH SEE ALSO\n")
	if !found {
		return nil, fmt.Errorf("the page of %s has no SEE ALSO", cmd.CommandPath())
	}
	return []byte(before + more + ".SH SEE ALSO\n" + seeAlso), nil
}

var (
	manBlank  = regexp.MustCompile(`\n{2,}`)
	manOption = regexp.MustCompile(`(?:\.PP\n)?(\\fB-.*\\fP)(\S*)\n\t(.*)`) // names, value, text
)

// manFlag makes an indented paragraph of what cobra wrote of a flag.
func manFlag(option string) string {
	part := manOption.FindStringSubmatch(option)
	names, value := strings.ReplaceAll(part[1], "-", `\-`), strings.Trim(part[2], `[=]"`)
	switch {
	case strings.HasPrefix(part[2], "["): // true or false
		value = ""
	case value == "", value == "0":
		value = "=VALUE"
	default:
		value = "=" + value
	}
	return ".TP\n" + names + value + "\n" + part[3]
}

// manExit is the section of exit codes.
func manExit(cmd *cobra.Command) string {
	var b strings.Builder
	b.WriteString(".SH EXIT STATUS\n")
	if cmd.Name() == "exec" {
		b.WriteString("That of CMD, or as a shell's: 127 if CMD is not found, 126 if it can't be run, 128 + N if signal N ended it.\nBefore CMD is run:\n")
	}
	for _, e := range []struct {
		code int
		what string
	}{
		{exitOK, "all is well"},
		{exitFailure, "failure"},
		{exitUsage, "wrong usage"},
		{exitLayout, "the layout is invalid or can't be read"},
		{exitSource, "a source is missing, unreadable or changed"},
		{exitMount, "the mount failed"},
	} {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", e.code, e.what)
	}
	return b.String()
}

const manEnvironment = `.SH ENVIRONMENT
.TP
.B SOURCE_DATE_EPOCH
the time of every entry, in seconds since 1970
.TP
.B TMPDIR
where
.B vzip exec
makes the folder for its mount
.TP
.B VZIP_MOUNT
is set by
.B vzip exec
for CMD: where the archives are
.TP
.B XDG_CACHE_HOME
where CRC\-32s are remembered, in its folder vzip
.P
Every variable that the layout names as ${NAME}.
`

const manFiles = `.SH FILES
.TP
.I LAYOUT
YAML: which folders and files, and what they are called in each archive.
.IP
.nf
version: 1
archives:
  \- name: vm\-images.zip
    entries:
      \- source: /builds/nightly\-win
        as: images/windows
.fi
.TP
.I ~/.cache/vzip
CRC\-32s that are remembered
.TP
.I /etc/vzip/NAME.yaml
the layout of the services vzip@NAME and vzip\-serve@NAME
.TP
.I /etc/fstab
lines of type fuse.vzip: see mount(8)
`

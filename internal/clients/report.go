package main

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// markdown is the table as a document.
func (t *table) markdown() []byte {
	var b strings.Builder
	mark := map[string]string{"right": "✓", "refused": "refuses", "limit": "**limit**", "FAIL": "**FAILS**"}
	fmt.Fprintf(&b, `# What programs make of a fault

%d programs, each copying or testing one archive of a real mount while something goes wrong. This file is written by `+"`make clients`"+`.

- ✓: exit code 0, and every byte is right.
- refuses: the program tells, by its exit code, that it failed.
- **limit**: the program's own way to fail makes it unfit here; see [known limits](#known-limits).

In short:

- After an exit code other than 0, throw away what is at the target. It may have full size: `+"`rsync --inplace` and `tar` fill up with zeros, `scp -O`"+` with other bytes.
- `+"`rsync`"+` without `+"`--inplace`"+`, and uploads in parts to S3, leave nothing behind.
- In shells set `+"`pipefail`"+`. Give curl the file, not a pipe: `+"`curl --fail -T FILE URL`"+`.
- A program that opens the archive again for each part (`+"`aws s3 cp FILE`"+`) gets the parts of whatever is published by then. Don't reload meanwhile,
  nor mount with `+"`--watch`"+`; or give it an open file: `+"`aws s3 cp - URL <FILE`"+`.

| program |`, len(t.clients))
	for _, s := range t.scenarios {
		fmt.Fprintf(&b, " %s |", s.name)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(t.scenarios)) + "\n")
	for i, c := range t.clients {
		fmt.Fprintf(&b, "| %s |", c.name)
		for _, x := range t.cells[i] {
			fmt.Fprintf(&b, " %s |", mark[x.word()])
		}
		b.WriteString("\n")
	}
	b.WriteString("\n| what goes wrong | |\n| --- | --- |\n")
	for _, s := range t.scenarios {
		fmt.Fprintf(&b, "| %s | %s |\n", s.name, s.what)
	}
	b.WriteString(`
The archive has three entries. What goes wrong does so once vzip asks for the second one's source: the read waits for it.
`)
	b.WriteString("\n## Known limits\n\nAny other program that ends well though its copy is not whole, or that fails where nothing is wrong with the archive, fails the run.\n\n" +
		"| program | what goes wrong | what happens | why | instead |\n| --- | --- | --- | --- | --- |\n")
	t.eachGroup(func(c client, names string, x cell) {
		if x.limit != nil {
			fmt.Fprintf(&b, "| %s | %s | exit code %d; at the target: %s | %s | %s |\n", c.name, names, x.exit, x.left, x.limit.reason, x.limit.instead)
		}
	})
	b.WriteString("\n## What they say, and leave\n\n| program | what goes wrong | exit code | at the target | message |\n| --- | --- | --- | --- | --- |\n")
	t.eachGroup(func(c client, names string, x cell) {
		if x.verdict != right {
			fmt.Fprintf(&b, "| %s | %s | %d | %s | %s |\n", c.name, names, x.exit, x.left, cellText(x.said))
		}
	})
	fmt.Fprintf(&b, `
"The start": the first bytes of the archive, as they should be, and no more. rsync's "nothing" is the good end: it makes a copy visible when it is whole.

## Versions

Linux %s. curl's server is one of our own (Go's net/http; it keeps a body once it has come whole) or nginx with ngx_http_dav_module; the
S3 server is %s over a folder, which keeps what came of a PUT that broke off, where others keep nothing. scp and sftp talk to OpenSSH's sshd.
aws uploads one part at a time: some parts are opened before the fault and some behind it for certain, as with the usual ten of a larger archive.

Debian's packages: %s.
`, kernel(), t.gateway, strings.Join(t.versions, ", "))
	return []byte(b.String())
}

var digits = regexp.MustCompile(`\d+`)

// eachGroup calls do once for the scenarios that end alike for a client, but for
// numbers in the message.
func (t *table) eachGroup(do func(c client, scenarios string, x cell)) {
	for i, c := range t.clients {
		var order []string
		names, first := map[string][]string{}, map[string]cell{}
		for j, x := range t.cells[i] {
			key := fmt.Sprint(x.exit, x.left, digits.ReplaceAllString(x.said, ""), x.limit)
			if names[key] == nil {
				order, first[key] = append(order, key), x
			}
			names[key] = append(names[key], t.scenarios[j].name)
		}
		for _, key := range order {
			do(c, strings.Join(names[key], "; "), first[key])
		}
	}
}

// kernel returns the kernel's version, without what its builder adds.
func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "of an unknown version"
	}
	release, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	return release
}

// cellText is a message that can stand in a Markdown table.
func cellText(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "`", "'", "*", `\*`).Replace(s)
}

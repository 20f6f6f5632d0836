package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

type table struct {
	clients   []client
	scenarios []scenario
	cells     [][]cell // by client, then scenario
	versions  []string // by client
	gateway   string   // the S3 server and its version
}

// fill tries each client in each scenario, one after the other.
func (t *table) fill(ctx context.Context, b *bench, progress io.Writer) error {
	target := b.path("target")
	for _, c := range t.clients {
		row := make([]cell, len(t.scenarios))
		for i, s := range t.scenarios {
			begin := time.Now()
			for _, dir := range []string{target, b.path("sink"), b.path("nginx", "files"), b.path("s3", "bucket")} {
				if err := os.RemoveAll(dir); err != nil {
					return err
				}
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return err
				}
			}
			out, err := b.try(ctx, c, s, target)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("%s, %s: %w", c.name, s.name, err)
			}
			x := b.judge(c, s, out)
			fmt.Fprintf(progress, "%-7s %5.1fs  %s, %s: exit %d, %s; %s\n", x.word(), time.Since(begin).Seconds(), c.name, s.name, x.exit, x.left, x.said)
			row[i] = x
		}
		t.cells = append(t.cells, row)
		out, err := exec.CommandContext(ctx, "bash", "-c", c.version).Output()
		version := strings.Join(strings.Split(strings.TrimSpace(string(out)), "\n"), ", ")
		if err != nil || version == "" {
			version = "unknown"
		}
		t.versions = append(t.versions, version)
	}
	return nil
}

// word is the cell in one word.
func (x cell) word() string {
	switch {
	case x.failed:
		return "FAIL"
	case x.limit != nil:
		return "limit"
	}
	return x.verdict.String()
}

func (t *table) failures() (n int) {
	for _, row := range t.cells {
		for _, x := range row {
			if x.failed {
				n++
			}
		}
	}
	return n
}

// print writes a line a scenario, and one a failure.
func (t *table) print(w io.Writer) {
	for j, s := range t.scenarios {
		n := map[string]int{}
		for i := range t.clients {
			n[t.cells[i][j].word()]++
		}
		fmt.Fprintf(w, "%-12s %d clients: %d right, %d refused, %d known limits, %d failed\n", s.name+":", len(t.clients), n["right"], n["refused"], n["limit"], n["FAIL"])
	}
	t.each(func(c client, s scenario, x cell) {
		if x.failed {
			fmt.Fprintf(w, "FAIL %s, %s: %s: exit code %d, at the target %s: %s\n", c.name, s.name, x.verdict, x.exit, x.left, x.said)
		}
	})
	for _, l := range t.unused() {
		fmt.Fprintf(w, "note: nothing needs the limit of %s in %s\n", l.client, l.scenario)
	}
}

func (t *table) each(do func(client, scenario, cell)) {
	for i, row := range t.cells {
		for j, x := range row {
			do(t.clients[i], t.scenarios[j], x)
		}
	}
}

// unused returns the limits that are about a cell of the table and explain none.
func (t *table) unused() (unused []*limit) {
	for i := range limits {
		l, about, used := &limits[i], false, false
		t.each(func(c client, s scenario, x cell) {
			about = about || matches(l.client, c.name) && matches(l.scenario, s.name)
			used = used || x.limit == l
		})
		if about && !used {
			unused = append(unused, l)
		}
	}
	return unused
}

// markdown is the table as a document.
func (t *table) markdown() []byte {
	var b strings.Builder
	mark := map[string]string{"right": "✓", "refused": "refuses", "limit": "**limit**", "FAIL": "**FAILS**"}
	fmt.Fprintf(&b, `# What programs make of a fault

%d programs, each copying or testing one archive of a real mount while something goes wrong. This file is written by `+"`make clients`"+`.

- ✓: exit code 0, and every byte is right.
- refuses: the program tells, by its exit code, that it failed.
- **limit**: the program's own way to fail makes it unfit here; see [known limits](#known-limits).

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
	b.WriteString("\n## Known limits\n\nOther programs that end well though their copy is not whole, or that can't go on where others can, fail the run.\n\n| program | what goes wrong | what happens | why | use instead |\n| --- | --- | --- | --- | --- |\n")
	t.each(func(c client, s scenario, x cell) {
		if x.limit != nil {
			fmt.Fprintf(&b, "| %s | %s | exit code %d, at the target: %s | %s | %s |\n", c.name, s.name, x.exit, x.left, x.limit.reason, x.limit.instead)
		}
	})
	b.WriteString("\n## Every outcome\n\n| program | what goes wrong | exit code | at the target | message |\n| --- | --- | --- | --- | --- |\n")
	for i, c := range t.clients {
		var done []int
		for j, x := range t.cells[i] {
			if slices.Contains(done, j) {
				continue
			}
			var same []string
			for k := j; k < len(t.scenarios); k++ {
				if y := t.cells[i][k]; y.exit == x.exit && y.left == x.left && digits.ReplaceAllString(y.said, "") == digits.ReplaceAllString(x.said, "") {
					same, done = append(same, t.scenarios[k].name), append(done, k)
				}
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %s | %s |\n", c.name, strings.Join(same, "; "), x.exit, x.left, cellText(x.said))
		}
	}
	fmt.Fprintf(&b, `
"The start": the first bytes of the archive, as they should be, and no more. rsync's "nothing" is the good end: it makes a copy visible when it is whole.

## Versions

Linux %s. curl's server is one of our own (Go's net/http; it keeps a body once it has come whole) or nginx with ngx_http_dav_module; the
S3 server is %s over a folder, which keeps what came of a PUT that broke off, where others keep nothing.
aws uploads two parts at a time, so that this small archive is read as a large one is with the usual ten.

| program | Debian packages |
| --- | --- |
`, kernel(), t.gateway)
	for i, c := range t.clients {
		fmt.Fprintf(&b, "| %s | %s |\n", c.name, t.versions[i])
	}
	return []byte(b.String())
}

var digits = regexp.MustCompile(`\d+`)

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

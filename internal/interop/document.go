package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// document is what the report says of readings through a mount.
type document struct {
	readers []documentRow
	cases   []string
	cells   map[[2]string]string // by reader and case
	what    map[string]string    // what is in a case's archive
	limits  []documentLimit
}

type documentRow struct{ name, from, tells string }

type documentLimit struct{ reader, archive, reason, with, others string }

// document returns what the table tells.
func (t *table) document() *document {
	d := &document{cells: map[[2]string]string{}, what: map[string]string{}}
	for _, r := range t.readers {
		d.readers = append(d.readers, documentRow{r.name, r.from, tellsLetters(r.tells)})
	}
	for _, c := range t.cases {
		d.cases, d.what[c.name] = append(d.cases, c.name), c.what
	}
	t.each(func(r *reader, c *prepared, x cell) {
		d.cells[[2]string{r.name, c.name}] = map[outcome]string{passed: right, limited: "limit", failed: "**fails**"}[x.outcome]
		if x.outcome == limited {
			d.limits = append(d.limits, documentLimit{r.name, c.name, knownLimit(r.name, c.name).reason, cellText(x.problem), cellText(x.evidence)})
		}
	})
	return d
}

const right = "✓"

// parseDocument reads what String wrote.
func parseDocument(text string) *document {
	d := &document{cells: map[[2]string]string{}, what: map[string]string{}}
	var header []string
	for line := range strings.Lines(text) {
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") {
			header = nil
			continue
		}
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		switch {
		case header == nil:
			header = row
		case row[0] == "---" || len(row) != len(header):
		case header[0] == "archive":
			d.what[row[0]] = row[1]
		case len(header) == 5 && header[2] == "reason":
			d.limits = append(d.limits, documentLimit{row[0], row[1], row[2], row[3], row[4]})
		default:
			d.readers = append(d.readers, documentRow{row[0], row[1], row[2]})
			d.cases = header[3:]
			for i, name := range d.cases {
				d.cells[[2]string{row[0], name}] = row[3+i]
			}
		}
	}
	return d
}

// merge keeps what old says of readers and cases that d does not have, as long as they are
// known.
func (d *document) merge(old *document) {
	for at, x := range old.cells {
		if _, ok := d.cells[at]; !ok {
			d.cells[at] = x
		}
	}
	ran := func(reader, archive string) bool {
		return slices.ContainsFunc(d.readers, func(r documentRow) bool { return r.name == reader }) && slices.Contains(d.cases, archive)
	}
	for _, l := range old.limits {
		if !ran(l.reader, l.archive) {
			d.limits = append(d.limits, l)
		}
	}
	for name, what := range old.what {
		d.what[name] = cmp.Or(d.what[name], what)
	}
	var cases []string
	for _, c := range testCases {
		if slices.Contains(d.cases, c.name) || slices.Contains(old.cases, c.name) {
			cases = append(cases, c.name)
		}
	}
	d.cases = cases
	var readers []documentRow
	for _, r := range allReaders {
		for _, list := range [][]documentRow{d.readers, old.readers} {
			if i := slices.IndexFunc(list, func(x documentRow) bool { return x.name == r.name }); i >= 0 {
				readers = append(readers, list[i])
				break
			}
		}
	}
	d.readers = readers
	place := func(l documentLimit) (reader, archive int) {
		return slices.IndexFunc(d.readers, func(r documentRow) bool { return r.name == l.reader }), slices.Index(d.cases, l.archive)
	}
	d.limits = slices.DeleteFunc(d.limits, func(l documentLimit) bool {
		reader, archive := place(l)
		return reader < 0 || archive < 0
	})
	slices.SortFunc(d.limits, func(a, b documentLimit) int {
		r, c := place(a)
		r2, c2 := place(b)
		return cmp.Or(cmp.Compare(r, r2), cmp.Compare(c, c2))
	})
}

// String is the document as Markdown.
func (d *document) String() string {
	counts := map[string]int{}
	for _, r := range d.readers {
		for _, c := range d.cases {
			counts[d.cells[[2]string{r.name, c}]]++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# Who reads vzip's archives

%d programs and libraries, each reading %d archives through a real mount: what they tell of names, types, sizes, CRC-32s, content,
permissions, links, times and owners is compared with the source tree. %d of these %d readings are right; %d are limits of the reader's
own: it fails in the same way on an archive of the same tree by another program. This file is written by `+"`make interop`"+`.

A reader tells: **s**izes, **C**RC-32s, content (**d**ata), permissions (**m**odes), **l**inks, **t**imes (**T**: from the MS-DOS fields alone), **o**wners;
**v**: only that the archive is right; **1**: the first entry alone.

`, len(d.readers), len(d.cases), counts[right], len(d.readers)*len(d.cases), counts["limit"])
	b.WriteString("| reader | from | tells |")
	for _, c := range d.cases {
		fmt.Fprintf(&b, " %s |", c)
	}
	b.WriteString("\n| --- | --- | --- |" + strings.Repeat(" --- |", len(d.cases)) + "\n")
	for _, r := range d.readers {
		fmt.Fprintf(&b, "| %s | %s | %s |", r.name, r.from, r.tells)
		for _, c := range d.cases {
			fmt.Fprintf(&b, " %s |", d.cells[[2]string{r.name, c}])
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## The archives\n\n| archive | what is in it |\n| --- | --- |\n")
	for _, c := range d.cases {
		fmt.Fprintf(&b, "| %s | %s |\n", c, d.what[c])
	}
	b.WriteString("\n## Known limits\n\nWhat the reader did, and what it did with another program's archive of the same tree.\n\n| reader | archive | reason | with vzip's | with another's |\n| --- | --- | --- | --- | --- |\n")
	for _, l := range d.limits {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", l.reader, l.archive, l.reason, l.with, l.others)
	}
	return b.String()
}

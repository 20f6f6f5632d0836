package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// outcome is what came of a reader and a case.
type outcome int

const (
	passed  outcome = iota
	limited         // the reader can't, for reasons of its own: there is evidence
	failed
)

func (o outcome) String() string { return [...]string{"pass", "limit", "FAIL"}[o] }

// cell is one place of the table.
type cell struct {
	outcome  outcome
	problem  string // what the reader said or told wrong
	evidence string // the other program on whose archive it fails as well, and how
	took     time.Duration
	done     bool
}

type table struct {
	w       *workplace
	readers []*reader
	cases   []*prepared
	mnt     string
	cells   [][]cell // by reader, then case
	peers   *peerArchives
	kept    []reading // of an earlier run, and not of this table
}

func newTable(w *workplace, readers []*reader, cases []*prepared, mnt string) *table {
	t := &table{w: w, readers: readers, cases: cases, mnt: mnt, peers: &peerArchives{w: w, made: map[string]error{}}}
	for range readers {
		t.cells = append(t.cells, make([]cell, len(cases)))
	}
	return t
}

// How long a reader may take for an archive, and for one that it is known not to
// read.
const (
	readLimit    = 10 * time.Minute
	limitedLimit = time.Minute
)

// fill runs each reader on each case.
func (t *table) fill(ctx context.Context, jobs int, progress io.Writer) {
	type job struct{ r, c int }
	todo := make(chan job)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range jobs {
		wg.Go(func() {
			for j := range todo {
				c := t.read(ctx, t.readers[j.r], t.cases[j.c])
				t.cells[j.r][j.c] = c
				mu.Lock()
				fmt.Fprintf(progress, "%-5s %5.1fs  %s, %s", c.outcome, c.took.Seconds(), t.readers[j.r].name, t.cases[j.c].name)
				if c.problem != "" {
					fmt.Fprintf(progress, ": %s", c.problem)
				}
				if c.evidence != "" {
					fmt.Fprintf(progress, " [%s]", c.evidence)
				}
				fmt.Fprintln(progress)
				mu.Unlock()
			}
		})
	}
	for c := range t.cases {
		for r := range t.readers {
			if t.cells[r][c].done {
				continue
			}
			select {
			case todo <- job{r, c}:
			case <-ctx.Done():
			}
		}
	}
	close(todo)
	wg.Wait()
}

// read runs a reader on a case's archive. Only what a known limit explains, and
// what happens with another program's archive as well, is a limit.
func (t *table) read(ctx context.Context, r *reader, c *prepared) (out cell) {
	begin := time.Now()
	all := t.attempt(ctx, r, filepath.Join(t.mnt, c.name+".zip"), c, false)
	out.took = time.Since(begin)
	defer func() { out.done = ctx.Err() == nil }()
	if len(all) == 0 {
		return out
	}
	out.outcome, out.problem = failed, all[0].Error()
	l := knownLimit(r.name, c.name)
	if l == nil {
		return out
	}
	for _, d := range all {
		if !l.explains(d) {
			out.problem = d.Error()
			return out
		}
	}
	for _, by := range peers {
		archive, err := t.peers.archive(ctx, by, c)
		if err != nil {
			out.evidence = "no evidence: " + clip(err.Error())
			continue
		}
		for _, d := range t.attempt(ctx, r, archive, c, true) {
			if l.explains(d) && ctx.Err() == nil {
				out.outcome, out.evidence = limited, fmt.Sprintf("by %s: %s", by.name, d.Error())
				return out
			}
		}
		out.evidence = "other programs' archives are read"
	}
	return out
}

// attempt runs a reader and compares what it tells, as compare does.
func (t *table) attempt(ctx context.Context, r *reader, archive string, c *prepared, anyOrder bool) []*difference {
	most := readLimit
	if knownLimit(r.name, c.name) != nil {
		most = limitedLimit
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	got, err := r.read(ctx, t.w, archive)
	var d *difference
	switch {
	case ctx.Err() != nil:
		return []*difference{differ(slow, "not finished after %v", most)}
	case errors.As(err, &d):
		return []*difference{d}
	case err != nil:
		return []*difference{differ(unreadable, "%s", t.w.plain(err.Error()))}
	}
	return compare(r, got, c.want, anyOrder)
}

func (t *table) count(o outcome) (n int) {
	for _, row := range t.cells {
		for _, c := range row {
			if c.outcome == o {
				n++
			}
		}
	}
	return n
}

// print writes the table as text.
func (t *table) print(w io.Writer) {
	widest := 0
	for _, r := range t.readers {
		widest = max(widest, len(r.name))
	}
	fmt.Fprintf(w, "%-*s", widest, "")
	for _, c := range t.cases {
		fmt.Fprintf(w, " %s", c.name)
	}
	fmt.Fprintln(w)
	for i, r := range t.readers {
		fmt.Fprintf(w, "%-*s", widest, r.name)
		for j, c := range t.cases {
			fmt.Fprintf(w, " %-*s", len(c.name), map[outcome]string{passed: "+", limited: "limit", failed: "FAIL"}[t.cells[i][j].outcome])
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\n%d readers, %d archives: %d passed, %d known limits, %d failed\n",
		len(t.readers), len(t.cases), t.count(passed), t.count(limited), t.count(failed))
	t.each(func(r *reader, c *prepared, x cell) {
		switch {
		case x.outcome == failed:
			fmt.Fprintf(w, "FAIL %s, %s: %s %s\n", r.name, c.name, x.problem, x.evidence)
		case x.outcome == passed && knownLimit(r.name, c.name) != nil:
			fmt.Fprintf(w, "note: %s, %s: passes, though its limit is known\n", r.name, c.name)
		}
	})
}

func (t *table) each(do func(*reader, *prepared, cell)) {
	for i, row := range t.cells {
		for j, c := range row {
			do(t.readers[i], t.cases[j], c)
		}
	}
}

// cellText is a message that can stand in a Markdown table.
func cellText(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "`", "'", "*", `\*`).Replace(s)
}

func tellsLetters(f fields) string {
	s := ""
	for _, x := range []struct {
		field  fields
		letter string
	}{{size, "s"}, {crc, "C"}, {content, "d"}, {modes, "m"}, {links, "l"}, {mtime, "t"}, {owners, "o"}, {lastOnly, "v"}, {onlyOne, "1"}} {
		if f&x.field != 0 {
			s += x.letter
		}
	}
	if f&dosTime != 0 && f&mtime == 0 {
		s += "T"
	}
	return s
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

type table struct {
	clients   []client
	scenarios []scenario
	cells     [][]cell // by client, then scenario
	versions  []string // of packages
	gateway   string   // the S3 server and its version
}

// fill tries each client in each scenario, one after the other.
func (t *table) fill(ctx context.Context, b *bench, progress io.Writer) error {
	for i, c := range t.clients {
		row := make([]cell, len(t.scenarios))
		for j, s := range t.scenarios {
			begin := time.Now()
			x, err := b.fillCell(ctx, c, s, fmt.Sprintf("cell-%d", i*len(t.scenarios)+j))
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				x = cell{left: "not tried", said: err.Error(), failed: true}
			}
			fmt.Fprintf(progress, "%-7s %5.1fs  %s, %s: exit %d, %s; %s\n", x.word(), time.Since(begin).Seconds(), c.name, s.name, x.exit, x.left, x.said)
			row[j] = x
		}
		t.cells = append(t.cells, row)
	}
	return t.askVersions(ctx)
}

// fillCell tries a client in a scenario, with folders of that name.
func (b *bench) fillCell(ctx context.Context, c client, s scenario, name string) (cell, error) {
	for _, place := range []string{b.place(nowhere, name), b.place(c.server, name)} {
		if err := os.MkdirAll(place, 0o755); err != nil {
			return cell{}, err
		}
		defer os.RemoveAll(place) // what is still being written goes with the rest
	}
	out, err := b.try(ctx, c, s, name)
	if err != nil {
		return cell{}, err
	}
	return b.judge(c, s, out), nil
}

// askVersions asks dpkg what the clients are.
func (t *table) askVersions(ctx context.Context) error {
	words := []string{"-W", "-f", "${Package} ${Version}\\n"}
	for _, c := range t.clients {
		words = append(words, strings.Fields(c.packages)...)
	}
	slices.Sort(words[3:])
	out, err := exec.CommandContext(ctx, "dpkg-query", append(words[:3], slices.Compact(words[3:])...)...).Output()
	if err != nil {
		return fmt.Errorf("versions of packages: %w", err)
	}
	t.versions = strings.Split(strings.TrimSpace(string(out)), "\n")
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

package main

import (
	"os"
	"strings"
	"testing"
)

// What is written can be read again, and a run of a part keeps the rest.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/interop.md")
	if err != nil {
		t.Fatal(err)
	}
	mount, _, _ := strings.Cut(string(text), httpHeading)
	d := parseDocument(mount)
	d.merge(parseDocument(mount))
	if got := d.String(); got != mount {
		t.Errorf("read and written again, the document is another one:\n%s", got)
	}
	part := &document{
		cases: []string{"plain"}, what: map[string]string{"plain": "x"},
		readers: []documentRow{{name: "unzip", from: "y", tells: "z"}},
		cells:   map[[2]string]string{{"unzip", "plain"}: "limit"},
		limits:  []documentLimit{{reader: "unzip", archive: "plain", reason: "r"}},
	}
	part.merge(parseDocument(mount))
	lines, had := strings.Split(part.String(), "\n"), strings.Split(mount, "\n")
	if len(lines) != len(had)+1 {
		t.Fatalf("got %d lines, want one more than %d", len(lines), len(had))
	}
	changed := 0
	for _, line := range lines {
		if !strings.Contains(mount, line+"\n") {
			changed++
		}
	}
	if changed != 4 { // the counts, a row, what is in the archive, a limit
		t.Errorf("%d lines are new:\n%s", changed, part.String())
	}
}

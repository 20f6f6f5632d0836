package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// table is printed in Markdown.
type table struct {
	title  string
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the title in bold, then the table.
func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "\n**%s**\n\n", t.title)
	line := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.header)
	rule := []string{"---"}
	for range t.header[1:] {
		rule = append(rule, "---:")
	}
	line(rule)
	for _, cells := range t.rows {
		line(cells)
	}
}

// number is a value to three digits; "-" where there is none.
func number(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	digits := 2
	if v != 0 {
		digits = min(max(2-int(math.Floor(math.Log10(math.Abs(v)))), 0), 5)
	}
	return fmt.Sprintf("%.*f", digits, v)
}

// ratio is a over b, as a cell.
func ratio(a, b float64) string { return number(a / b) }

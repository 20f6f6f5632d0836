package layout

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"vzip/internal/figure"
)

// The parser makes at most two nodes for each value that is counted, whatever a
// text is made of.
func TestCountValues(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	parts := []string{"a", "a", "b ", "\"c\"", "'d'", "[", "]", "{", "}", ",", ", ", ":", ": ", ":\n", "- ", "-\n", "-", "? ", "?\n", "?", "#", " # x\n", "\n", "\n  ", "\n    ", " ", "&a ", "*a", "!t ", "!", "|\n", ">\n", "---\n", "...\n", "\u0085", "\u2028", "\u2029", "-\u2028", ":\u0085", "\t", "\r", "<<", "%", "\\", "~", "x: ", "\ny: ", "\n- "}
	valid := 0
	for range figure.N(40_000, 1_000_000) {
		var b strings.Builder
		for range 1 + rnd.IntN(14) {
			b.WriteString(parts[rnd.IntN(len(parts))])
		}
		text := b.String()
		var doc yaml.Node
		if yaml.Unmarshal([]byte(text), &doc) != nil {
			continue
		}
		valid++
		if nodes, values := countNodes(&doc), countValues([]byte(text)); nodes > 2*values+2 {
			t.Fatalf("%q: %d nodes, but %d values counted", text, nodes, values)
		}
	}
	if valid < 2000 {
		t.Errorf("only %d texts were YAML", valid)
	}
}

func countNodes(n *yaml.Node) int {
	count := 1
	for _, c := range n.Content {
		count += countNodes(c)
	}
	return count
}

// A layout of ordinary length is far from the limits.
func TestLimitsLeaveRoom(t *testing.T) {
	t.Parallel()
	text := "version: 1\narchives:\n  - name: a.zip\n    entries:\n" + strings.Repeat(`      # the build of this machine
      - source: /builds/nightly/`+strings.Repeat("long-name/", 5)+`x
        as: images/`+strings.Repeat("long-name/", 2)+`x
        exclude: ["**/*.tmp", "**/.git"]
`, 20_000)
	if err := checkValues([]byte(text)); err != nil || len(text) > maxFileLen {
		t.Errorf("20,000 sources of %d bytes in all: error %v", len(text), err)
	}
}

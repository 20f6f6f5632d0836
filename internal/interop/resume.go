package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// reading is a cell as a file keeps it, for a run that goes on where another ended.
type reading struct {
	Reader, Archive   string
	Problem, Evidence string `json:",omitempty"` // of a limit
	Seconds           float64
}

// load takes over what an earlier run has read, but for what failed.
func (t *table) load(file string) error {
	text, err := os.ReadFile(file)
	if file == "" || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var readings []reading
	if err == nil {
		err = json.Unmarshal(text, &readings)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, x := range readings {
		if c := t.cell(x.Reader, x.Archive); c == nil {
			t.kept = append(t.kept, x)
		} else if x.Problem == "" {
			*c = cell{done: true}
		} else if knownLimit(x.Reader, x.Archive) != "" {
			*c = cell{done: true, outcome: limited, problem: x.Problem, evidence: x.Evidence}
		}
	}
	return nil
}

// cell returns the place of a reader and an archive, nil if the table has none.
func (t *table) cell(reader, archive string) *cell {
	for i, r := range t.readers {
		for j, c := range t.cases {
			if r.name == reader && c.name == archive {
				return &t.cells[i][j]
			}
		}
	}
	return nil
}

// save keeps what was read and did not fail, also of a run that was interrupted.
func (t *table) save(file string) error {
	if file == "" {
		return nil
	}
	readings := t.kept
	t.each(func(r *reader, c *prepared, x cell) {
		if x.done && x.outcome != failed {
			readings = append(readings, reading{r.name, c.name, x.problem, x.evidence, x.took.Seconds()})
		}
	})
	text, err := json.MarshalIndent(readings, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

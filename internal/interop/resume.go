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

// readings are those of one build of the program under test.
type readings struct {
	Program  string // SHA-256 of its file
	Readings []reading
}

// load takes over what an earlier run has read with the same program, but for what
// failed.
func (t *table) load(file string) error {
	text, err := os.ReadFile(file)
	if file == "" || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var old readings
	if err == nil {
		err = json.Unmarshal(text, &old)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if program, err := t.program(); err != nil || program != old.Program {
		return err
	}
	for _, x := range old.Readings {
		if c := t.cell(x.Reader, x.Archive); c == nil {
			t.kept = append(t.kept, x)
		} else if x.Problem == "" {
			*c = cell{done: true}
		} else if knownLimit(x.Reader, x.Archive) != nil {
			*c = cell{done: true, outcome: limited, problem: x.Problem, evidence: x.Evidence}
		}
	}
	return nil
}

func (t *table) program() (string, error) {
	_, _, sha, err := fileSums(t.w.vzip)
	return sha, err
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
	all := t.kept
	t.each(func(r *reader, c *prepared, x cell) {
		if x.done && x.outcome != failed {
			all = append(all, reading{r.name, c.name, x.problem, x.evidence, x.took.Seconds()})
		}
	})
	program, err := t.program()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(readings{program, all}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

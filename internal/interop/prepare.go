package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
)

// prepared is a case whose tree is there.
type prepared struct {
	testCase
	source string // the tree as vzip gets it
	stored string // the tree under the names in the archive: the same folder, mostly
	want   []entry
}

// prepare makes a case's trees.
func (w *workplace) prepare(c testCase) (*prepared, error) {
	nodes := c.nodes()
	p := &prepared{testCase: c, stored: filepath.Join(w.dir, "stored", c.name)}
	p.source = p.stored
	for i := range nodes {
		if nodes[i].stored != "" {
			p.source = filepath.Join(w.dir, "source", c.name)
		}
	}
	trees := []struct {
		root   string
		stored bool
	}{{p.source, false}, {p.stored, true}}
	if p.source == p.stored {
		trees = trees[:1]
	}
	for _, t := range trees {
		if err := os.MkdirAll(t.root, 0o755); err != nil {
			return nil, err
		}
		if err := makeTree(t.root, nodes, t.stored); err != nil {
			return nil, err
		}
	}
	var err error
	p.want, err = wanted(p.source, nodes)
	return p, err
}

// prepareAll makes the trees of those cases that the options ask for.
func (w *workplace) prepareAll(o options, list []testCase) (cases []*prepared, err error) {
	for _, c := range list {
		if !o.cases.MatchString(c.name) || c.heavy && o.light {
			continue
		}
		p, ok := w.prepared[c.name]
		if !ok {
			if p, err = w.prepare(c); err != nil {
				return nil, fmt.Errorf("tree of %s: %w", c.name, err)
			}
			w.prepared[c.name] = p
		}
		cases = append(cases, p)
	}
	return cases, nil
}

// writeLayout writes a layout of all cases' archives, and returns its path.
func (w *workplace) writeLayout(name string, cases []*prepared) (string, error) {
	type mapping struct {
		Source string `yaml:"source"`
		As     string `yaml:"as"`
	}
	var archives []map[string]any
	for _, c := range cases {
		a := map[string]any{"name": c.fileName(), "entries": []mapping{{c.source, "."}}}
		for _, option := range c.options {
			if err := yaml.Unmarshal([]byte(option), &a); err != nil {
				return "", err
			}
		}
		if c.comment != "" {
			a["comment"] = c.comment
		}
		archives = append(archives, a)
	}
	text, err := yaml.Marshal(map[string]any{"version": 1, "archives": archives})
	if err != nil {
		return "", err
	}
	layout := filepath.Join(w.dir, name)
	return layout, os.WriteFile(layout, text, 0o644)
}

// mount shows all cases' archives at the folder mnt, through the program under
// test. The function that it returns unmounts.
func (w *workplace) mount(ctx context.Context, cases []*prepared) (mnt string, unmount func() error, err error) {
	layout, err := w.writeLayout("layout.yaml", cases)
	if err != nil {
		return "", nil, err
	}
	mnt = filepath.Join(w.dir, "mnt")
	if err := os.MkdirAll(mnt, 0o755); err != nil {
		return "", nil, err
	}
	command := []string{w.vzip, "mount", "--daemon", "--quiet", "--log-file", filepath.Join(w.dir, "log"), "--cache", filepath.Join(w.dir, "cache"), layout, mnt}
	if _, err := w.output(ctx, command...); err != nil {
		return "", nil, fmt.Errorf("vzip mount: %w", err)
	}
	return mnt, func() error {
		_, err := w.output(context.Background(), w.vzip, "umount", mnt)
		if err != nil { // a reader that hangs must not keep it
			_, lazy := w.output(context.Background(), w.vzip, "umount", "--lazy", mnt)
			err = errors.Join(err, lazy)
		}
		return err
	}, nil
}
